"""The statements of an upsert step, on plain DuckDB relations, against a reference in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.engines.duckdb import DuckDBSession
from millpond.pipeline.upsert import Merged, merge
from millpond.sql import positions, redo, staging, upsert
from millpond.sql.staging import GONE
from tests.sql.plain import connect, fill

TABLE = TableName("silver", "t")
STATE = TableName("state", "silver__t")
COLUMNS = 'k INTEGER, "at" INTEGER, seq INTEGER, v INTEGER, w VARCHAR'
INPUT = f"{COLUMNS}, {GONE} BOOLEAN"
OUTPUTS = ("k", "at", "seq", "v", "w")
KEY, ORDER = ("k",), ("at", "seq")


class Row(NamedTuple):
    """A row of the input: key, order columns, payload, and whether it deletes its key."""

    k: int
    at: int
    seq: int
    v: int | None
    w: str | None
    gone: bool


rows = st.builds(
    Row,
    st.integers(0, 3),
    st.integers(0, 2),
    st.integers(0, 1),
    st.none() | st.integers(0, 1),
    st.sampled_from(["a", None]),
    st.sampled_from([False, False, True]),
)

History = list[tuple[list[Row], list[int]]]
"""What comes in each step, and which of the rows that came before go again (by number, where there are so many)."""

histories: st.SearchStrategy[History] = st.lists(
    st.tuples(st.lists(rows, max_size=6), st.lists(st.integers(0, 30), max_size=2)), min_size=1, max_size=4
)
fours = st.lists(histories, min_size=4, max_size=4)
"""Histories that are played at once, each on keys of its own: a step costs the same for one and for four."""


def reference(every: list[Row]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What table and side table must be, over all rows at once."""
    best: dict[int, Row] = {}

    def rank(row: Row) -> tuple[object, ...]:
        return (-row.at, -row.seq, not row.gone, row.v is None, row.v or 0, row.w is None, row.w or "")

    for row in every:
        if row.k not in best or rank(row) < rank(best[row.k]):  # type: ignore[operator]
            best[row.k] = row
    table = [row[:5] for row in best.values() if not row.gone]
    state = [row[:3] for row in best.values() if row.gone]
    return sorted(table, key=str), sorted(state, key=str)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


def arrive(
    con: duckdb.DuckDBPyConnection, came: list[Row], went: list[Row], held: list[Row], step: upsert.Upsert, whole: bool
) -> tuple[Merged, int]:
    """Take a batch in as an upsert step does; the counts, and how many rows were staged."""
    fill(con, "arrived", INPUT, came)
    staged = staging.Staging(
        "FROM arrived",
        OUTPUTS,
        (),
        KEY,
        again=True,
        kept=(*KEY, *ORDER),
        marked=step.state is not None,
        whole=step.whole,
    )
    if whole:
        fill(con, "held", INPUT, held)
        staged, step = replace(staged, query="FROM held"), replace(step, redo="every")
    elif went:
        fill(con, "departed", INPUT, went)
        fill(con, "held", INPUT, held)
        con.execute(redo.create_side(redo.WENT, staging.good_rows(replace(staged, query="FROM departed"))))
        con.execute(redo.create_side(redo.CAME, staging.good_rows(staged)))
        con.execute(redo.create_redo(KEY, (*OUTPUTS, *step.mark), upsert.newer(step) if step.filled else ()))
        staged = replace(staged, query=redo.without_redone("FROM arrived", "FROM held", KEY))
        step = replace(step, redo="some")
    con.execute(staging.create_staged(staged))
    con.execute(staging.create_judged(staged))
    (number,) = con.execute("SELECT count(*) FROM staged").fetchone() or (0,)
    merged = merge(DuckDBSession(con), step)
    take_out(con, merged)
    return merged, number


def take_out(con: duckdb.DuckDBPyConnection, merged: Merged) -> None:
    """Take the rows at the places that a step tells out of the table, as delete files do."""
    if merged.places:
        assert con.execute("SELECT _mp_file, count(*) FROM places GROUP BY ALL ORDER BY ALL").fetchall() == sorted(
            merged.places.items()
        )
        con.execute("DELETE FROM lake.silver.t WHERE file_row_number IN (SELECT _mp_place FROM places)")


def empty(con: duckdb.DuckDBPyConnection) -> None:
    """The table and its side table, without rows."""
    con.execute("DROP TABLE IF EXISTS lake.silver.t; CREATE OR REPLACE SEQUENCE lake.silver.place")
    place = "filename VARCHAR DEFAULT 'a', file_row_number BIGINT DEFAULT nextval('lake.silver.place')"
    con.execute(f"CREATE TABLE lake.silver.t ({COLUMNS}, {place})")
    con.execute("CREATE OR REPLACE TABLE lake.state.silver__t (key_1 INTEGER, order_1 INTEGER, order_2 INTEGER)")


def content(con: duckdb.DuckDBPyConnection) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What table and side table hold."""
    rows = 'SELECT k, "at", seq, v, w FROM lake.silver.t'
    both = [con.execute(query).fetchall() for query in (rows, "FROM lake.state.silver__t")]
    return sorted(both[0], key=str), sorted(both[1], key=str)


class Way(NamedTuple):
    """How a step is done: a key that is one whole number, rows that may delete."""

    numbered: bool
    marked: bool


ways = st.builds(Way, st.booleans(), st.booleans())


def check(con: duckdb.DuckDBPyConnection, played: list[History], way: Way, *, whole: bool) -> None:
    """Take in and take away rows step by step: the table is always what the rows that are there mean."""
    empty(con)
    held: list[list[Row]] = [[] for _ in played]
    for number in range(max(map(len, played))):
        came, went = [], []
        for own, history in enumerate(played):
            arriving, going = history[number] if number < len(history) else ([], [])
            went += [held[own].pop(place % len(held[own])) for place in going if held[own]]
            new = [row._replace(k=row.k + 10 * own, gone=row.gone and way.marked) for row in arriving]
            held[own] += new
            came += new
        every = [row for rows_ in held for row in rows_]
        with con.cursor() as session:
            filled, state = number > 0, STATE if way.marked else None
            step = upsert.Upsert(TABLE, OUTPUTS, KEY, ORDER, state, filled, whole=way.numbered)
            if filled:
                session.execute(positions.create_files(("a", "b")))
                step = replace(step, rows=positions.placed((*KEY, *ORDER), "lake.silver.t"))
            merged, staged = arrive(session, came, went, every, step, whole and filled)
        assert content(con) == reference(every)
        assert merged.ledger(staged, 0).adds_up


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fours, ways)
def test_any_arrival_gives_what_all_rows_at_once_mean(
    con: duckdb.DuckDBPyConnection, played: list[History], way: Way
) -> None:
    """Duplicates, late rows, ties, deletes, and rows of the input that go: the newest row of each key is there."""
    check(con, played, way, whole=False)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fours, ways)
def test_a_whole_input_is_compared_with_the_table(
    con: duckdb.DuckDBPyConnection, played: list[History], way: Way
) -> None:
    """Where changes cannot be told, the whole input gives the same table."""
    check(con, played, way, whole=True)


@pytest.mark.long
@settings(max_examples=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(histories, min_size=1, max_size=4), ways, st.booleans())
def test_any_arrival_in_many_rounds(
    con: duckdb.DuckDBPyConnection, played: list[History], way: Way, whole: bool
) -> None:
    """The same, with thousands of histories."""
    check(con, played, way, whole=whole)
