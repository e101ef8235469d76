"""Softened queries, run by the engine: nothing stops, nothing is lost, nothing else changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from millpond.core.names import TableName
from millpond.sql.casts import Softened, soften
from millpond.sql.parse import Query, parse
from millpond.sql.rewrite import add_columns, replace_inputs

MODEL = Path("models/silver/m.sql")
TEXTS = st.sampled_from([None, "1", "7", "-3", "x", "", "2024-01-01", "1e2", "999999999999", "[1, 2]", "[1, x]"])
KINDS = st.sampled_from([None, "n", "d", "o"])
ROWS = st.lists(st.tuples(KINDS, TEXTS, TEXTS, TEXTS), max_size=6)
CASTS = ("a::INTEGER", "b::DATE", "c::SMALLINT", "a::DOUBLE::TINYINT", "strptime(b, '%Y-%m-%d')", "c::INTEGER[]")
CONDITIONS = (
    "k = 'n'",
    "a IS NOT NULL",
    "length(b) > 1",
    "a::INTEGER > 3",
    "b::DATE > '2023-01-01'",
    "c::SMALLINT = 7",
)


def expressions() -> st.SearchStrategy[str]:
    """Projections with casts, also behind conditions."""
    cast = st.sampled_from(CASTS)
    condition = conditions()
    return st.one_of(
        cast,
        st.builds("CASE WHEN {} THEN {}::VARCHAR ELSE {}::VARCHAR END".format, condition, cast, cast),
        st.builds("if({}, {}::VARCHAR, k)".format, condition, cast),
        st.builds("coalesce(k, {}::VARCHAR, {}::VARCHAR)".format, cast, cast),
        st.builds("CASE k WHEN 'n' THEN {} END".format, cast),
        st.builds("({})".format, condition),
    )


def conditions() -> st.SearchStrategy[str]:
    """Filters by AND, OR and NOT, with casts and without."""
    return st.recursive(
        st.sampled_from(CONDITIONS),
        lambda inner: st.one_of(
            st.builds("({} AND {})".format, inner, inner),
            st.builds("({} OR {})".format, inner, inner),
            st.builds("(NOT {})".format, inner),
        ),
        max_leaves=4,
    )


def queries() -> st.SearchStrategy[str]:
    """Row-preserving queries: plain, through a subselect, through a common table expression."""
    return st.one_of(
        st.builds(
            "SELECT id, {} AS x, {} AS y FROM bronze.t WHERE {}".format, expressions(), expressions(), conditions()
        ),
        st.builds(
            "SELECT id, x, {} AS z FROM (SELECT *, {} AS x FROM bronze.t WHERE {}) WHERE x IS NOT NULL AND {}".format,
            expressions(),
            expressions(),
            conditions(),
            conditions(),
        ),
        st.builds(
            "WITH s AS (SELECT id, k, a, b, c, {} AS x FROM bronze.t) SELECT * FROM s WHERE {} OR x IS NULL".format,
            expressions(),
            conditions(),
        ),
        st.builds("SELECT id, {} AS x FROM bronze.t WHERE x IS NOT NULL".format, expressions()),
    )


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA bronze")
        connection.execute("CREATE TABLE bronze.t (id INTEGER, k VARCHAR, a VARCHAR, b VARCHAR, c VARCHAR)")
        yield connection


@pytest.fixture(scope="module")
def plain(con: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same database without the optimizer, which evaluates common parts of lazy branches ahead of time."""
    with con.cursor() as cursor:
        cursor.execute("PRAGMA disable_optimizer")
        yield cursor


def fill(con: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, ...]]) -> None:
    con.execute("DELETE FROM bronze.t")
    if rows:
        con.executemany("INSERT INTO bronze.t VALUES (?, ?, ?, ?, ?)", [(i, *row) for i, row in enumerate(rows)])


def softened(sql: str) -> Softened:
    return soften(parse(sql, MODEL))


def run(con: duckdb.DuckDBPyConnection, query: Query | str) -> list[dict[str, object]]:
    answer = con.execute(query if isinstance(query, str) else query.text())
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, sql=queries())
def test_softened_queries_give_what_strict_ones_give_row_by_row(
    con: duckdb.DuckDBPyConnection,
    plain: duckdb.DuckDBPyConnection,
    rows: list[tuple[str | None, ...]],
    sql: str,
) -> None:
    """Where the strict query has an answer for a row, so has the soft one, unflagged; where it stops, the row is
    flagged, or a part of a filter throws it out without the cast.
    """
    soft = softened(sql)
    flags = [cast.output for cast in soft.casts]
    fill(con, rows)
    found = {row["id"]: row for row in run(con, soft.query)}
    for number, row in enumerate(rows):
        con.execute("CREATE OR REPLACE TABLE one AS FROM bronze.t WHERE id = ?", [number])
        strict = replace_inputs(parse(sql, MODEL), {TableName("bronze", "t"): "one"})
        mine = found.get(number)
        flagged = mine is not None and any(mine[flag] is not None for flag in flags)
        try:
            expected = run(plain, strict)
        except duckdb.Error:
            assert flagged or (mine is None and thrown_out(plain, sql)), (row, sql)
            continue
        assert not flagged, (row, sql)
        assert [{name: value for name, value in (mine or {}).items() if name not in flags}] == (expected or [{}])


