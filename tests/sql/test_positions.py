"""Rows are found again by what they hold, wherever they lie and however many are the same."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from millpond.sql.positions import count_places, find_places

COLUMNS = "(a DOUBLE, b VARCHAR, c STRUCT(x INTEGER[], y BLOB))"

numbers = st.sampled_from([None, 0.0, -0.0, math.nan, math.inf, 1.5, 1.5000000000000002])
words = st.sampled_from([None, "", "NULL", "a, b", "(a", "a'b", "é"])
nested = st.none() | st.builds(
    lambda x, y: {"x": x, "y": y},
    st.none() | st.lists(st.none() | st.integers(0, 1), max_size=2),
    st.sampled_from([None, b"", b"\x00", b"a"]),
)
row = st.tuples(numbers, words, nested)


def told(rows: list[tuple[Any, ...]]) -> Counter[str]:
    """Rows as text, by which -0.0 is another value than 0.0 and NaN is itself."""
    return Counter(map(repr, rows))


@given(rows=st.lists(st.tuples(row, st.booleans()), min_size=1, max_size=30))
def test_as_many_rows_are_found_as_went_and_each_is_the_same(rows: list[tuple[tuple[Any, ...], bool]]) -> None:
    """What is left without them is what was there without those that went."""
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE there {COLUMNS}; CREATE TABLE gone {COLUMNS}")
        con.executemany("INSERT INTO there VALUES (?, ?, ?)", [list(values) for values, _ in rows])
        for values, went in rows:
            if went:
                con.execute("INSERT INTO gone VALUES (?, ?, ?)", list(values))
        con.execute(find_places("FROM gone", "SELECT *, 'f' || rowid % 2, rowid FROM there", 3))
        left = "SELECT a, b, c FROM there WHERE rowid NOT IN (SELECT _mp_place FROM places)"
        assert told(con.execute(left).fetchall()) == told([values for values, went in rows if not went])
        count = sum(number for _, number in con.execute(count_places()).fetchall())
        assert count == sum(went for _, went in rows)


def test_a_zero_is_found_whatever_its_sign_and_what_is_no_number_too() -> None:
    """A file with a dictionary of its values has one zero; where both are there, the very same is taken."""
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE there {COLUMNS}; CREATE TABLE gone {COLUMNS}")
        rows = [(0.0, "a"), (0.0, "a"), (math.nan, "a"), (-0.0, "b"), (0.0, "b"), (0.0, "-0.0"), (0.0, "0.0")]
        con.executemany("INSERT INTO there VALUES (?, ?, {x: [1], y: NULL})", [list(row) for row in rows])
        con.execute(
            "INSERT INTO gone SELECT v::DOUBLE, w, {x: [1], y: NULL} FROM (VALUES ('-0.0', 'a'), ('0.0', 'a'), "
            "('-nan', 'a'), ('-0.0', 'b'), ('-0.0', '-0.0')) AS t(v, w)"
        )
        con.execute(find_places("FROM gone", "SELECT *, 'f', rowid FROM there", 3))
        assert con.execute("SELECT _mp_place FROM places ORDER BY ALL").fetchall() == [(n,) for n in (0, 1, 2, 3, 5)]
