"""`quality`: scores, freshness with its causes, profiles and suggestions, as their user sees them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Type


def tables(type_: Type) -> dict[str, dict[str, object]]:
    """What `quality` says of each table."""
    return {row["table"]: row for row in type_("quality", "--json").objects()}


def test_scores_are_the_share_that_passed(shop: Path, type_: Type) -> None:
    """One of ten rows failed one of seven checks: 90 % of that check, and the mean of all seven of the table."""
    said = type_("quality", "silver.orders", "--json").objects()
    checks = {row["rule"]: row for row in said if row["event"] == "check"}
    assert {rule for rule, row in checks.items() if row["score"] < 1} == {"cast:amount"}
    assert (checks["cast:amount"]["score"], checks["cast:amount"]["outcome"]) == (0.9, "quarantine")
    assert abs(said[0]["score"] - 6.9 / 7) < 1e-12
    assert said[0]["failing"] == ["cast:amount"]


def test_what_waits_in_quarantine_holds_back_all_that_stands_on_it(shop: Path, type_: Type) -> None:
    """The cause is told with the table where it lies; what does not read that table is current."""
    found = tables(type_)
    (cause,) = found["gold.revenue_by_day"]["causes"]  # type: ignore[misc]
    assert (cause["kind"], cause["table"], cause["records"]) == ("quarantine", "silver.orders", 1)
    assert (found["gold.revenue_by_day"]["freshness"], found["silver.customers"]["freshness"]) == (
        "incomplete",
        "current",
    )


def test_a_file_that_came_holds_back_its_source_and_what_reads_it(shop: Path, type_: Type) -> None:
    """The source is named, and the models behind it have no cause of their own."""
    (shop / "data" / "orders-2026-03-03.csv").write_text((shop / "data" / "orders-2026-03-02.csv").read_text() + "\n")
    found = tables(type_)
    kinds = [(cause["kind"], cause["table"], cause["source"]) for cause in found["gold.revenue_by_day"]["causes"]]  # type: ignore[attr-defined]
    assert kinds == [("source", "bronze.orders", "orders"), ("quarantine", "silver.orders", None)]
    assert found["gold.revenue_by_day"]["freshness"] == "behind"


def test_a_step_that_a_check_stopped_is_the_cause(shop: Path, type_: Type) -> None:
    """With its code, the run and since when; until it runs well."""
    model = shop / "models" / "silver" / "orders.sql"
    model.write_text(model.read_text().replace("checks:", "checks:\n  - row_count: [100, null]"))
    assert type_("run", "-q").code == 0  # nothing new: no step
    (shop / "data" / "orders-2026-03-03.csv").write_text(
        (shop / "data" / "orders-2026-03-02.csv").read_text().replace("1007", "2007") + "\n"
    )
    assert type_("run", "-q").code == 1
    causes = tables(type_)["gold.revenue_by_day"]["causes"]
    cause = next(cause for cause in causes if cause["kind"] == "failure")  # type: ignore[attr-defined]
    assert (cause["table"], cause["code"]) == ("silver.orders", "MP-6001")
    assert cause["run"]
    assert cause["since"]


def test_a_profile_is_exact_and_kept_by_commit(shop: Path, type_: Type) -> None:
    """Known answers; the second look reads no row, and says the same."""
    said = type_("quality", "silver.orders", "--json").objects()
    columns = {row["name"]: row for row in said if row["event"] == "column"}
    status, amount = columns["status"], columns["amount"]
    assert (status["rows"], status["nulls"], status["distinct"], status["exact"]) == (8, 0, 2, True)
    assert status["top"] == [{"value": "paid", "rows": 7}, {"value": "returned", "rows": 1}]
    assert (amount["least"], amount["most"], amount["quantiles"]["0.5"]) == (7.5, 120.0, 20.075)
    again = type_("quality", "silver.orders", "--json").objects()
    assert [row for row in again if row["event"] == "column"] == list(columns.values())
    assert (shop / ".millpond" / "profiles.db").exists()


def test_what_belongs_to_a_person_is_not_kept_in_a_profile(shop: Path, type_: Type) -> None:
    """Counts only of a column that is marked `pii`."""
    model = shop / "models" / "silver" / "orders.sql"
    model.write_text(model.read_text().replace("on_fail:", "columns:\n  customer_id: {pii: user_id}\non_fail:"))
    said = type_("quality", "silver.orders", "--json").objects()
    (column,) = [row for row in said if row.get("name") == "customer_id"]
    assert (column["distinct"], column["hidden"], column["least"], column["top"]) == (5, True, None, [])
    assert b"C1" not in (shop / ".millpond" / "profiles.db").read_bytes()


def test_suggested_checks_are_front_matter_that_every_row_passes(shop: Path, type_: Type) -> None:
    """Pasted into the model, the checks are valid and a rebuild rejects nothing more."""
    before = type_("query", "SELECT count(*) AS n FROM silver.orders", "--json").out
    suggested = type_("quality", "suggest", "silver.orders")
    assert "  - not_null: [ordered_at, status, amount]" in suggested.out
    lines = suggested.out.removeprefix("checks:\n")
    model = shop / "models" / "silver" / "orders.sql"
    model.write_text(model.read_text().replace("checks:\n", f"checks:\n{lines}"))
    assert type_("check").code == 0
    assert type_("run", "--rebuild", "silver.orders", "-q").code == 0
    assert type_("query", "SELECT count(*) AS n FROM silver.orders", "--json").out == before
    assert "not_null" not in type_("quality", "suggest", "silver.orders").out


def test_a_damaged_file_of_profiles_is_told_with_what_to_do(shop: Path, type_: Type) -> None:
    """What is derived may be removed."""
    (shop / ".millpond" / "profiles.db").write_bytes(b"no database" * 1000)
    (told,) = type_("quality", "silver.orders", "--json").objects()
    assert told["code"] == "MP-6401"
    (shop / ".millpond" / "profiles.db").unlink()
    assert type_("quality", "silver.orders").code == 0


SUITE = {
    "expectation_suite_name": "orders",
    "expectations": [
        {"expectation_type": "expect_column_values_to_not_be_null", "kwargs": {"column": "customer_id"}},
        {
            "expectation_type": "expect_column_values_to_be_between",
            "kwargs": {"column": "amount", "min_value": 0, "max_value": 100, "mostly": 0.95},
        },
        {"expectation_type": "expect_column_values_to_match_regex", "kwargs": {"column": "status", "regex": "a(?=b)"}},
        {"expectation_type": "expect_column_to_exist", "kwargs": {"column": "status"}},
    ],
}


def test_a_suite_becomes_checks_and_says_what_is_left(shop: Path, type_: Type) -> None:
    """Each expectation is either a check or a finding with its line and reason."""
    path = shop / "orders.json"
    path.write_text(json.dumps(SUITE, indent=1))
    said = type_("import", "gx", str(path), "--json").objects()
    assert [row["check"] for row in said if row.get("event") == "check"] == [
        {"not_null": "customer_id", "severity": "stop"},
        {"between": {"amount": [0, 100]}, "severity": "stop", "max_failed": "5%"},
    ]
    left = [row for row in said if row.get("code") == "MP-6410"]
    lines = path.read_text().splitlines()
    assert [row["message"].split(" is not")[0] for row in left] == [
        "expect_column_values_to_match_regex(status)",
        "expect_column_to_exist(status)",
    ]
    assert all(lines[row["line"] - 1].strip() == "{" for row in left)
    assert type_("import", "gx", str(path)).code == 3
    path.write_text("{}")
    assert type_("import", "gx", str(path), "--json").objects()[0]["code"] == "MP-6402"


SCHEMA = """version: 2
models:
  - name: orders
    data_tests:
      - dbt_utils.unique_combination_of_columns: {combination_of_columns: [customer_id, ordered_at]}
    columns:
      - name: order_id
        data_tests: [unique, not_null]
      - name: status
        tests:
          - accepted_values: {values: [paid, returned], config: {severity: warn}}
          - my_own
      - name: customer_id
        tests:
          - relationships: {to: ref('customers'), field: customer_id}
          - relationships: {to: ref('nowhere'), field: id}
          - not_null: {where: "status = 'paid'"}
