"""Checks in a lake: what they let through, what they stop, and in what order they are judged."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from millpond.catalog.commits import Verdict
from millpond.core.names import TableName
from millpond.testing import FakeClock, TemporaryLake, temporary_lake

ORDERS, CUSTOMERS = TableName("silver", "orders"), TableName("silver", "customers")
BASE = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['orders/*.csv']\nsettle_seconds: 0\n",
    "sources/customers.yaml": "kind: files\npaths: ['customers/*.csv']\nsettle_seconds: 0\n",
    "models/silver/customers.sql": "/*---\nkind: append\nkey: [id]\n---*/\nSELECT id FROM bronze.customers\n",
}
QUERY = "SELECT id, customer, amount::DECIMAL(10, 2) AS amount, at::TIMESTAMP AS at FROM bronze.orders\n"


def orders(checks: str, kind: str = "append", query: str = QUERY) -> dict[str, str]:
    """The project with these checks on its orders."""
    return {**BASE, "models/silver/orders.sql": f"/*---\nkind: {kind}\nkey: [id]\nchecks:\n{checks}---*/\n{query}"}


def deliver(lake: TemporaryLake, name: str, *rows: str) -> None:
    """A file of orders."""
    lake.deliver(f"orders/{name}.csv", "\n".join(["id,customer,amount,at", *rows]) + "\n")


def verdicts(lake: TemporaryLake) -> dict[str, tuple[str, int, int]]:
    """What came of each check at the newest commit of the orders."""
    entry = lake.lakehouse.catalog.table(ORDERS)
    found = lake.lakehouse.catalog.verdicts(entry.commit)
    return {verdict.rule: (verdict.outcome, verdict.failed, verdict.judged) for verdict in found}


def ids(lake: TemporaryLake) -> list[str]:
    """The orders that are there."""
    return [str(row["id"]) for row in lake.rows("SELECT id FROM silver.orders ORDER BY id")]


def rejected(lake: TemporaryLake) -> list[tuple[str, str]]:
    """Rule and value of each record in quarantine."""
    return [tuple(row.values()) for row in lake.rows("SELECT rule, value FROM quarantine.records ORDER BY ALL")]


GOOD = ("1,a,10,2026-01-01 00:00:00", "2,a,20,2026-01-01 01:00:00", "3,b,30,2026-01-01 02:00:00")


def test_the_kinds_on_rows_send_their_rows_to_quarantine() -> None:
    """Length, type and relationship, with the value and the reason."""
    checks = "  - length: {customer: 1}\n  - type: {id: INTEGER}\n  - relationship: {customer: silver.customers.id}\n"
    with temporary_lake(orders(checks)) as lake:
        lake.deliver("customers/a.csv", "id\na\nb\n")
        deliver(lake, "a", *GOOD, "4,ab,5,", "x,a,5,", "6,c,5,", "7,,5,")
        assert lake.run().ok
        assert ids(lake) == ["1", "2", "3", "7"]
        assert rejected(lake) == [("length:customer", "ab"), ("relationship:customer", "c"), ("type:id", "x")]


def test_a_dimension_comes_before_what_is_checked_against_it() -> None:
    """In one run, though the names would have it otherwise; and a fact waits for a dimension that has no table."""
    checks = "  - relationship: {customer: silver.customers.id}\n"
    with temporary_lake(orders(checks)) as lake:
        deliver(lake, "a", *GOOD)
        assert (ORDERS, CUSTOMERS) in lake.run().waiting
        lake.deliver("customers/a.csv", "id\na\nb\n")
        assert lake.run().ok
        assert ids(lake) == ["1", "2", "3"]


def test_a_dimension_that_arrives_late_changes_no_table_by_itself() -> None:
    """A later row of the dimension is no reason to build the facts again; its early facts wait in quarantine."""
    checks = "  - relationship: {customer: silver.customers.id}\n"
    with temporary_lake(orders(checks)) as lake:
        lake.deliver("customers/a.csv", "id\na\n")
        deliver(lake, "a", *GOOD)
        assert lake.run().ok
        assert (ids(lake), rejected(lake)) == (["1", "2"], [("relationship:customer", "b")])
        lake.deliver("customers/b.csv", "id\nb\n")
        assert set(lake.run().outcomes) == {TableName("bronze", "customers"), CUSTOMERS}
        deliver(lake, "b", "4,b,5,")
        assert lake.run().ok
        assert ids(lake) == ["1", "2", "4"]


def test_what_is_checked_against_a_failed_table_is_left_out() -> None:
    """Facts are not judged by a dimension that could not be brought up to date."""
    checks = "  - relationship: {customer: silver.customers.id}\n"
    files = orders(checks) | {
        "models/silver/customers.sql": "/*---\nkind: append\nkey: [id]\nchecks:\n"
        "  - not_null: id\n    severity: stop\n---*/\nSELECT nullif(id, '-') AS id FROM bronze.customers\n"
    }
    with temporary_lake(files) as lake:
        lake.deliver("customers/a.csv", "id\na\nb\n")
        deliver(lake, "a", *GOOD)
        assert lake.run().ok
        lake.deliver("customers/b.csv", "id\n-\n")
        deliver(lake, "b", "9,a,5,")
        report = lake.run()
        assert list(report.failures) == [CUSTOMERS]
        assert report.skipped == (ORDERS,)


@pytest.mark.parametrize(
    ("severity", "most", "outcome"),
    [
        ("quarantine", "1", "quarantine"),
        ("quarantine", "25%", "quarantine"),
        ("quarantine", "24%", "stop"),
        ("quarantine", "0", "stop"),
        ("warn", "30%", "warn"),
        ("warn", "10%", "stop"),
        ("stop", "1", "warn"),
        ("stop", "0%", "stop"),
    ],
)
def test_a_threshold_bears_some_failures_and_stops_on_more(severity: str, most: str, outcome: str) -> None:
    """One of four rows fails."""
    checks = f"  - between: {{amount: [0, 100]}}\n    severity: {severity}\n    max_failed: {most}\n"
    with temporary_lake(orders(checks)) as lake:
        deliver(lake, "a", *GOOD, "4,a,500,")
        report = lake.run("silver.orders", "bronze.orders")
        if outcome == "stop":
            failed = report.failures[ORDERS]
            assert failed.code == "MP-6001"
            assert "1 of 4 rows" in failed.finding.message
            assert "500" in failed.finding.message
            assert lake.lakehouse.catalog.find(ORDERS) is None
        else:
            assert report.ok
            assert verdicts(lake)["between:amount"] == (outcome, 1, 4)
            assert ids(lake) == ["1", "2", "3"] + ["4"] * (outcome == "warn")


def test_a_stopped_step_tells_its_verdict_to_the_run_log() -> None:
    """No commit keeps it, so the log does; what belongs to a person is not shown."""
    checks = "  - regex: {customer: '^[a-z]$'}\n    severity: stop\ncolumns:\n  customer: {pii: name}\n"
    with temporary_lake(orders(checks)) as lake:
        deliver(lake, "a", *GOOD, "4,Ann Other,5,")
        lake.run("silver.orders", "bronze.orders")
        (failed,) = (event for event in lake.events if event.name == "step_failed")
        assert failed.fields["verdict"] == {"rule": "regex:customer", "failed": 1, "judged": 4}
        assert "Other" not in str(failed.fields)


def test_a_cast_inside_a_check_fails_its_row_and_not_the_step() -> None:
    """So do numbers that are asked of text."""
    checks = "  - sql: 'amount::INTEGER > 0'\n    name: positive\n  - between: {customer: [1, 9]}\n"
    query = "SELECT id, customer, amount FROM bronze.orders\n"
    with temporary_lake(orders(checks, query=query)) as lake:
        deliver(lake, "a", "1,5,10,", "2,5,much,", "3,five,10,", "4,5,-1,", "5,,,")
        report = lake.run("silver.orders", "bronze.orders")
        assert report.ok, report.failures
        assert ids(lake) == ["1", "5"]
        assert {rule for rule, _ in rejected(lake)} == {"sql:positive", "between:customer"}


TABLE_CHECKS = """
  - row_count: [1, 3]
  - completeness: {customer: 60%}
  - sum_equals: {amount: 60}
  - distribution: {amount: {mean: [15, 25], stddev: [9, 11], quantile: {0.5: [20, 20]}}}
  - distribution: {customer: {share: {a: [50%, 70%]}}}
  - freshness: {at: 24h}
    severity: stop
  - unique: [amount]
  - sql: SELECT * FROM silver.orders WHERE amount < 0
    name: positive
