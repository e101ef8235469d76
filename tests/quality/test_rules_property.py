"""Checks on rows against the same rules in plain Python, over any values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.project.check import Check, CheckKind, Target
from millpond.project.model import Model
from millpond.quality.rules import row_rules

HERE = Location(Path("/m.sql"))
OTHER = TableName("silver", "other")
TEXTS = st.text(alphabet="ab1 .'\"\n%é-", max_size=4) | st.sampled_from(
    ["1", "1.5", "-2", "2026-01-01", "true", "", "nan"]
)
NUMBERS = st.integers(-5, 5)
FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=32) | st.sampled_from([0.0, 1.5, -2.0])
VALUES: dict[str, st.SearchStrategy[Any]] = {"VARCHAR": TEXTS, "BIGINT": NUMBERS, "DOUBLE": FLOATS}
PATTERNS = ("a", "^a", "b$", "^[ab]+$", "a|^1", "(?i)A", "^$", r"\d\.\d", "(a)(b)", "^a|b$", ".", "'", r"\s", "[)a]")


def failing(kind: CheckKind, column: str, values: tuple[object, ...], rows: list[Any], known: list[Any]) -> list[bool]:
    """For each value, whether the engine says that it fails."""
    check = Check(kind, ("x",), values, "quarantine", kind, HERE)
    model = Model(TableName("silver", "t"), "replace", Path("/m.sql"), "", checks=(check,))
    (rule,) = row_rules(model, (), Schema((Column("x", column),)))
    con = engine()
    con.execute(f"CREATE OR REPLACE TABLE lake.silver.other (k {column})")
    con.execute(f"CREATE OR REPLACE TABLE t (n INTEGER, x {column})")
    con.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(rows)))
    if known:
        con.executemany("INSERT INTO lake.silver.other VALUES (?)", [(value,) for value in known])
    asked = f"SELECT CASE WHEN {rule.failing} THEN TRUE ELSE FALSE END FROM t ORDER BY n"
    return [row[0] for row in con.execute(asked).fetchall()]


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """One database for all examples, with a lake in memory."""
    con = duckdb.connect(config={"threads": "1"})
    con.execute("ATTACH ':memory:' AS lake")
    con.execute("CREATE SCHEMA lake.silver")
    return con


def agree(rows: list[Any], said: list[bool], expected: Callable[[Any], bool]) -> None:
    """NULL fails nothing; every other value fails where the reference says so."""
    assert said == [value is not None and expected(value) for value in rows]


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, list[Any], st.SearchStrategy[Any]]:
    """A type, a column of values with NULLs, and more values of the type."""
    kind = draw(st.sampled_from(sorted(VALUES)))
    return kind, draw(st.lists(st.none() | VALUES[kind], min_size=1, max_size=8)), VALUES[kind]


def same(one: Any, other: Any) -> bool:
    """Equal, NaN being equal to itself as the engine has it."""
    return one == other or (one != one and other != other)


@settings(max_examples=60)
@given(columns(), st.data())
def test_in_and_relationship_ask_whether_the_value_is_among_others(
    column: tuple[str, list[Any], Any], data: st.DataObject
) -> None:
    """The same question, once of a list and once of another table's column."""
    kind, rows, values = column
    members = data.draw(st.lists(values.filter(lambda value: value == value), min_size=1, max_size=8))
    agree(rows, failing("in", kind, tuple(members), rows, []), lambda v: not any(same(v, m) for m in members))
    known = data.draw(st.lists(st.none() | values, max_size=5))
    said = failing("relationship", kind, (Target(OTHER, "k"),), rows, known)
    agree(rows, said, lambda v: not any(k is not None and same(v, k) for k in known))


@settings(max_examples=60)
@given(columns(), st.data())
def test_between_takes_both_bounds_and_open_ends(column: tuple[str, list[Any], Any], data: st.DataObject) -> None:
    """NaN is above everything, as the engine sorts it."""
    kind, rows, values = column
    low, high = (data.draw(st.none() | values.filter(lambda value: value == value)) for _ in range(2))
    if low is None and high is None:
        low = data.draw(values.filter(lambda value: value == value))

    def outside(value: Any) -> bool:
        if value != value:
            return high is not None
        # Text is compared byte by byte.
        value, least, most = (part.encode() if isinstance(part, str) else part for part in (value, low, high))
        return (least is not None and value < least) or (most is not None and value > most)

    agree(rows, failing("between", kind, (low, high), rows, []), outside)


@settings(max_examples=60)
@given(st.lists(st.none() | TEXTS, min_size=1, max_size=8), st.integers(-3, 3), st.none() | st.integers(-3, 5))
def test_numbers_in_text_are_compared_as_numbers(rows: list[Any], low: int, high: int | None) -> None:
    """What is no number is not between numbers; the step goes on."""

    def outside(text: str) -> bool:
        number = read_number(text)
        if number is None:
            return True
        if math.isnan(number):
            return high is not None
        return number < low or (high is not None and number > high)

    agree(rows, failing("between", "VARCHAR", (low, high), rows, []), outside)
    members = (low, 1.5, True)
    wanted = {str(low), "1.5", "true"}
    agree(rows, failing("in", "VARCHAR", members, rows, []), lambda text: text not in wanted)


def read_number(text: str) -> float | None:
    """What the engine's cast to DOUBLE makes of a text of the test's alphabet."""
    plain = text.strip(" \n")
    return float(plain) if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)|nan", plain) else None


@settings(max_examples=80)
@given(st.lists(st.none() | TEXTS, min_size=1, max_size=10), st.sampled_from(PATTERNS))
def test_a_pattern_is_found_anywhere_in_the_text(rows: list[Any], pattern: str) -> None:
    """As Python finds it; `$` is the end of the text and not of a line."""
    python = re.compile(pattern.replace("$", r"\Z"))
    agree(rows, failing("regex", "VARCHAR", (pattern,), rows, []), lambda text: python.search(text) is None)


@settings(max_examples=60)
@given(st.lists(st.none() | TEXTS, min_size=1, max_size=8), st.integers(0, 3), st.none() | st.integers(0, 4))
def test_length_counts_characters(rows: list[Any], low: int, high: int | None) -> None:
    """Not bytes; both bounds are allowed."""
    said = failing("length", "VARCHAR", (low, high), rows, [])
    agree(rows, said, lambda text: len(text) < low or (high is not None and len(text) > high))


WRITTEN = st.sampled_from(
    [
        "1",
        "-7",
        "+3",
        " 5 ",
        "007",
        "1.5",
        "1.0",
        "2147483648",
        "abc",
        "",
        "2026-02-30",
        "2026-02-28",
        "true",
        "T",
        "no",
    ]
)


@settings(max_examples=60)
@given(st.lists(st.none() | WRITTEN, min_size=1, max_size=8), st.sampled_from(["INTEGER", "DATE", "BOOLEAN"]))
def test_type_asks_whether_the_text_can_be_read(rows: list[Any], wanted: str) -> None:
    """A number with a part behind the point is no integer, though the engine would round it."""

    def unreadable(text: str) -> bool:
        if wanted == "DATE":
            return text != "2026-02-28"
        if wanted == "BOOLEAN":
            return text.lower() not in ("true", "t", "no", "1")
        plain = text.strip()
        if not re.fullmatch(r"[+-]?\d+(\.\d+)?", plain):
            return True
        number = Decimal(plain)
        return number != int(number) or not -(2**31) <= number < 2**31

    agree(rows, failing("type", "VARCHAR", (wanted,), rows, []), unreadable)