sources:
  - name: raw
    tables: [{name: orders, columns: [{name: order_id, tests: [unique]}]}]
"""


def test_data_tests_become_checks_of_the_projects_models(shop: Path, type_: Type) -> None:
    """References are found by name in the project; a relationship never stops a step by itself, so it bears none."""
    path = shop / "schema.yml"
    path.write_text(SCHEMA)
    said = type_("import", "dbt-tests", str(path), "--json").objects()
    made = [row for row in said if row.get("event") == "check"]
    assert {row["model"] for row in made} == {"silver.orders"}
    assert [row["check"] for row in made] == [
        {"unique": ["customer_id", "ordered_at"], "severity": "stop"},
        {"unique": "order_id", "severity": "stop"},
        {"not_null": "order_id", "severity": "stop"},
        {"in": {"status": ["paid", "returned"]}, "severity": "warn"},
        {
            "relationship": {"customer_id": "silver.customers.customer_id"},
            "severity": "quarantine",
            "max_failed": 0,
        },
    ]
    left = [(row["line"], row["message"].split(" of ")[0]) for row in said if row.get("code") == "MP-6410"]
    assert left == [
        (12, "my_own(status)"),
        (16, "relationships(customer_id)"),
        (17, "not_null(customer_id)"),
        (20, "unique(order_id)"),
    ]
    printed = type_("import", "dbt-tests", str(path))
    assert (printed.code, printed.out.splitlines()[:2]) == (3, ["# silver.orders", "checks:"])
    path.write_text("version: 2\n")
    assert type_("import", "dbt-tests", str(path), "--json").objects()[0]["code"] == "MP-6403"