"""


def test_checks_on_the_table_judge_it_as_the_step_leaves_it() -> None:
    """All hold on a good table, each with what it measured."""
    clock = FakeClock(datetime(2026, 1, 1, 12, tzinfo=UTC))
    with temporary_lake(orders(TABLE_CHECKS), clock=clock) as lake:
        deliver(lake, "a", *GOOD)
        report = lake.run("silver.orders", "bronze.orders")
        assert report.ok, report.failures
        found = {verdict.rule: verdict for verdict in report.outcomes[ORDERS].verdicts}
        assert {verdict.outcome for verdict in found.values()} == {"pass"}
        assert found["distribution:amount:mean"].measured == 20
        assert found["distribution:customer:share(a)"].measured == pytest.approx(2 / 3)
        assert found["freshness:at"].told == "the newest at is 2026-01-01 02:00:00, 10 h old"


@pytest.mark.parametrize(
    ("row", "rule", "told"),
    [
        ("4,a,20,2026-01-01 00:00:00", "row_count", "the table has 4 rows, asked for is 1 to 3"),
        ("3,,40,2026-01-01 00:00:00", "sum_equals:amount", "the sum of amount is 70.00, asked for is 60"),
        ("3,b,20,2026-01-01 00:00:00", "unique:amount", "1 values stand in more than one row, such as 20.00"),
        ("3,b,-30,2026-01-01 00:00:00", "sql:positive", "its query gives 1 rows"),
        ("3,c,30,2026-01-01 00:00:00", "distribution:customer:share(a)", None),
        ("3,,30,2026-01-01 00:00:00", "completeness:customer", None),
    ],
)
def test_a_check_on_the_table_stops_the_step(row: str, rule: str, told: str | None) -> None:
    """Each kind by itself on a table that breaks it; nothing of the step is seen."""
    chosen = [part for part in TABLE_CHECKS.split("\n  - ") if part]
    kind = rule.partition(":")[0]
    (check,) = [part for part in chosen if part.startswith(f"{kind}:") and ("customer" in part) == ("customer" in rule)]
    told_of = f"  - {check.rstrip()}\n" + ("    severity: stop\n" if kind == "distribution" else "")
    if rule == "distribution:customer:share(a)":
        told_of = told_of.replace("[50%, 70%]", "[70%, 90%]")
    if rule == "completeness:customer":
        told_of = told_of.replace("60%", "70%")
    with temporary_lake(orders(told_of)) as lake:
        deliver(lake, "a", *(GOOD if row.startswith("4") else GOOD[:2]), row)
        failed = lake.run("silver.orders", "bronze.orders").failures[ORDERS]
        assert failed.finding.message.startswith(f"the check {rule} of silver.orders stopped the step: {told or ''}")
        assert lake.lakehouse.catalog.find(ORDERS) is None


def test_checks_on_the_table_see_rows_that_were_deleted() -> None:
    """After a merge the metadata alone does not know how many rows are left, nor which have a value."""
    checks = "  - row_count: 2\n  - completeness: {customer: 100%}\n  - sum_equals: {n: 2}\n"
    query = "SELECT amount AS id, max(customer) AS customer, count(*) AS n FROM bronze.orders GROUP BY amount\n"
    files = orders(checks, "aggregate", query)
    files["sources/orders.yaml"] += "on_change: replace\n"
    with temporary_lake(files) as lake:
        deliver(lake, "a", "1,a,10,", "2,b,20,")
        assert lake.run("silver.orders", "bronze.orders").ok
        deliver(lake, "a", "1,a,10,", "3,b,30,")
        report = lake.run("silver.orders", "bronze.orders")
        assert report.ok, report.failures
        assert ids(lake) == ["10", "30"]


def test_a_sum_may_be_that_of_another_table() -> None:
    """Up to a tolerance; the other table comes first."""
    checks = "  - sum_equals: {amount: silver.paid.amount}\n    tolerance: 1%\n"
    paid = "SELECT id, amount::DECIMAL(10, 2) + 0.1 AS amount FROM bronze.orders\n"
    with temporary_lake({**orders(checks), "models/silver/paid.sql": paid}) as lake:
        deliver(lake, "a", *GOOD)
        report = lake.run()
        assert report.ok, report.failures
        lake.write("models/silver/orders.sql", orders(checks.replace("1%", "0.2"))["models/silver/orders.sql"])
        failed = lake.run(rebuild=("silver.orders",)).failures[ORDERS]
        assert failed.finding.message.endswith("that of silver.paid.amount, 60.30")


def test_freshness_is_judged_by_the_clock() -> None:
    """By default a table that is too old is published with a warning."""
    clock = FakeClock(datetime(2026, 1, 9, tzinfo=UTC))
    with temporary_lake(orders("  - freshness: {at: 7d}\n"), clock=clock) as lake:
        deliver(lake, "a", *GOOD)
        report = lake.run("silver.orders", "bronze.orders")
        verdict = report.outcomes[ORDERS].verdicts[-1]
        told = "the newest at is 2026-01-01 02:00:00, 7 days old"
        assert verdict == Verdict(ORDERS, "freshness:at", "warn", 1, 1, verdict.measured, told)
        deliver(lake, "b", "4,a,5,2026-01-08 00:00:00")
        assert lake.run("silver.orders", "bronze.orders").outcomes[ORDERS].verdicts[-1].outcome == "pass"


def test_unique_looks_at_what_came_once_the_rest_is_known_to_be_unique() -> None:
    """A value that repeats one of an earlier step is found; one that only others repeated is not looked for again."""
    with temporary_lake(orders("  - unique: [amount]\n    severity: warn\n")) as lake:
        for name, row, failed in (("a", "1,a,10,", 0), ("b", "2,a,20,", 0), ("c", "3,a,10,", 1), ("d", "4,a,40,", 1)):
            deliver(lake, name, row)
            assert lake.run("silver.orders", "bronze.orders").ok
            assert verdicts(lake)["unique:amount"][1] == failed


def test_what_does_not_fit_a_declared_type_is_a_verdict() -> None:
    """Of each declared column, in each load; the row lands with the value in `_rescued`, be it `infinity`."""
    source = BASE["sources/orders.yaml"] + "columns: {amount: INTEGER, at: TIMESTAMP}\n"
    bronze = TableName("bronze", "orders")
    with temporary_lake({**BASE, "sources/orders.yaml": source}) as lake:
        deliver(lake, "a", "1,a,10,2026-01-01", "2,b,ten,infinity", "3,c,,2026-01-02", "4,d,2.5,2026-01-02")
        report = lake.run()
        assert report.ok, report.failures
        verdict = Verdict(bronze, "cast:amount", "warn", 2, 4)
        assert report.outcomes[bronze].verdicts == (verdict, Verdict(bronze, "cast:at", "warn", 1, 4))
        (finished,) = [event for event in lake.events if event.name == "step_finished"]
        assert finished.fields["warnings"] == [
            {"rule": "cast:amount", "failed": 2},
            {"rule": "cast:at", "failed": 1},
        ]
        assert lake.rows("SELECT _rescued AS r FROM bronze.orders WHERE id = '2'") == [
            {"r": '{"amount":"ten","at":"infinity"}'}
        ]
        deliver(lake, "b", "5,a,10,2026-01-01")
        report = lake.run()
        assert report.outcomes[bronze].verdicts == (
            Verdict(bronze, "cast:amount", "pass", 0, 1),
            Verdict(bronze, "cast:at", "pass", 0, 1),
        )
