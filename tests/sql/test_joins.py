"""Joins, run by the engine on plain relations: the groups of changed rows, computed again, are all that changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.sql.difference import GROUPS, create_groups, create_narrowed
from millpond.sql.groups import GroupKey, group_expressions
from millpond.sql.parse import parse
from millpond.sql.rewrite import replace_inputs
from tests.sql.plain import connect, text

QUERIES = {
    "left": "SELECT f.id AS k, f.v, d.v AS w FROM silver.x AS f LEFT JOIN silver.y AS d ON f.a = d.a",
    "unknown": "SELECT f.id AS k, coalesce(d.v, 'unknown') AS w FROM silver.x AS f LEFT JOIN silver.y AS d USING (a)",
    "inner": "SELECT f.id AS k, f.*, d.b AS w FROM silver.x AS f JOIN silver.y AS d ON d.a = f.a AND d.b > f.b",
    "null": "SELECT f.id AS k, d.v FROM silver.x AS f JOIN silver.y AS d ON f.a IS NOT DISTINCT FROM d.a",
    "semi": "SELECT f.id AS k, f.v FROM silver.x AS f SEMI JOIN silver.y AS d ON f.a = d.a AND f.b = d.b",
    "anti": "SELECT f.id AS k, f.v FROM silver.x AS f ANTI JOIN silver.y AS d ON f.a = d.a",
    "asof": "SELECT f.id AS k, max(d.b) AS b FROM silver.x AS f ASOF LEFT JOIN silver.y AS d USING (a, b) GROUP BY ALL",
    "twice": (
        "SELECT f.id AS k, p.v AS w, q.v AS u FROM silver.x AS f LEFT JOIN silver.y AS p ON f.a = p.a "
        "LEFT JOIN silver.y AS q ON f.b + 1 = q.a"
    ),
    "several": (
        "SELECT f.v AS k, count(d.a) AS n, sum(e.b) AS s FROM silver.x AS f LEFT JOIN silver.y AS d ON f.a = d.a "
        "LEFT JOIN silver.z AS e ON e.a = f.b WHERE d.v IS NULL OR d.v <> 'b' GROUP BY k HAVING count(*) < 9"
    ),
    "newest": (
        "WITH last AS (SELECT * FROM silver.y QUALIFY row_number() OVER (PARTITION BY a ORDER BY b DESC, v) = 1) "
        "SELECT f.id AS k, n.v AS w FROM silver.x AS f LEFT JOIN last AS n ON f.a = n.a AND f.v = n.v"
    ),
    "chain": (
        "WITH t AS (SELECT v, a, sum(b) AS b FROM silver.x GROUP BY ALL), d(c, m) AS (SELECT a, min(v) FROM silver.y "
        "WHERE b > 0 GROUP BY a), j AS (SELECT t.v, b, coalesce(m, '-') AS m FROM t LEFT JOIN d ON t.a = d.c) "
        "SELECT v AS k, m, sum(b) AS b, sum(count(*)) OVER (PARTITION BY v) AS n FROM j GROUP BY v, m"
    ),
}
ROW = st.tuples(
    st.integers(1, 4),
    st.sampled_from([None, 1, 2, 3]),
    st.sampled_from([None, 0, 1, 2]),
    st.sampled_from([None, "a", "b"]),
)
ROWS = st.lists(ROW, max_size=5)
STATE = st.tuples(ROWS, ROWS, ROWS)
State = tuple[list[tuple[object, ...]], ...]
TABLES = tuple(TableName("silver", name) for name in "xyz")


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect() as connection:
        connection.execute("USE lake")
        connection.execute("CREATE SCHEMA old")
        for layer in ("silver", "old"):
            for table in TABLES:
                connection.execute(f"CREATE TABLE {layer}.{table.name} (id INTEGER, a INTEGER, b INTEGER, v VARCHAR)")
        yield connection


def put(con: duckdb.DuckDBPyConnection, layer: str, state: State) -> None:
    """Have the tables of a layer hold these rows."""
    for table, rows in zip(TABLES, state, strict=True):
        con.execute(f"DELETE FROM {layer}.{table.name}")
        if rows:
            values = ", ".join(f"({', '.join(map(text, row))})" for row in rows)
            con.execute(f"INSERT INTO {layer}.{table.name} VALUES {values}")


def changed(table: TableName) -> tuple[str, str]:
    """The rows that came and went between the two states."""
    new, old = f"SELECT * FROM silver.{table.name}", f"SELECT * FROM old.{table.name}"
    return f"{new} EXCEPT ALL {old}", f"{old} EXCEPT ALL {new}"


def answer(con: duckdb.DuckDBPyConnection, sql: str) -> Counter[tuple[object, ...]]:
    return Counter(con.execute(sql).fetchall())


def check(con: duckdb.DuckDBPyConnection, sql: str, before: State, after: State) -> None:
    """Replacing the groups that changed gives what the query gives over all rows."""
    query = parse(sql, Path("m.sql"))
    key = group_expressions(query, ["k"])
    assert isinstance(key, GroupKey)
    put(con, "old", before)
    put(con, "silver", after)
    old = query.text().replace("silver.", "old.")
    con.execute(f"DROP VIEW IF EXISTS narrowed; DROP TABLE IF EXISTS {GROUPS}")
    con.execute(create_groups(key, {table: changed(table) for table in TABLES}))
    con.execute(create_narrowed("narrowed", key.input, key.expressions))
    few = replace_inputs(query, {key.input: "narrowed"}).text()
    here = f"(SELECT * FROM {GROUPS} WHERE _mp_g0 IS NOT DISTINCT FROM q.k)"
    stays = answer(con, f"SELECT * FROM ({old}) AS q WHERE NOT EXISTS {here}")
    anew = answer(con, few)
    assert stays + anew == answer(con, sql)
    assert anew == answer(con, f"SELECT * FROM ({sql}) AS q WHERE EXISTS {here}")


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=12, suppress_health_check=list(HealthCheck))
@given(before=STATE, after=STATE)
def test_the_groups_of_changed_rows_are_all_that_changes(
    con: duckdb.DuckDBPyConnection, name: str, before: State, after: State
) -> None:
    """Facts and rows that are joined to them come, change and go; keys are missing, repeated and NULL."""
    check(con, QUERIES[name], before, after)


@pytest.mark.long
@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=1500, suppress_health_check=list(HealthCheck))
@given(before=STATE, after=STATE)
def test_the_groups_of_changed_rows_are_all_that_changes_in_many_rounds(
    con: duckdb.DuckDBPyConnection, name: str, before: State, after: State
) -> None:
    """The same, often."""
    check(con, QUERIES[name], before, after)


def keys(con: duckdb.DuckDBPyConnection, sql: str, news: dict[TableName, Sequence[str]]) -> list[object]:
    found = group_expressions(parse(sql, Path("m.sql")), ["k"])
    assert isinstance(found, GroupKey)
    con.execute(f"DROP VIEW IF EXISTS narrowed; DROP TABLE IF EXISTS {GROUPS}")
    con.execute(create_groups(found, news))
    return [row[0] for row in con.execute(f"SELECT _mp_g0 FROM {GROUPS} ORDER BY ALL").fetchall()]


def test_a_changed_row_of_a_joined_table_changes_the_groups_that_may_meet_it_alone(
    con: duckdb.DuckDBPyConnection,
) -> None:
    """One late row heals the facts that name it; those that name nobody are left as they are."""
    put(con, "silver", ([(1, 7, 0, None), (2, 7, 0, None), (3, 8, 0, None), (4, None, 0, None)], [(9, 7, 0, "a")], []))
    late = {TABLES[1]: ("SELECT 9 AS id, 7 AS a, 0 AS b, 'a' AS v",)}
    assert keys(con, QUERIES["left"], late) == [1, 2]
    assert keys(con, QUERIES["left"], {TABLES[1]: ("SELECT 9 AS id, NULL::INTEGER AS a, 0 AS b, 'a' AS v",)}) == []
    assert keys(con, QUERIES["null"], {TABLES[1]: ("SELECT 9 AS id, NULL::INTEGER AS a, 0 AS b, 'a' AS v",)}) == [4]
    assert keys(con, QUERIES["left"], {TABLES[2]: ("SELECT 1 AS id, 7 AS a, 0 AS b, 'a' AS v",)}) == []


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT f.id AS k FROM silver.x AS f RIGHT JOIN silver.y AS d ON f.a = d.a", "a RIGHT join"),
        ("SELECT f.id AS k FROM silver.x AS f CROSS JOIN silver.y AS d", "a CROSS join"),
        (
            "SELECT f.id AS k FROM silver.x AS f JOIN (SELECT a FROM silver.y JOIN silver.x USING (a)) AS d USING (a)",
            "is made of other tables too",
        ),
        ("SELECT f.id AS k FROM silver.x AS f JOIN silver.x AS d ON f.a = d.b", "it joins silver.x to itself"),
        ("SELECT d.id AS k FROM silver.x AS f JOIN silver.y AS d ON f.a = d.b", "k is not told to be made of one row"),
        ("SELECT id AS k FROM silver.x AS f JOIN silver.y AS d ON f.a = d.b", "k is not told to be made of one row"),
        ("SELECT f.v AS k, sum(f.a) OVER (ORDER BY f.id) AS s FROM silver.x AS f JOIN silver.y USING (a)", "keys meet"),
        ("SELECT f.id AS k FROM silver.x AS f WHERE f.a IN (SELECT a FROM silver.y)", "a subquery"),
        ("SELECT f.id AS k FROM (SELECT 1 AS id) AS f JOIN silver.y AS d ON f.id = d.a", "it reads no table"),
    ],
)
def test_why_groups_are_not_found_is_said(sql: str, reason: str) -> None:
    """The reason is what the plan tells."""
    found = group_expressions(parse(sql, Path("m.sql")), ["k"])
    assert isinstance(found, str)
    assert reason in found
