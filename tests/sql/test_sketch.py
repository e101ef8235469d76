"""The sketch of distinct values gives what the engine's own function gives."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.sql.sketch import estimates, place

VALUES = {
    "whole": "(i * 71)::INTEGER",
    "text": "'bike ' || i",
    "decimal": "(i / 100)::DECIMAL(9, 2)",
    "day": "DATE '1970-01-01' + i::INTEGER % 20000",
    "moment": "TIMESTAMP '2026-01-01' + INTERVAL (i) SECOND",
    "double": "sin(i)",
    "uuid": "md5(i::VARCHAR)::UUID",
    "truth": "i % 2 = 0",
}


def check(value: str, first: int, rows: int) -> None:
    """Compare both over a range of numbers, in three groups."""
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t AS SELECT i % 3 AS g, {value} AS v FROM range({first}, {first + rows}) AS r(i)")
        con.execute("INSERT INTO t VALUES (0, NULL)")
        expected = con.execute("SELECT g, approx_count_distinct(v) FROM t GROUP BY g ORDER BY g").fetchall()
        places = f"SELECT DISTINCT g, {place('v')} AS p FROM t WHERE v IS NOT NULL"
        found = con.execute(f"SELECT * FROM ({estimates('g', 'p', places, 'n')}) ORDER BY g").fetchall()
        assert found == [(group, count) for group, count in expected if count]


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("rows", [0, 1, 7, 190, 3_000, 100_000])
def test_estimates_are_those_of_the_engine(value: str, rows: int) -> None:
    """Few values, which leave registers empty, and many, of every type that is kept."""
    check(value, 0, rows)


@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(VALUES)), st.integers(0, 10**6), st.integers(1, 2_000))
def test_estimates_are_those_of_the_engine_for_any_values(name: str, first: int, rows: int) -> None:
    """The same, wherever the values lie."""
    check(VALUES[name], first, rows)
