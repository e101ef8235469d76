"""States of groups, run by the engine on plain relations: they give what the query gives over all rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName, quote
from millpond.core.schema import Column, Schema
from millpond.sql.merging import (
    Merging,
    count_odd,
    create_all,
    create_changed,
    create_merged,
    create_values,
    create_worn,
    finished,
    input_rows,
    keep_all,
    keep_merged,
    renew_worn,
)
from millpond.sql.parse import parse
from millpond.sql.states import find_states

COLUMNS = ("k", "a", "d", "t")
SIDE = TableName("state", "gold__g")
QUERIES = [
    "SELECT k, count(*) AS n, count(a) AS c, sum(a)::BIGINT AS s, avg(a) AS m FROM silver.x GROUP BY k",
    "SELECT k, sum(d) AS s, avg(d) AS m, min(d) AS least, max(d) AS most FROM silver.x GROUP BY ALL",
    "SELECT k, min(t) AS least, max(t) FILTER (WHERE a > 1) AS most FROM silver.x WHERE d IS NOT NULL GROUP BY k",
    "SELECT k, count(DISTINCT t) AS n, count(DISTINCT a) FILTER (WHERE d > 0) AS m FROM silver.x GROUP BY k",
    "SELECT k, bool_or(a > 1) AS some, bool_and(a > 1) AS every, count_if(a > 1)::BIGINT AS n FROM silver.x GROUP BY k",
    "SELECT a % 2 AS k, t, count(*) AS n, n * 2 AS twice FROM silver.x GROUP BY a % 2, t HAVING n > 1 AND max(d) < 9",
    (
        "SELECT k, approx_count_distinct(t || a) AS n, approx_count_distinct(d) FILTER (WHERE a > 0) AS m, "
        "count(DISTINCT a) AS c FROM silver.x GROUP BY k"
    ),
    (
        "WITH few(p, q) AS (SELECT coalesce(k, 0), a + 1 FROM silver.x WHERE t <> 'b') "
        "SELECT p AS k, CASE WHEN sum(q) > 3 THEN 'much' ELSE p || ' little' END AS word FROM few GROUP BY p"
    ),
]
KEYS = {5: ("k", "t")}
ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, 1, 2]),
        st.sampled_from([None, 0, 1, 2, 3]),
        st.sampled_from([None, "-1.05", "0.10", "7.00", "9.99"]),
        st.sampled_from([None, "a", "b", ""]),
    ),
    max_size=6,
)
CHANGE = st.tuples(ROWS, st.randoms(use_true_random=False))
Rows = list[tuple[int | None, int | None, str | None, str | None]]
Change = tuple[Rows, Random]


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS lake")
        for layer in ("silver", "state"):
            connection.execute(f"CREATE SCHEMA lake.{layer}")
        connection.execute("USE lake")
        connection.execute("CREATE TABLE silver.x (k INTEGER, a INTEGER, d DECIMAL(9, 2), t VARCHAR)")
        yield connection


def described(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Column, ...]:
    return tuple(Column(row[0], row[1]) for row in con.execute(f"DESCRIBE {sql}").fetchall())


def merging(con: duckdb.DuckDBPyConnection, number: int) -> Merging:
    """How the groups of a query are kept."""
    states = find_states(parse(QUERIES[number], Path("m.sql")), KEYS.get(number, ("k",)), COLUMNS)
    assert states is not None
    types = tuple(column.type for column in described(con, input_rows(states)))
    found = Merging(states, SIDE, types[: len(states.groups)], types[len(states.groups) :], types)
    assert found.exact
    return found


def forget(con: duckdb.DuckDBPyConnection) -> None:
    for (name,) in con.execute("SELECT table_name FROM duckdb_tables() WHERE temporary").fetchall():
        con.execute(f"DROP TABLE temp.{quote(name)}")


def rows_sql(rows: Rows) -> tuple[str, ...]:
    values = ", ".join(f"({', '.join('NULL' if value is None else repr(value) for value in row)})" for row in rows)
    cast = "SELECT k::INTEGER AS k, a::INTEGER AS a, d::DECIMAL(9, 2) AS d, t::VARCHAR AS t"
    return (f"{cast} FROM (VALUES {values}) AS v(k, a, d, t)",) if rows else ()


def change(con: duckdb.DuckDBPyConnection, kept: Merging, came: Rows, went: Rows) -> None:
    """Let rows come and go, and bring the states up to date."""
    for query in rows_sql(came):
        con.execute(f"INSERT INTO silver.x {query}")
    for row in went:
        found = con.execute(
            "SELECT rowid FROM silver.x WHERE (k, a, d, t) IS NOT DISTINCT FROM (?::INTEGER, ?::INTEGER, "
            "?::DECIMAL(9, 2), ?::VARCHAR) LIMIT 1",
            row,
        ).fetchone()
        assert found is not None
        con.execute("DELETE FROM silver.x WHERE rowid = ?", found)
    forget(con)
    con.execute(create_changed(kept, rows_sql(came), rows_sql(went)))
    if kept.singly:
        con.execute(create_values(kept))
    for statement in create_merged(kept):
        con.execute(statement)
    odd, worn = con.execute(count_odd()).fetchall()[0]
    assert odd == 0
    for statement in (*((create_worn(kept), *renew_worn(kept)) if worn else ()), *keep_merged(kept)):
        con.execute(statement)


def shown(con: duckdb.DuckDBPyConnection, number: int, kept: Merging) -> list[tuple[object, ...]]:
    """The query's rows as the states of all groups give them."""
    types = Schema(described(con, QUERIES[number]))
    forget(con)
    groups = "WHERE _mp_part = 0" if kept.singly else ""
    con.execute(f"CREATE TEMP TABLE states AS FROM lake.{SIDE.quoted} {groups}")
    return con.execute(f"SELECT * FROM ({finished(kept, types)}) ORDER BY ALL").fetchall()


