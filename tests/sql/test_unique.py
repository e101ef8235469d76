"""The statements of the `unique` check, on plain DuckDB relations, against a reference in plain Python."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.catalog.commits import Ledger
from millpond.core.names import TableName
from millpond.engines.duckdb import DuckDBSession
from millpond.pipeline.unique import move, weigh
from millpond.sql import append, staging
from millpond.sql.unique import Contest, Unique, forget_aside
from tests.sql.plain import connect, fill

TABLE, ASIDE = TableName("silver", "t"), TableName("state", "silver__t")
COLUMNS = "k INTEGER, u VARCHAR, v INTEGER, w INTEGER"
OUTPUTS = ("k", "u", "v", "w")
CHECKS = (Unique("unique:u", ("u",)), Unique("unique:v,w", ("v", "w")), Unique("unique:w", ("w",)))
Row = tuple[int, str | None, int | None, int | None]

rows = st.tuples(
    st.integers(0, 5),
    st.sampled_from(["a", "b", "c", None]),
    st.none() | st.integers(0, 2),
    st.none() | st.integers(0, 3),
)
batches = st.lists(st.lists(rows, min_size=1, max_size=6), min_size=1, max_size=5)


def order(row: tuple[object, ...]) -> tuple[object, ...]:
    """The least first, NULL last."""
    return tuple((value is None, "" if value is None else value) for value in row)


def reference(every: list[Row], checks: int) -> tuple[list[Row], list[Row]]:
    """Table and side table, over all rows at once."""
    winners: dict[int, Row] = {}
    for row in sorted(set(every), key=order):
        winners.setdefault(row[0], row)
    table, aside = list(winners.values()), []
    for check in CHECKS[:checks]:
        first: dict[tuple[object, ...], Row] = {}
        for row in list(table):
            values = tuple(row[OUTPUTS.index(name)] for name in check.columns)
            if None not in values and first.setdefault(values, row) is not row:
                table.remove(row)
                aside.append(row)
    return sorted(table, key=order), sorted(aside, key=order)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


def held(con: duckdb.DuckDBPyConnection, table: TableName) -> list[Row]:
    """A table's rows, the least first."""
    return sorted(con.execute(f'FROM "lake".{table.quoted}').fetchall(), key=order)


def arrive(con: duckdb.DuckDBPyConnection, came: list[Row], checks: int) -> None:
    """Take a batch in as an append step does; its ledger must add up, and tell what became of the table."""
    for name, kind in con.execute(
        "SELECT table_name, table_type FROM information_schema.tables WHERE table_catalog = 'temp'"
    ).fetchall():
        con.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {name}")
    before = len(held(con, TABLE))
    fill(con, "arrived", COLUMNS, came)
    plan = append.Append(TABLE, OUTPUTS, ("k",), exists=True, carried=staging.CARRIED, aside=ASIDE)
    staged = staging.Staging("FROM arrived", OUTPUTS, (), ("k",), carried=True)
    for statement in (staging.create_staged(staged), staging.create_judged(staged), append.create_doubled(plan)):
        con.execute(statement)
    con.execute(append.create_contested(plan))
    _, went, copies, lost = con.execute(append.contested_counts()).fetchone() or (0, 0, 0, 0)
    con.execute(forget_aside(ASIDE, ("k",), append.beaten_aside(plan)))
    con.execute(append.delete_losers(plan))
    arriving = append.new_rows((*OUTPUTS, *staging.CARRIED), contested=True)
    over = Contest(
        TABLE, ASIDE, OUTPUTS, ("k",), CHECKS[:checks], arriving, append.replaced(plan), carried=staging.CARRIED
    )
    ledger = Ledger(len(came), updated=went, deduplicated=copies, quarantined=lost)
    settled = weigh(DuckDBSession(con), over)
    if settled is None:
        added = con.execute(append.insert_new(plan, contested=True)).fetchone()
        ledger = Ledger(len(came), (added or (0,))[0] - went, went, deduplicated=copies, quarantined=lost)
    else:
        move(DuckDBSession(con), over, settled)
        ledger = settled.ledger(ledger)
    assert ledger.adds_up
    assert len(held(con, TABLE)) == before + ledger.inserted - ledger.deleted


def check(con: duckdb.DuckDBPyConnection, came: list[list[Row]], checks: int) -> None:
    """After every batch, table and side table are what all rows so far mean at once."""
    for table in (TABLE, ASIDE):
        con.execute(f'CREATE OR REPLACE TABLE "lake".{table.quoted} ({COLUMNS})')
    every: list[Row] = []
    for batch in came:
        arrive(con, batch, checks)
        every += batch
        assert (held(con, TABLE), held(con, ASIDE)) == reference(every, checks)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches, st.integers(1, 3))
def test_any_batching_keeps_one_row_a_value_chosen_by_content(
    con: duckdb.DuckDBPyConnection, came: list[list[Row]], checks: int
) -> None:
    """However rows arrive, what stays and what stands aside is what one look at all of them would give."""
    check(con, came, checks)


@pytest.mark.long
@pytest.mark.timeout(3000)
@settings(max_examples=3000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches, st.integers(1, 3))
def test_any_batching_in_many_rounds(con: duckdb.DuckDBPyConnection, came: list[list[Row]], checks: int) -> None:
    """The same, with thousands of histories."""
    check(con, came, checks)