def thrown_out(con: duckdb.DuckDBPyConnection, sql: str) -> bool:
    """Whether a part of a filter that the engine can evaluate alone throws out the row in `one`."""
    tree = parse(sql, MODEL).tree
    made = {item.alias: item.this for item in tree.find_all(exp.Alias)}

    def told(node: exp.Expr) -> exp.Expr:
        """An `x` of the level below, or an alias, as what it is made of."""
        return exp.Paren(this=made[node.name].copy()) if isinstance(node, exp.Column) and node.name in made else node

    for where in tree.find_all(exp.Where):
        for part in joined_by_and(where.this):
            alone = exp.select("1").from_("one").where(part.copy().transform(told))
            try:
                if not con.execute(alone.sql("duckdb")).fetchall():
                    return True
            except duckdb.Error:
                continue
    return False


def joined_by_and(node: exp.Expr) -> Iterator[exp.Expr]:
    """The parts of a filter, through parentheses."""
    inner = node.unnest()
    if isinstance(inner, exp.And):
        yield from joined_by_and(inner.this)
        yield from joined_by_and(inner.expression)
    else:
        yield inner


def test_the_bike_shares_bad_dates_are_flagged_with_their_text(con: duckdb.DuckDBPyConnection) -> None:
    """The dash in a date column becomes NULL with the dash beside it; good rows have no flag."""
    con.execute(
        "CREATE OR REPLACE TABLE bronze.positions_raw AS SELECT * FROM (VALUES "
        "('r1', '1,024', 'u', '2018-06-28 12:00:00+00', '42.3'), ('r1', '7', 'u', '-', '42.3')) "
        'AS v("Route ID", Bike, "User ID", Date, Latitude)'
    )
    soft = softened(
        "SELECT \"Route ID\" AS route_id, replace(Bike, ',', '')::INTEGER AS bike_id, "
        "(Date::TIMESTAMPTZ AT TIME ZONE 'UTC') AS ts, Latitude::DOUBLE AS latitude FROM bronze.positions_raw"
    )
    assert [(cast.column, cast.type) for cast in soft.casts] == [
        ("bike_id", "INT"),
        ("ts", "TIMESTAMPTZ"),
        ("latitude", "DOUBLE"),
    ]
    assert [(row["bike_id"], row["ts"] is None, row["_cast_0"], row["_cast_1"]) for row in run(con, soft.query)] == [
        (1024, False, None, None),
        (7, True, None, "-"),
    ]


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("SELECT a::INTEGER AS x FROM bronze.t", ["a::INTEGER"]),
        (
            "SELECT\n  CAST(a AS DECIMAL(10, 2)) AS x,\n  b::DATE[] AS y\nFROM bronze.t",
            ["CAST(a AS DECIMAL(10, 2))", "b::DATE[]"],
        ),
        (
            "SELECT k FROM bronze.t WHERE replace(a, ',', '')::INTEGER > 3 AND (b)::DATE = '2024-01-01'",
            ["replace(a, ',', '')::INTEGER", "b)::DATE"],
        ),
    ],
)
def test_every_cast_knows_where_its_author_wrote_it(sql: str, texts: list[str]) -> None:
    """Line, column and length cover the cast with its operand and type."""
    places = [cast.where for cast in softened(sql).casts]
    lines = sql.split("\n")
    assert [lines[at.line - 1][at.column - 1 : at.column - 1 + at.length] for at in places] == texts


def test_casts_that_only_filter_feed_no_column() -> None:
    """A flag of a filter has no output column; one that is renamed on its way out has the outer name."""
    soft = softened(
        "WITH s AS (SELECT a::INTEGER AS y FROM bronze.t WHERE b::DATE > '2024-01-01') SELECT y AS z FROM s"
    )
    assert [(cast.column, cast.type) for cast in soft.casts] == [("z", "INT"), ("", "DATE")]


def test_a_failure_is_seen_through_an_alias_of_an_alias(con: duckdb.DuckDBPyConnection) -> None:
    """`x` failed, `y` was made of it, the filter looks at `y`: the row stays and is flagged."""
    fill(con, [("n", "bad", None, None)])
    soft = softened("SELECT id, a::INTEGER AS x, x + 1 AS y FROM bronze.t WHERE y > 3")
    assert [row["_cast_0"] for row in run(con, soft.query)] == ["bad"]


BAD = "a::INTEGER > 3"