def check_states(con: duckdb.DuckDBPyConnection, number: int, first: Rows, changes: Sequence[Change]) -> None:
    """Start from some rows, and let others come and go."""
    con.execute("DELETE FROM silver.x")
    for query in rows_sql(first):
        con.execute(f"INSERT INTO silver.x {query}")
    kept = merging(con, number)
    con.execute(f"DROP TABLE IF EXISTS lake.{SIDE.quoted}")
    columns = ", ".join(f"{column.name} {column.type}" for column in kept.schema)
    con.execute(f"CREATE TABLE lake.{SIDE.quoted} ({columns})")
    forget(con)
    for statement in (create_all(kept), *keep_all(kept)):
        con.execute(statement)
    there = list(first)
    for came, chance in changes:
        there += came
        went = [row for row in there if chance.random() < 0.5]
        for row in went:
            there.remove(row)
        if came or went:
            change(con, kept, came, went)
        expected = con.execute(f"SELECT * FROM ({QUERIES[number]}) ORDER BY ALL").fetchall()
        assert shown(con, number, kept) == expected


@pytest.mark.parametrize("number", range(len(QUERIES)))
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(first=ROWS, changes=st.lists(CHANGE, min_size=1, max_size=2))
def test_states_give_what_the_query_gives_over_all_rows(
    con: duckdb.DuckDBPyConnection, number: int, first: Rows, changes: list[Change]
) -> None:
    """Rows come and go in any mixture, repeated ones and the last of a group too."""
    check_states(con, number, first, changes)


