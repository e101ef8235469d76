"""Rewritten queries, run by the engine: other relations and more columns change nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.sql.groups import GroupKey, group_expressions
from millpond.sql.parse import parse
from millpond.sql.rewrite import add_columns, replace_inputs

MODEL = Path("m.sql")
ROWS = st.lists(st.tuples(*[st.one_of(st.none(), st.integers(0, 3))] * 3), max_size=12)
Rows = list[tuple[int | None, ...]]
READING = [
    "SELECT positions.ts, silver.positions.a FROM silver.positions WHERE silver.positions.b > 0",
    "SELECT p.a, count(*) AS n FROM silver.positions AS p GROUP BY ALL",
    "SELECT l.a, r.b FROM silver.positions AS l JOIN silver.positions AS r ON l.a = r.b",
    "SELECT silver.trips.a, gold.trips.b FROM silver.trips JOIN gold.trips ON silver.trips.a = gold.trips.a",
    "WITH trips AS (SELECT * FROM silver.trips) SELECT t.a, (SELECT count(*) FROM trips) AS n FROM gold.trips AS t",
    "SELECT a FROM gold.trips WHERE a IN (SELECT b FROM silver.trips WHERE gold.trips.ts = ts) ORDER BY trips.a",
    "SELECT trips.a FROM gold.trips WHERE EXISTS (SELECT 1 FROM silver.trips WHERE trips.b = 1 AND gold.trips.ts = ts)",
    "SELECT * FROM silver.positions ANTI JOIN gold.trips USING (a)",
    "SELECT trips FROM gold.trips",
]
PRESERVING = [
    "SELECT a AS x FROM silver.positions",
    "SELECT * FROM silver.positions WHERE a > 0",
    "SELECT a, * EXCLUDE (b) REPLACE (ts + 1 AS ts) FROM silver.positions",
    "SELECT * RENAME (_origin AS o) FROM silver.positions",
    "SELECT _origin, a FROM silver.positions",
    "WITH s(x, y) AS (SELECT a, b FROM silver.positions) SELECT y FROM s WHERE x = 1",
    "SELECT q.x FROM (SELECT a, b FROM silver.positions WHERE b < 3) AS q(x)",
    "SELECT * FROM (SELECT * FROM (SELECT * FROM silver.positions))",
]
GROUPED = [
    "SELECT a AS k, count(*) AS n, sum(b) AS s FROM silver.positions GROUP BY a",
    "SELECT a % 2 AS k, max(b) AS m FROM silver.positions GROUP BY ALL",
    (
        "SELECT k, sum(d) AS s FROM "
        "(SELECT a AS k, b - lag(b) OVER (PARTITION BY a ORDER BY ts, b) AS d FROM silver.positions) GROUP BY k"
    ),
    "SELECT a + b AS k, ts, count(*) AS n FROM silver.positions GROUP BY a, b, ts HAVING count(*) > 1",
    "SELECT coalesce(a, -1) AS k, min(ts) AS t FROM (SELECT * FROM silver.positions WHERE b > 0) GROUP BY 1",
    "SELECT a AS k, b, ts FROM silver.positions QUALIFY row_number() OVER (PARTITION BY a ORDER BY b, ts) = 1",
    "WITH s(k, w) AS (SELECT a + 1, b FROM silver.positions) SELECT k, max(w) AS w FROM s GROUP BY k",
    "SELECT DISTINCT a AS k, b FROM silver.positions",
    "SELECT DISTINCT ON (k) a AS k, b, ts FROM silver.positions ORDER BY b, ts",
    "SELECT k, count(*) AS n FROM (SELECT DISTINCT a % 2 AS k, b FROM silver.positions) GROUP BY k",
    "SELECT k, sum(n) AS n FROM (SELECT a AS k, b, count(*) AS n FROM silver.positions GROUP BY a, b) GROUP BY k",
]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for layer in ("silver", "gold"):
            connection.execute(f"CREATE SCHEMA {layer}")
            for name in ("positions", "trips"):
                connection.execute(f"CREATE TABLE {layer}.{name} (a INTEGER, b INTEGER, ts INTEGER, _origin INTEGER)")
        for name, source in (("p", "silver.positions"), ("t", "silver.trips"), ("g", "gold.trips")):
            connection.execute(f"CREATE TEMP VIEW {name} AS FROM {source}")
        yield connection


def fill(con: duckdb.DuckDBPyConnection, rows: Rows) -> None:
    for table in ("silver.positions", "silver.trips", "gold.trips"):
        con.execute(f"DELETE FROM {table}")
        if rows:
            con.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", [(*row, i) for i, row in enumerate(rows)])


def answer(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[list[str], list[str]]:
    result = con.execute(sql)
    names = [column[0] for column in result.description or ()]
    return names, sorted(map(repr, result.fetchall()))


CHECKED = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("sql", READING)
@CHECKED
@given(rows=ROWS)
def test_other_relations_with_the_same_rows_give_the_same_answer(
    con: duckdb.DuckDBPyConnection, sql: str, rows: Rows
) -> None:
    """Names of tables keep meaning what they meant."""
    fill(con, rows)
    relations = {
        TableName("silver", "positions"): "p",
        TableName("silver", "trips"): '"memory"."silver"."trips"',
        TableName("gold", "trips"): "g",
    }
    assert answer(con, replace_inputs(parse(sql, MODEL), relations).text()) == answer(con, sql)


@pytest.mark.parametrize("sql", PRESERVING)
@CHECKED
@given(rows=ROWS)
def test_carried_columns_come_last_and_change_nothing_else(
    con: duckdb.DuckDBPyConnection, sql: str, rows: Rows
) -> None:
    """The author's columns stay as they were; every row brings its own origin."""
    fill(con, rows)
    carried = add_columns(parse(sql, MODEL), ["_origin"]).text()
    names, _ = answer(con, carried)
    assert names.count("_origin") == 1
    own, _ = answer(con, sql)
    kept = ", ".join(f'"{name}"' for name in own)
    assert answer(con, f"SELECT {kept} FROM ({carried})") == answer(con, f"SELECT {kept} FROM ({sql})")
    assert answer(con, f"SELECT count(DISTINCT _origin) FROM ({carried})") == answer(
        con, f'SELECT count(*) AS "count(DISTINCT _origin)" FROM ({sql})'
    )


