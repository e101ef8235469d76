"""Bounds of groups: no row of a group is ever outside, and files without such rows are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.schema import Column, Schema
from millpond.engines.duckdb import DuckDBSession
from millpond.pipeline.bounding import held_by
from millpond.sql.narrowing import Narrowing, narrowing

TYPES = {"ts": "TIMESTAMP", "d": "DATE", "n": "INTEGER", "x": "DECIMAL(9,2)", "s": "VARCHAR", "f": "DOUBLE"}
COLUMNS = Schema(tuple(Column(name, kind) for name, kind in TYPES.items()))
EXPRESSIONS = (
    "ts",
    "d",
    "N",
    "x",
    "(ts)::DATE",
    "CAST(d AS TIMESTAMP)",
    "date_trunc('month', ts)",
    "CAST(date_trunc('month', ts) AS DATE)",
    "CAST(date_trunc('week', d) AS DATE)",
    "date_trunc('hour', d)",
    "date_trunc('quarter', date_trunc('hour', ts))",
    "date_trunc('minute', CAST(CAST(ts AS DATE) AS TIMESTAMP))",
    "date_trunc('year', \"d\")",
)
UNKNOWN = (
    "n + 1",
    "upper(s)",
    "s",
    "f",
    "o.d",
    "TRY_CAST(s AS DATE)",
    "CAST(s AS DATE)",
    "date_trunc('century', ts)",
    "date_trunc(s, ts)",
    "CAST(n AS TIMESTAMP)",
    "date_part('month', ts)",
)

moments = st.datetimes(datetime(1969, 12, 1), datetime(1970, 3, 1)) | st.sampled_from(
    [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(2024, 2, 29, 12)]
)
days = st.dates(date(1969, 12, 1), date(1970, 3, 1)) | st.sampled_from([date(1, 1, 1), date(9999, 12, 31)])
rows = st.lists(
    st.tuples(
        st.none() | moments,
        st.none() | days,
        st.none() | st.integers(-5, 30),
        st.none() | st.integers(-300, 300).map(lambda cents: Decimal(cents) / 100),
    ),
    min_size=1,
    max_size=40,
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def told(con: duckdb.DuckDBPyConnection, expressions: tuple[str, ...], chosen: str = "TRUE") -> str:
    """The condition of the groups of the rows of `t` that are chosen."""
    named = ", ".join(f"{text} AS _mp_g{number}" for number, text in enumerate(expressions))
    con.execute(f"CREATE OR REPLACE TEMP TABLE g AS SELECT DISTINCT {named} FROM t WHERE {chosen}")
    return held_by(DuckDBSession(con), "g", expressions, COLUMNS)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=3, unique=True), st.integers(1, 40))
def test_no_row_of_a_group_is_outside(
    con: duckdb.DuckDBPyConnection, given_rows: list[tuple[object, ...]], expressions: list[str], most: int
) -> None:
    """Whatever the rows and the groups, with NULL among them, few or many."""
    con.execute("CREATE OR REPLACE TEMP TABLE t (place INTEGER, ts TIMESTAMP, d DATE, n INTEGER, x DECIMAL(9,2))")
    con.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", [(i, *row) for i, row in enumerate(given_rows)])
    condition = told(con, tuple(expressions), f"place < {most}")
    same = " AND ".join(f"({text}) IS NOT DISTINCT FROM _mp_g{number}" for number, text in enumerate(expressions))
    inside = f"SELECT count(*) FROM t SEMI JOIN g ON {same}"
    assert con.execute(inside).fetchone() == con.execute(f"{inside} WHERE {condition or 'TRUE'}").fetchone()


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_rows_of_other_groups_are_outside(con: duckdb.DuckDBPyConnection, expression: str) -> None:
    """The condition is not empty, and rows of two years later do not meet it."""
    con.execute(
        "CREATE OR REPLACE TEMP TABLE t AS SELECT i AS place, TIMESTAMP '2024-01-01' + INTERVAL (i * 12) HOUR AS ts, "
        "(DATE '2024-01-01' + i::INTEGER) AS d, i::INTEGER AS n, i::DECIMAL(9,2) AS x FROM range(2000) AS r(i)"
    )
    for most in (3, 300):
        condition = told(con, (expression,), f"place < {most}")
        (found,) = con.execute(f"SELECT count(*) FROM t WHERE {condition}").fetchone() or (0,)
        assert most <= found <= most + 800


@pytest.mark.parametrize("expression", UNKNOWN)
def test_what_is_not_known_tells_nothing(expression: str) -> None:
    """Other functions, other types, a column of a struct."""
    assert narrowing(expression, TYPES) is None


def test_units_are_those_of_the_expression() -> None:
    """The innermost first; of a date, days at least."""
    assert narrowing("CAST(date_trunc('month', ts) AS DATE)", TYPES) == Narrowing("ts", "TIMESTAMP", ("month", "day"))
    assert narrowing("date_trunc('hour', D)", TYPES) == Narrowing("D", "DATE", ("day",))


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        ("DATE 'infinity' AS d", "CAST(d AS TIMESTAMP)"),
        ("DATE '-infinity' AS d", "CAST(d AS TIMESTAMP)"),
        ("TIMESTAMP '294247-01-10 04:00:54' AS ts", "CAST(ts AS DATE)"),
    ],
)
def test_a_value_without_an_end_tells_nothing(con: duckdb.DuckDBPyConnection, value: str, expression: str) -> None:
    """Infinite times, and the last day that there is; what others tell holds."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE t AS SELECT {value}, 1 AS n")
    assert told(con, (expression,)) == ""
    assert told(con, (expression, "n")) == "(n IN ('1'::INTEGER))"
