"""The statements of an scd2 step, on plain DuckDB relations, against a reference in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.engines.duckdb import DuckDBSession
from millpond.pipeline.scd2 import Versioned, version
from millpond.sql import redo, scd2, staging
from millpond.sql.staging import GONE
from tests.sql.plain import connect, fill

TABLE = TableName("silver", "t")
STATE = TableName("state", "silver__t")
COLUMNS = "k INTEGER, v INTEGER, w VARCHAR"
INPUT = f'k INTEGER, "at" INTEGER, v INTEGER, w VARCHAR, {GONE} BOOLEAN'
OUTPUTS = ("k", "v", "w")
KEY = ("k",)


class Event(NamedTuple):
    """A row of the input: key, event time, payload, and whether it deletes its key."""

    k: int
    at: int
    v: int | None
    w: str | None
    gone: bool


events = st.builds(
    Event,
    st.integers(0, 1),
    st.integers(0, 6),
    st.none() | st.integers(0, 1),
    st.sampled_from(["a", "a", None]),
    st.sampled_from([False, False, False, True]),
)

History = list[tuple[list[Event], list[int]]]
"""What comes in each step, and which of the events that came before go again (by number, where there are so many)."""

histories: st.SearchStrategy[History] = st.lists(
    st.tuples(st.lists(events, max_size=6), st.lists(st.integers(0, 30), max_size=2)), min_size=1, max_size=4
)
fours = st.lists(histories, min_size=4, max_size=4)
"""Histories that are played at once, each on keys of its own: a step costs the same for one and for four."""

Tables = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def reference(every: list[Event]) -> Tables:
    """What table and side table must be, over all events at once."""
    counting: dict[int, dict[int, Event]] = {}
    for event in every:
        at = counting.setdefault(event.k, {})
        at[event.at] = min(event, at.get(event.at, event), key=content_order)
    table: list[tuple[Any, ...]] = []
    state: list[tuple[Any, ...]] = []
    for key, at in counting.items():
        open_: tuple[Any, ...] | None = None
        for time, event in sorted(at.items()):
            if event.gone or open_ is None or open_[:2] != (event.v, event.w):
                if open_ is not None:
                    table.append((key, *open_, time, False))
                open_ = None if event.gone else (event.v, event.w, time)
                if event.gone:
                    state.append((key, time, True))
            else:
                state.append((key, time, False))
        if open_ is not None:
            table.append((key, *open_, None, True))
    return sorted(table, key=str), sorted(state, key=str)


def content_order(event: Event) -> tuple[Any, ...]:
    """Which of the events of one time counts: a delete, else the least values, NULL last."""
    return (not event.gone, event.v is None, event.v or 0, event.w is None, event.w or "")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        yield connection


def arrive(
    con: duckdb.DuckDBPyConnection,
    came: list[Event],
    went: list[Event],
    held: list[Event],
    *,
    filled: bool,
    whole: bool,
) -> tuple[Versioned, int]:
    """Take a batch in as an scd2 step does; the counts, and how many rows were staged."""
    fill(con, "arrived", INPUT, came)
    staged, how = _staging("FROM arrived"), "none"
    if whole or went:
        fill(con, "held", INPUT, held)
        staged, how = _staging("FROM held"), "every"
    if went and not whole:
        fill(con, "departed", INPUT, went)
        con.execute(redo.create_side(redo.WENT, staging.good_rows(_staging("FROM departed"))))
        con.execute(redo.create_side(redo.CAME, staging.good_rows(_staging("FROM arrived"))))
        con.execute(redo.create_redo(KEY, ("k", "at", "v", "w", GONE)))
        staged, how = _staging(redo.without_redone("FROM arrived", "FROM held", KEY)), "some"
    con.execute(staging.create_staged(staged))
    con.execute(staging.create_judged(staged))
    (number,) = con.execute("SELECT count(*) FROM staged").fetchone() or (0,)
    step = scd2.Scd2(TABLE, OUTPUTS, KEY, "at", STATE, filled, marked=True, redo=how)  # type: ignore[arg-type]
    return version(DuckDBSession(con), step), number


def _staging(query: str) -> staging.Staging:
    return staging.Staging(query, ("k", "at", "v", "w"), (), (*KEY, "at"), again=True, kept=(*KEY, "at"), marked=True)


def empty(con: duckdb.DuckDBPyConnection) -> None:
    """The table and its side table, without rows."""
    versions = "valid_from INTEGER, valid_to INTEGER, is_current BOOLEAN"
    con.execute(f"CREATE OR REPLACE TABLE lake.silver.t ({COLUMNS}, {versions})")
    con.execute("CREATE OR REPLACE TABLE lake.state.silver__t (key_1 INTEGER, at_time INTEGER, deleted BOOLEAN)")


def content(con: duckdb.DuckDBPyConnection) -> Tables:
    """What table and side table hold."""
    both = [con.execute(f"FROM lake.{name}").fetchall() for name in ("silver.t", "state.silver__t")]
    return sorted(both[0], key=str), sorted(both[1], key=str)


def check(con: duckdb.DuckDBPyConnection, played: list[History], *, whole: bool) -> None:
    """Take in and take away events step by step: the table is always what the events that are there mean."""
    empty(con)
    held: list[list[Event]] = [[] for _ in played]
    for number in range(max(map(len, played))):
        came, went = [], []
        for own, history in enumerate(played):
            arriving, going = history[number] if number < len(history) else ([], [])
            went += [held[own].pop(place % len(held[own])) for place in going if held[own]]
            new = [event._replace(k=event.k + 10 * own) for event in arriving]
            held[own] += new
            came += new
        every = [event for own_ in held for event in own_]
        with con.cursor() as session:
            done, staged = arrive(session, came, went, every, filled=number > 0, whole=whole and number > 0)
        assert content(con) == reference(every)
        assert done.ledger(staged, 0).adds_up


@settings(max_examples=125, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fours)
def test_any_arrival_gives_what_all_events_at_once_mean(con: duckdb.DuckDBPyConnection, played: list[History]) -> None:
    """Duplicates, late events, ties, repeats, deletes, and events that go: the versions are those of all events."""
    check(con, played, whole=False)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fours)
def test_a_whole_input_is_compared_with_the_table(con: duckdb.DuckDBPyConnection, played: list[History]) -> None:
    """Where changes cannot be told, the whole input gives the same versions."""
    check(con, played, whole=True)


@pytest.mark.long
@settings(max_examples=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(histories, min_size=1, max_size=4), st.booleans())
def test_any_arrival_in_many_rounds(con: duckdb.DuckDBPyConnection, played: list[History], whole: bool) -> None:
    """The same, with thousands of histories."""
    check(con, played, whole=whole)


def test_a_late_event_that_makes_two_neighbours_equal_leaves_one_version(con: duckdb.DuckDBPyConnection) -> None:
    """And one that tells them apart again brings the second back, at its own time."""
    empty(con)
    for number, event in enumerate(
        [Event(1, 1, 0, "a", False), Event(1, 5, 1, "a", False), Event(1, 3, 1, "a", False), Event(1, 4, 0, "a", False)]
    ):
        with con.cursor() as session:
            arrive(session, [event], [], [], filled=number > 0, whole=False)
        if number == 2:
            assert content(con)[0] == [(1, 0, "a", 1, 3, False), (1, 1, "a", 3, None, True)]
    assert [row[3:5] for row in content(con)[0]] == [(1, 3), (4, 5), (3, 4), (5, None)]


def test_only_versions_that_differ_are_rewritten(con: duckdb.DuckDBPyConnection) -> None:
    """A new change closes the version before it; the others stay where they are."""
    empty(con)
    with con.cursor() as session:
        arrive(session, [Event(1, at, at % 2, "a", False) for at in range(6)], [], [], filled=False, whole=False)
    with con.cursor() as session:
        arrive(session, [Event(1, 9, 0, "b", False)], [], [], filled=True, whole=False)
        assert session.execute("SELECT count(*) FROM going").fetchall() == [(1,)]
        assert session.execute("SELECT count(*) FROM coming").fetchall() == [(2,)]