@pytest.mark.long
@pytest.mark.parametrize("number", range(len(QUERIES)))
@settings(max_examples=500, suppress_health_check=list(HealthCheck))
@given(first=ROWS, changes=st.lists(CHANGE, min_size=1, max_size=4))
def test_states_give_what_the_query_gives_in_many_rounds(
    con: duckdb.DuckDBPyConnection, number: int, first: Rows, changes: list[Change]
) -> None:
    """The same, often."""
    check_states(con, number, first, changes)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT k, median(a) AS m FROM silver.x GROUP BY k",
        "SELECT k, sum(DISTINCT a) AS s FROM silver.x GROUP BY k",
        "SELECT k, min(a, 2) AS least FROM silver.x GROUP BY k",
        "SELECT k, max(a ORDER BY d) AS m FROM silver.x GROUP BY k",
        "SELECT k, count(*) AS n, now() AS at FROM silver.x GROUP BY k",
        "SELECT k, sum(count(*)) OVER () AS s FROM silver.x GROUP BY k",
        "SELECT k, count(*) AS n FROM silver.x GROUP BY k, a",
        "SELECT k, count(*) AS n FROM silver.x GROUP BY ROLLUP (k)",
        "SELECT k, count(*) AS n, (SELECT max(a) FROM silver.y) AS m FROM silver.x GROUP BY k",
        "SELECT k, count(*) AS n FROM (SELECT DISTINCT k, a FROM silver.x) GROUP BY k",
        "SELECT k, count(*) AS a, a + 1 AS b FROM silver.x GROUP BY k",
        "SELECT k, count(*) AS n FROM silver.x GROUP BY k ORDER BY k LIMIT 3",
        "SELECT DISTINCT k FROM silver.x",
    ],
)
def test_what_cannot_be_proven_keeps_no_states(sql: str) -> None:
    """Other functions, windows over groups, finer groups, names of two meanings: the groups are computed instead."""
    assert find_states(parse(sql, Path("m.sql")), ("k",), COLUMNS) is None


@pytest.mark.parametrize(
    ("kind", "argument", "exact"),
    [
        ("sum(a::DOUBLE)", "DOUBLE", False),
        ("avg(a::FLOAT)", "FLOAT", False),
        ("sum(a::HUGEINT)", "HUGEINT", False),
        ("min(a::DOUBLE)", "DOUBLE", True),
        ("count(a::DOUBLE)", "DOUBLE", True),
        ("count(DISTINCT a::DOUBLE)", "DOUBLE", False),
        ("max([a])", "INTEGER[]", False),
        ("count([a])", "INTEGER[]", True),
        ("min(a)", "TIMESTAMP_MS", True),
        ("min(a)", "TIMESTAMP_NS", False),
        ("max(a)", "ENUM('low', 'high')", False),
        ("count(DISTINCT a)", "JSON", False),
    ],
)
def test_only_what_is_exact_is_added_to_and_taken_from(kind: str, argument: str, exact: bool) -> None:
    """Floating point depends on the order of addition; an extreme of it does not."""
    states = find_states(parse(f"SELECT k, {kind} AS v FROM silver.x GROUP BY k", Path("m.sql")), ("k",), COLUMNS)
    assert states is not None
    assert Merging(states, SIDE, ("INTEGER",), (argument,), ("INTEGER", argument)).exact is exact


def test_estimates_of_another_version_of_the_engine_are_no_states_of_this_one() -> None:
    """Its hashes may be others, so the side table has another column; counts and extremes are the same in all."""
    sketch = find_states(
        parse("SELECT k, approx_count_distinct(t) AS n FROM silver.x GROUP BY k", Path("m.sql")), ("k",), COLUMNS
    )
    plain = find_states(parse("SELECT k, max(t) AS n FROM silver.x GROUP BY k", Path("m.sql")), ("k",), COLUMNS)
    assert sketch is not None
    assert plain is not None
    for states, same in ((sketch, False), (plain, True)):
        types = ("INTEGER", "VARCHAR")
        one, other = (Merging(states, SIDE, types[:1], types[1:], types, version) for version in ("v1_5_5", "v1_6_0"))
        assert (one.schema == other.schema) is same
