"""Judged rows, on plain DuckDB: every rule counted once, the first broken one named, nothing asked twice."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond.core.names import quote
from millpond.project.check import CheckSeverity
from millpond.sql.staging import (
    BAD,
    REJECT,
    STAGED,
    Rule,
    Staging,
    counts,
    create_judged,
    create_settled,
    create_staged,
    example,
)

Row = tuple[int, int | None]
SEVERITIES: tuple[CheckSeverity, ...] = ("warn", "quarantine", "stop")


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """One database for all examples."""
    return duckdb.connect(config={"threads": "1"})


def staging(rules: tuple[Rule, ...], *, again: bool) -> Staging:
    """Rows of `arrived` with a key `k` and a value `v`."""
    return Staging("FROM arrived", ("k", "v"), rules, ("k",), again=again)


def judge(rows: list[Row], staged: Staging) -> list[int]:
    """Stage and judge the rows; staged, rejected, and how many broke each rule."""
    con = engine()
    for name, kind in con.execute("SELECT table_name, table_type FROM information_schema.tables").fetchall():
        con.execute(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {quote(name)}")
    con.execute("CREATE TEMP TABLE arrived (k INTEGER, v INTEGER)")
    con.executemany("INSERT INTO arrived VALUES (?, ?)", rows)
    con.execute(create_staged(staged))
    con.execute(create_judged(staged))
    return [int(value) for value in con.execute(counts(staged.rules)).fetchone() or ()]


def staged_rows() -> list[tuple[int, int | None, bool, str | None]]:
    """Every staged row with whether it is bad, and the rule that rejected it."""
    found = engine().execute(f"SELECT k, v, {BAD}, {REJECT} FROM {STAGED}").fetchall()
    told = [(k, v, bad, json.loads(reject)["rule"] if reject else None) for k, v, bad, reject in found]
    return sorted(told, key=str)


def modulo(number: int, rest: int, severity: CheckSeverity) -> Rule:
    """A rule that rows break whose value leaves a rest; NULL where there is no value."""
    return Rule(f"r{number}", f"v % {number + 2} = {rest}", "v::VARCHAR", "it leaves a rest", severity)


rules = st.lists(st.sampled_from(SEVERITIES), min_size=1, max_size=130).map(
    lambda given: tuple(modulo(number, number % 3, severity) for number, severity in enumerate(given))
)
arrivals = st.lists(st.tuples(st.integers(0, 6), st.none() | st.integers(0, 40)), min_size=1, max_size=12)


def breaks(row: Row, number: int) -> bool:
    """Whether a row breaks the rule of that number."""
    return row[1] is not None and row[1] % (number + 2) == number % 3


@settings(max_examples=60)
@given(arrivals, rules, st.booleans())
def test_rows_are_judged_as_each_rule_by_itself_would(rows: list[Row], asked: tuple[Rule, ...], again: bool) -> None:
    """Counts of each rule, and the first quarantining rule that a row breaks, whatever their number."""
    staged, rejected, *failed = judge(rows, staging(asked, again=again))
    assert failed == [sum(breaks(row, number) for row in rows) for number in range(len(asked))]
    named = []
    for row in rows:
        broken = [r.name for n, r in enumerate(asked) if r.severity == "quarantine" and breaks(row, n)]
        named.append((*row, bool(broken), broken[0] if broken else None))
    assert (staged, rejected) == (len(rows), sum(bad for _, _, bad, _ in named))
    assert staged_rows() == sorted(named, key=str)


@settings(max_examples=60)
@given(arrivals, rules)
def test_the_settled_view_says_what_the_staged_one_said(rows: list[Row], asked: tuple[Rule, ...]) -> None:
    """Rules that nobody broke are left out, and the others are asked of few rows: the answer is the same."""
    viewed = staging(asked, again=True)
    _, _, *failed = judge(rows, viewed)
    before = staged_rows()
    engine().execute(create_settled(viewed, failed))
    assert staged_rows() == before


def test_rules_that_nobody_broke_are_not_asked_again() -> None:
    """Clean rows cost one look, whatever the number of rules."""
    viewed = staging(tuple(modulo(number, 50, "quarantine") for number in range(100)), again=True)
    _, _, *failed = judge([(1, 1), (2, 2)], viewed)
    assert set(failed) == {0}
    assert "50" not in create_settled(viewed, failed)


def test_rows_without_a_key_are_asked_again() -> None:
    """Only a key tells which rows are suspect."""
    viewed = replace(staging((modulo(0, 1, "quarantine"),), again=True), key=())
    _, _, *failed = judge([(1, 1), (2, 2)], viewed)
    engine().execute(create_settled(viewed, failed))
    assert staged_rows() == [(1, 1, True, "r0"), (2, 2, False, None)]


@pytest.mark.parametrize("place", [0, 70])
def test_an_example_of_a_broken_rule_can_be_shown(place: int) -> None:
    """Of any word of failures."""
    asked = tuple(modulo(number, 1 if number == place else 99, "stop") for number in range(80))
    judge([(1, 7), (2, place + 3)], staging(asked, again=False))
    assert engine().execute(example(asked, place)).fetchone() == (str(place + 3) if place else "3",)


@pytest.mark.parametrize("rows", [[(None, 1), (1, 2), (2, 3)], [(1, 1), (1, 2), (None, 4)]])
def test_whole_number_keys_tell_suspects_too(rows: list[tuple[int | None, int]]) -> None:
    """A NULL key is suspect, and makes no other row so."""
    odd = replace(modulo(0, 1, "quarantine"), name="odd")
    null_key = Rule("null_key", "k IS NULL", "NULL", "NULL in the key", "quarantine")
    viewed = replace(staging((null_key, odd), again=True), whole=True)
    _, _, *failed = judge(rows, viewed)  # type: ignore[arg-type]
    before = staged_rows()
    engine().execute(create_settled(viewed, failed))
    assert staged_rows() == before
    asked = engine().execute(f"SELECT count(*) FROM {STAGED} WHERE {BAD}").fetchone()
    assert asked == (sum(k is None or v % 2 == 1 for k, v in rows),)
