"""The statements of a snapshot step, on plain DuckDB relations, against a reference in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.engines.duckdb import DuckDBSession
from millpond.pipeline.snapshot import Changes, Settled, apply, settle
from millpond.sql import append, snapshot, staging
from tests.sql.plain import connect, fill

TABLE = TableName("silver", "t")
COLUMNS = "k INTEGER, v INTEGER, w VARCHAR"
OUTPUTS, KEY = ("k", "v", "w"), ("k",)
BAD = 9
RULES = (
    staging.Rule("null_key", "k IS NULL", "NULL", "no key", "quarantine"),
    staging.Rule("bad", f"coalesce(v = {BAD}, FALSE)", "v", "bad", "quarantine"),
)
START = datetime(2026, 1, 1)


class Row(NamedTuple):
    """A row of the input."""

    k: int | None
    v: int | None
    w: str | None


rows = st.builds(
    Row, st.integers(0, 3) | st.none(), st.sampled_from([0, 1, 0, 1, BAD, None]), st.sampled_from(["a", None])
)
states = st.lists(st.lists(rows, max_size=6), min_size=1, max_size=5)
fours = st.lists(states, min_size=4, max_size=4)
"""Sequences of states of the input, four at once on keys of their own."""


def reference(seen: list[list[Row]]) -> list[tuple[Any, ...]]:
    """The versions that a look at each of the states, an hour apart, gives."""
    closed: list[tuple[Any, ...]] = []
    held: dict[int, tuple[Any, ...]] = {}
    for number, state in enumerate(seen):
        at = START + timedelta(hours=number)
        there: dict[int, tuple[Any, ...]] = {}
        spared = {row.k for row in state if row.v == BAD}
        for row in state:
            if row.k is not None and row.v != BAD:
                there[row.k] = min(row[1:], there.get(row.k, row[1:]), key=content_order)
        for key in [key for key in held if key not in there and key not in spared]:
            closed.append((key, *held.pop(key), at, False))
        for key, values in there.items():
            if key in held and held[key][:2] != values:
                closed.append((key, *held.pop(key), at, False))
            held.setdefault(key, (*values, at))
    return sorted([*closed, *((key, *values, None, True) for key, values in held.items())], key=str)


def content_order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Which of several rows of a key is its state: the least values, NULL last."""
    return tuple((value is None, value if value is not None else 0) for value in values)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


def look(con: duckdb.DuckDBPyConnection, state: list[Row], number: int) -> tuple[Settled, Changes, int, int]:
    """Compare a state of the input with the versions, as a snapshot step does; also the staged and rejected rows."""
    fill(con, "arrived", COLUMNS, state)
    staged = staging.Staging("FROM arrived", OUTPUTS, RULES, KEY, carried=True, again=True, kept=KEY)
    con.execute(staging.create_staged(staged))
    con.execute(staging.create_judged(staged))
    total, rejected, *_ = con.execute(staging.counts(RULES)).fetchone() or (0, 0)
    session = DuckDBSession(con)
    one = append.Append(TABLE, OUTPUTS, KEY, exists=False, carried=staging.CARRIED)
    settled = settle(session, one)
    at = START + timedelta(hours=number)
    return settled, apply(session, snapshot.Snapshot(TABLE, OUTPUTS, KEY, at), rejected=rejected > 0), total, rejected


def check(con: duckdb.DuckDBPyConnection, played: list[list[list[Row]]]) -> None:
    """Look at state after state: the versions are those that the states mean, and each row is accounted for."""
    versions = "valid_from TIMESTAMP, valid_to TIMESTAMP, is_current BOOLEAN"
    con.execute(f"CREATE OR REPLACE TABLE lake.silver.t ({COLUMNS}, {versions})")
    seen: list[list[Row]] = []
    for number in range(max(map(len, played))):
        state = [
            row if row.k is None else row._replace(k=row.k + 10 * own)
            for own, sequence in enumerate(played)
            for row in sequence[min(number, len(sequence) - 1)]
        ]
        seen.append(state)
        with con.cursor() as session:
            settled, changes, staged, rejected = look(session, state, number)
        assert sorted(con.execute("FROM lake.silver.t").fetchall(), key=str) == reference(seen)
        accounted = changes.new + changes.other + changes.same + settled.copies + settled.lost + rejected
        assert staged == accounted


@settings(max_examples=125, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fours)
def test_any_states_give_the_versions_that_they_mean(
    con: duckdb.DuckDBPyConnection, played: list[list[list[Row]]]
) -> None:
    """New, changed, equal and missing keys, copies, conflicts and rows that are rejected."""
    check(con, played)


@pytest.mark.long
@settings(max_examples=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(states, min_size=1, max_size=4))
def test_any_states_in_many_rounds(con: duckdb.DuckDBPyConnection, played: list[list[list[Row]]]) -> None:
    """The same, with thousands of sequences."""
    check(con, played)
