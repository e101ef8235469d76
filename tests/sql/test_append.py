"""The statements of an append step, on plain DuckDB relations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.sql import append, staging

TABLE = TableName("silver", "t")
Row = tuple[int, int | None]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS lake")
        connection.execute("CREATE SCHEMA lake.silver")
        yield connection


def arrive(con: duckdb.DuckDBPyConnection, rows: list[Row], *, again: bool, whole: bool) -> None:
    """Take a batch in as an append step does, whose query may or may not be read again."""
    clear(con)
    con.execute("CREATE TEMP TABLE arrived (k INTEGER, v INTEGER)")
    con.executemany("INSERT INTO arrived VALUES (?, ?)", rows)
    plan = append.Append(TABLE, ("k", "v"), ("k",), exists=True, carried=staging.CARRIED, whole=whole)
    staged = staging.Staging("FROM arrived", ("k", "v"), (), ("k",), carried=True, again=again, whole=whole)
    con.execute(staging.create_staged(staged))
    con.execute(staging.create_judged(staged))
    if whole:
        low, high, number = con.execute(staging.whole_bounds()).fetchone() or (0, 0, 0)
        different = con.execute(staging.whole_numbers(low, high)).fetchone()
        assert different == (len({row[0] for row in rows}),)
        plan = replace(plan, apart=different == (number,))
    con.execute(append.create_doubled(plan))
    (doubled,) = con.execute(f"SELECT count(*) FROM {append.DOUBLED}").fetchone() or (0,)
    if doubled:
        con.execute(append.create_contested(plan))
        con.execute(append.delete_losers(plan))
    con.execute(append.insert_new(plan, contested=doubled > 0))


def clear(con: duckdb.DuckDBPyConnection) -> None:
    """Take away what an earlier step left."""
    made = con.execute("SELECT table_name, table_type FROM information_schema.tables WHERE table_catalog = 'temp'")
    for name, kind in made.fetchall():
        con.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {name}")


def reference(rows: list[Row]) -> list[Row]:
    """One row for each key: the least payload, NULL last."""
    best: dict[int, Row] = {}
    for row in rows:
        order = (row[1] is None, row[1] or 0)
        kept = best.get(row[0])
        if kept is None or order < (kept[1] is None, kept[1] or 0):
            best[row[0]] = row
    return sorted(best.values())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.lists(st.tuples(st.integers(-2, 3), st.none() | st.integers(0, 3)), min_size=1, max_size=6),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
    st.booleans(),
)
def test_any_batching_keeps_one_row_a_key_chosen_by_content(
    con: duckdb.DuckDBPyConnection, batches: list[list[Row]], again: bool, whole: bool
) -> None:
    """However rows arrive, the table is what one look at all of them would give."""
    con.execute("CREATE OR REPLACE TABLE lake.silver.t (k INTEGER, v INTEGER)")
    for batch in batches:
        arrive(con, batch, again=again, whole=whole)
    every = [row for batch in batches for row in batch]
    assert con.execute("SELECT k, v FROM lake.silver.t ORDER BY k").fetchall() == reference(every)


def test_bounds_of_a_key_are_inclusive(con: duckdb.DuckDBPyConnection) -> None:
    """The history condition takes in the rows at both ends."""
    condition = staging.within("k", 2, 3)
    found = con.execute(f"SELECT k FROM (VALUES (1), (2), (3), (4)) AS t(k) WHERE {condition}").fetchall()
    assert found == [(2,), (3,)]