@pytest.mark.parametrize(
    ("said", "failing"),
    [
        (f"SELECT id, CASE WHEN k = 'n' AND {BAD} THEN 1 ELSE 2 END AS x FROM bronze.t", "n"),
        (f"SELECT id, CASE WHEN {BAD} AND k = 'n' THEN 1 ELSE 2 END AS x FROM bronze.t", "n d NULL"),
        (f"SELECT id, CASE WHEN k = 'n' OR {BAD} THEN 1 ELSE 2 END AS x FROM bronze.t", "d NULL"),
        (f"SELECT id, if((k = 'n' AND {BAD}) OR a = '', 1, 2) AS x FROM bronze.t", "n"),
        (f"SELECT id, CASE WHEN NOT (k = 'n' AND {BAD}) THEN 1 END AS x FROM bronze.t", "n d NULL"),
        (f"SELECT id, CASE true WHEN k = 'n' AND {BAD} THEN 1 END AS x FROM bronze.t", "n d NULL"),
        (f"SELECT id, (k = 'n' AND {BAD}) AS x FROM bronze.t", "n d NULL"),
        (f"SELECT id, coalesce(k = 'n' OR {BAD}, true) AS x FROM bronze.t", "n d NULL"),
        (f"SELECT id FROM bronze.t WHERE k = 'n' AND {BAD}", "n"),
        (f"SELECT id FROM bronze.t WHERE {BAD} AND k = 'n'", "n"),
        (f"SELECT id FROM bronze.t WHERE {BAD} OR k = 'n'", "n d NULL"),
        (f"SELECT id FROM bronze.t WHERE k = 'n' OR {BAD}", "d NULL"),
        (f"SELECT id FROM bronze.t WHERE NOT (k = 'n' OR {BAD})", "n d NULL"),
        ("SELECT id, a::INTEGER IS NULL AS x FROM bronze.t WHERE NOT x", "n d NULL"),
        (f"SELECT id, (k = 'n' AND {BAD}) AS x FROM bronze.t WHERE x IS NULL", "n d NULL"),
    ],
)
@pytest.mark.parametrize("count", [1, 3000], ids=["one row of each", "batches"])
def test_a_failure_counts_where_the_engine_comes_to_it(
    con: duckdb.DuckDBPyConnection, count: int, said: str, failing: str
) -> None:
    """`k` is 'n', 'd' or NULL, and `a` is no number: the rows that stop the strict query are flagged, and no others."""
    con.execute("DELETE FROM bronze.t")
    con.execute(
        "INSERT INTO bronze.t SELECT i % 3, ['n', 'd', NULL][i % 3 + 1], 'x', NULL, NULL FROM range(3 * ?) r(i)",
        [count],
    )
    soft = softened(said)
    rows = run(con, soft.query)
    flagged = [row["id"] for row in rows if any(row[cast.output] is not None for cast in soft.casts)]
    kinds = ["n", "d", "NULL"]
    assert sorted(flagged) == sorted([kinds.index(kind) for kind in failing.split()] * count)
    for number, kind in enumerate(kinds):
        con.execute("CREATE OR REPLACE TABLE one AS FROM bronze.t WHERE id = ?", [number])
        strict = replace_inputs(parse(said, MODEL), {TableName("bronze", "t"): "one"})
        if kind in failing.split():
            with pytest.raises(duckdb.ConversionException):
                run(con, strict)
        else:
            run(con, strict)


def test_casts_inside_lambdas_stay_strict_and_are_told() -> None:
    """No column can say which element of which list failed, so the cast is left and its place is reported."""
    soft = softened("SELECT list_transform([a], lambda v: v::INTEGER) AS x, [v::DATE FOR v IN [b]] AS y FROM bronze.t")
    assert soft.casts == ()
    assert [where.line for where in soft.strict] == [1, 1]


def test_origin_columns_pass_through_softened_queries(con: duckdb.DuckDBPyConnection) -> None:
    """Flags and carried columns stand side by side at the end."""
    fill(con, [("n", "bad", None, None)])
    soft = softened("SELECT a::INTEGER AS x FROM (SELECT * FROM bronze.t) WHERE a <> ''")
    row = run(con, add_columns(soft.query, ["id", "k"]))[0]
    assert row == {"x": None, "_cast_0": "bad", "id": 0, "k": "n"}


def test_text_that_is_no_json_is_flagged(con: duckdb.DuckDBPyConnection) -> None:
    """The run does not stop at a malformed document; a missing key is no failure."""
    fill(
        con,
        [("n", '{"x": 1}', None, None), ("n", "{bad", None, None), ("n", None, None, None), ("n", "{}", None, None)],
    )
    soft = softened("SELECT (a -> 'x') ->> '$' AS x, json_extract_string(a, '$.y') AS y FROM bronze.t")
    assert [(row["x"], row["_cast_0"], row["_cast_1"]) for row in run(con, soft.query)] == [
        ("1", None, None),
        (None, "{bad", "{bad"),
        (None, None, None),
        (None, None, None),
    ]
    assert [cast.type for cast in soft.casts] == ["JSON", "JSON"]
