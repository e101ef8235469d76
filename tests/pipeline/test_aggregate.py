"""Aggregates follow what comes, changes and goes: their tables are what their queries give over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.pipeline.validation import validate
from millpond.testing import TemporaryLake, temporary_lake

QUERIES = {
    "counts": (
        "SELECT city, count(*) AS n, count(amount) AS paid, sum(amount) AS total, avg(amount) AS mean, "
        "min(amount) AS least, max(amount) AS most FROM silver.orders GROUP BY city"
    ),
    "months": (
        "SELECT city, date_trunc('month', day)::DATE AS month, sum(pieces)::BIGINT AS pieces, "
        "count(*) FILTER (WHERE pieces > 2) AS large, sum(amount) FILTER (WHERE pieces > 2) AS large_total, "
        "round(sum(amount) / count(*), 2) AS mean, avg(pieces) AS pieces_mean FROM silver.orders GROUP BY ALL"
    ),
    "having": (
        "SELECT city, sum(pieces)::BIGINT AS pieces FROM silver.orders GROUP BY city "
        "HAVING count(*) > 1 AND max(pieces) < 9"
    ),
    "narrowed": (
        "WITH few AS (SELECT upper(city) AS place, pieces * 2 AS twice FROM silver.orders WHERE pieces IS NOT NULL) "
        "SELECT place AS city, (sum(twice) + 1)::BIGINT AS s, min(twice) AS least "
        "FROM few WHERE twice > 2 GROUP BY place"
    ),
    "truths": (
        "SELECT city, bool_or(pieces > 4) AS some, bool_and(pieces > 1) AS every, "
        "count_if(pieces > 2) AS larger, min(day) AS first, max(note) AS last FROM silver.orders GROUP BY city"
    ),
    "people": "SELECT city, count(DISTINCT note) AS notes, count(*) AS n FROM silver.orders GROUP BY city",
    "sketches": (
        "SELECT city, approx_count_distinct(note) AS notes, approx_count_distinct(amount) FILTER (WHERE pieces > 2) "
        "AS amounts, count(*) AS n FROM silver.orders GROUP BY city"
    ),
    "floats": "SELECT city, sum(pieces::DOUBLE) AS pieces FROM silver.orders GROUP BY city",
    "running": (
        "SELECT city, count(*) AS n, sum(count(*)) OVER (ORDER BY city)::BIGINT AS running "
        "FROM silver.orders GROUP BY city"
    ),
    "week": (
        "SELECT city, day, count(*) AS n, sum(count(*)) OVER (PARTITION BY city ORDER BY day "
        "RANGE BETWEEN INTERVAL 26 DAYS PRECEDING AND CURRENT ROW)::BIGINT AS recent "
        "FROM silver.orders GROUP BY city, day"
    ),
    "names": "SELECT DISTINCT city FROM silver.orders",
    "first": "SELECT city, id FROM silver.orders QUALIFY row_number() OVER (PARTITION BY city ORDER BY id) = 1",
    "limited": "SELECT city, count(*) AS n FROM silver.orders GROUP BY city ORDER BY city LIMIT 2",
}
KEYS = {"months": "[city, month]", "week": "[city, day]"}

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/orders.sql": (
        "/*---\nkind: upsert\nkey: [id]\norder: [version]\ndelete_when: pieces = 0\n---*/\n"
        "SELECT id::INTEGER AS id, version::INTEGER AS version, city, day::DATE AS day, pieces::INTEGER AS pieces, "
        "amount::DECIMAL(9, 2) AS amount, note FROM bronze.orders\n"
    ),
    **{
        f"models/gold/{name}.sql": f"/*---\nkind: aggregate\nkey: {KEYS.get(name, '[city]')}\n---*/\n{query}\n"
        for name, query in QUERIES.items()
    },
}

Order = tuple[int, int, str, str, str, str, str]

orders = st.tuples(
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from(["Oslo", "Rome", "Bern"]),
    st.sampled_from(["2026-01-05", "2026-01-31", "2026-02-01"]),
    st.sampled_from(["0", "1", "3", "5", "9", ""]),
    st.sampled_from(["-0.05", "0.10", "12.30", "99999.99", ""]),
    st.sampled_from(["a", "b", "é", ""]),
)


def deliver(lake: TemporaryLake, name: str, batch: Sequence[Order]) -> None:
    """One file of orders, and a run."""
    lines = "".join(f"{','.join(map(str, order))}\n" for order in batch)
    lake.deliver(f"data/{name}.csv", f"id,version,city,day,pieces,amount,note\n{lines}")
    report = lake.run()
    assert report.ok, report.failures


def check(lake: TemporaryLake) -> None:
    """Every table is what its query gives over all rows that there are."""
    for name, query in QUERIES.items():
        found = lake.rows(f"SELECT * FROM gold.{name} ORDER BY ALL")
        assert found == lake.rows(f"SELECT * FROM ({query}) ORDER BY ALL"), name


def play(batches: list[list[Order]]) -> None:
    """Deliver the batches one by one, and look after each."""
    with temporary_lake(PROJECT) as lake:
        for number, batch in enumerate(batches):
            deliver(lake, f"b{number}", batch)
            check(lake)


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(orders, min_size=1, max_size=5), min_size=2, max_size=4))
def test_every_aggregate_is_its_query_over_all_rows(batches: list[list[Order]]) -> None:
    """Rows that come, change, move to another group and go; groups that end and begin again."""
    play(batches)


@pytest.mark.long
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(orders, min_size=1, max_size=8), min_size=2, max_size=6))
def test_every_aggregate_is_its_query_over_all_rows_in_many_rounds(batches: list[list[Order]]) -> None:
    """The same, often."""
    play(batches)


def planned(lake: TemporaryLake) -> dict[str, Any]:
    """The mode of each step that a run would do."""
    return {str(step.table): getattr(step, "mode", "land") for step in lake.lakehouse.runner.plan().steps}


def test_where_groups_meet_all_of_them_are_computed() -> None:
    """A row in an early group changes the running total of every later one, so that no group is left as it was."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "a", [(1, 1, "Bern", "2026-01-05", "1", "1.00", "a"), (2, 1, "Rome", "2026-01-05", "1", "", "a")])
        lake.deliver("data/b.csv", "id,version,city,day,pieces,amount,note\n3,1,Bern,2026-01-05,1,1.00,a\n")
        modes = planned(lake)
        assert (modes["gold.running"], modes["gold.limited"], modes["gold.first"]) == ("whole", "whole", "groups")
        lake.run()
        assert lake.rows("SELECT city, running FROM gold.running ORDER BY city") == [
            {"city": "Bern", "running": 2},
            {"city": "Rome", "running": 3},
        ]