@pytest.mark.parametrize("sql", GROUPED)
@CHECKED
@given(rows=ROWS, wanted=st.sets(st.integers(-1, 5)), null=st.booleans())
def test_reading_only_the_changed_keys_gives_exactly_their_groups(
    con: duckdb.DuckDBPyConnection, sql: str, rows: Rows, wanted: set[int], null: bool
) -> None:
    """Filtering the input by key and then grouping is grouping and then filtering by key."""
    fill(con, rows)
    query = parse(sql, MODEL)
    key = group_expressions(query, ["k"])
    assert isinstance(key, GroupKey)
    members = ", ".join(map(str, sorted(wanted))) or "NULL"

    def among(expression: str) -> str:
        return f"(({expression}) IN ({members}) OR ({expression}) IS NULL AND {null})"

    con.execute(f"CREATE OR REPLACE TEMP VIEW few AS FROM silver.positions WHERE {among(key.expressions[0])}")
    few = replace_inputs(query, {key.input: "few"}).text()
    assert answer(con, few) == answer(con, f"SELECT * FROM ({sql}) WHERE {among('k')}")


@pytest.mark.parametrize(
    ("sql", "columns", "expected"),
    [
        (
            "SELECT h AS k, count(*) AS n FROM (SELECT *, a % 2 AS h FROM silver.positions) GROUP BY h",
            ("a", "b"),
            ("a % 2",),
        ),
        (
            "SELECT h AS k, count(*) AS n FROM (SELECT *, a % 2 AS h FROM silver.positions) GROUP BY h",
            ("a", "h"),
            ("h",),
        ),
        ("SELECT h AS k, count(*) AS n FROM (SELECT *, a % 2 AS h FROM silver.positions) GROUP BY h", None, None),
        ("SELECT h AS k, count(*) AS n FROM (SELECT a % 2 AS h, * FROM silver.positions) GROUP BY h", None, ("a % 2",)),
    ],
)
def test_the_inputs_columns_settle_what_a_name_means(
    sql: str, columns: tuple[str, ...] | None, expected: tuple[str, ...] | None
) -> None:
    """Beside a star, a name may be the input's column or the alias; without its columns, neither is assumed."""
    found = group_expressions(parse(sql, MODEL), ["k"], columns)
    assert (found.expressions if isinstance(found, GroupKey) else None) == expected
