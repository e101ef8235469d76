"""Tables that are replaced by partition: what they hold is what their queries give over all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.pipeline.quarantine import Selection
from millpond.testing import TemporaryLake, temporary_lake

QUERIES = {
    "days": (
        "SELECT day, city, pieces, count(*) OVER (PARTITION BY day) AS of_day FROM silver.orders "
        "WHERE pieces IS NOT NULL"
    ),
    "months": "SELECT id, day::TIMESTAMP + INTERVAL (id) HOUR AS due, city FROM silver.orders",
    "cities": "SELECT city, day, row_number() OVER (PARTITION BY city, day ORDER BY id) AS place FROM silver.orders",
    "buckets": "SELECT id, city FROM silver.orders",
    "shares": "SELECT day, city, pieces / sum(pieces) OVER () AS share FROM silver.orders",
}
FRONT = {
    "days": "partition: [day]\nchecks:\n  - between: {pieces: [0, 5]}",
    "months": "key: [id]\npartition: [month(due)]",
    "cities": "partition: [city, day(day)]",
    "buckets": "partition: ['bucket(4, id)']",
    "shares": "partition: [day]",
}
GOOD = {"days": " WHERE pieces <= 5"}

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/orders.sql": (
        "/*---\nkind: upsert\nkey: [id]\norder: [version]\ndelete_when: pieces = 0\n---*/\n"
        "SELECT id::INTEGER AS id, version::INTEGER AS version, city, day::DATE AS day, pieces::INTEGER AS pieces "
        "FROM bronze.orders\n"
    ),
    **{
        f"models/gold/{name}.sql": f"/*---\nkind: replace\n{FRONT[name]}\n---*/\n{query}\n"
        for name, query in QUERIES.items()
    },
}

Order = tuple[int, int, str, str, str]

orders = st.tuples(
    st.integers(1, 6),
    st.integers(1, 9),
    st.sampled_from(["Oslo", "Rome", ""]),
    st.sampled_from(["2026-01-05", "2026-01-31", "2026-02-01", ""]),
    st.sampled_from(["0", "1", "3", "9", ""]),
)


def deliver(lake: TemporaryLake, name: str, batch: Sequence[Order]) -> Any:
    """One file of orders, and a run."""
    lines = "".join(f"{','.join(map(str, order))}\n" for order in batch)
    lake.deliver(f"data/{name}.csv", f"id,version,city,day,pieces\n{lines}")
    report = lake.run()
    assert report.ok, report.failures
    return report


def check(lake: TemporaryLake) -> None:
    """Every table is what its query gives over all rows; rows in quarantine are those that the check rejects now."""
    for name, query in QUERIES.items():
        found = lake.rows(f"SELECT * FROM gold.{name} ORDER BY ALL")
        assert found == lake.rows(f"SELECT * FROM ({query}) AS q{GOOD.get(name, '')} ORDER BY ALL"), name
    waiting = lake.lakehouse.quarantine.entries(Selection(models=("gold.days",)))
    bad = lake.rows(f"SELECT DISTINCT * FROM ({QUERIES['days']}) AS q WHERE pieces > 5")
    assert len(waiting) == len(bad)


def play(batches: list[list[Order]]) -> None:
    """Deliver the batches one by one, and look after each."""
    with temporary_lake(PROJECT) as lake:
        for number, batch in enumerate(batches):
            deliver(lake, f"b{number}", batch)
            check(lake)


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(orders, min_size=1, max_size=5), min_size=2, max_size=4))
def test_every_partition_is_its_query_over_all_rows(batches: list[list[Order]]) -> None:
    """Rows that come, change, move to another partition and go; partitions that end and begin, one without value."""
    play(batches)


@pytest.mark.long
@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(orders, min_size=1, max_size=8), min_size=2, max_size=5))
def test_every_partition_is_its_query_over_all_rows_in_many_rounds(batches: list[list[Order]]) -> None:
    """The same, often."""
    play(batches)


def test_partitions_that_did_not_change_keep_their_files() -> None:
    """One commit deletes and inserts the rows of the changed partitions and of no others."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "a", [(1, 1, "Oslo", "2026-01-05", "1"), (2, 1, "Rome", "2026-02-01", "1")])
        lake.deliver("data/b.csv", "id,version,city,day,pieces\n3,1,Rome,2026-02-01,2\n")
        steps = {str(step.table): step for step in lake.lakehouse.runner.plan().steps}
        modes = {name: getattr(steps[f"gold.{name}"], "mode", "") for name in QUERIES}
        assert modes == {
            "days": "groups",
            "months": "groups",
            "cities": "groups",
            "buckets": "whole",
            "shares": "whole",
        }
        report = lake.run()
        ledgers = {name: report.outcomes[TableName("gold", name)].ledger for name in ("days", "months")}
        assert [(done.inserted, done.deleted, done.unchanged) for done in ledgers.values() if done] == [
            (2, 1, 0),
            (1, 0, 1),
        ]


def test_a_key_in_two_partitions_is_refused() -> None:
    """Also where one of the two rows is in a partition that did not change."""
    model = (
        "/*---\nkind: replace\nkey: [city]\npartition: [day]\n---*/\n"
        "SELECT city, day, pieces FROM silver.orders WHERE pieces > 2\n"
    )
    files = {name: text for name, text in PROJECT.items() if not name.startswith("models/gold")}
    with temporary_lake({**files, "models/gold/one.sql": model}) as lake:
        deliver(lake, "a", [(1, 1, "Oslo", "2026-01-05", "3")])
        lake.deliver("data/b.csv", "id,version,city,day,pieces\n2,1,Oslo,2026-02-01,4\n")
        failed = lake.run().failures[TableName("gold", "one")]
        assert failed.code == "MP-2030"
        assert "city = Oslo" in failed.finding.message