def test_a_late_row_changes_the_times_that_look_back_on_it_and_no_others() -> None:
    """The step says from where on it recomputes; the ledger shows that rows out of reach were not looked at."""
    days = [f"2026-0{month}-01" for month in range(1, 7)]
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "a", [(n, 1, "Oslo", day, "1", "1.00", "a") for n, day in enumerate(days, start=1)])
        lake.deliver("data/b.csv", "id,version,city,day,pieces,amount,note\n9,1,Oslo,2026-02-20,1,1.00,a\n")
        report = lake.run()
        ledger = report.outcomes[TableName("gold", "week")].ledger
        assert ledger is not None
        assert (ledger.inserted, ledger.updated, ledger.unchanged) == (1, 1, 0)
        assert lake.rows("SELECT day::VARCHAR AS day, recent FROM gold.week WHERE recent > 1 ORDER BY day") == [
            {"day": "2026-02-20", "recent": 2},
            {"day": "2026-03-01", "recent": 2},
        ]


@pytest.mark.parametrize(
    ("lookback", "window", "told"),
    [
        ("7d", "RANGE BETWEEN INTERVAL 27 DAYS PRECEDING AND CURRENT ROW", "reach back 2,332,800 seconds"),
        ("28d", "ROWS BETWEEN 27 PRECEDING AND CURRENT ROW", "no frame such as RANGE"),
        ("28d", "RANGE BETWEEN INTERVAL 27 DAYS PRECEDING AND CURRENT ROW", ""),
    ],
)
def test_check_holds_windows_to_the_lookback(lookback: str, window: str, told: str) -> None:
    """A frame that reaches further, or of which nothing can be told, is refused at the entry's own place."""
    model = (
        f"/*---\nkind: aggregate\nkey: [city, day]\nlookback: {lookback}\n---*/\nSELECT city, day, sum(count(*)) "
        f"OVER (PARTITION BY city ORDER BY day {window})::BIGINT AS n FROM silver.orders GROUP BY city, day\n"
    )
    files = {name: text for name, text in PROJECT.items() if not name.startswith("models/gold")}
    with temporary_lake({**files, "models/gold/week.sql": model}) as lake:
        columns = ["id", "version", "city", "day", "pieces", "amount", "note"]
        bronze = Schema(tuple(Column(name, "VARCHAR") for name in columns))
        findings = validate(lake.lakehouse.project, lake.lakehouse.engine, {TableName("bronze", "orders"): bronze}, {})
        wanted = [("MP-2106", 4)] if told else []
        assert [(found.code, found.where.line if found.where else 0) for found in findings] == wanted
        assert all(told in found.message for found in findings)
