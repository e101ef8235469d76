"""A view's query in the place of its name: what is read afterwards is one query over tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import Location, ModelError
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.project.sql_file import SqlFile
from millpond.sql.engines import in_dialects
from millpond.sql.parse import parse
from millpond.sql.references import Reference
from millpond.sql.views import expand_views, in_circle
from millpond.sql.written import Written

READER = Path("reader.sql")
VIEWS = {
    TableName("gold", "v"): "-- of note\nSELECT a, b FROM silver.x -- the end\n;",
    TableName("silver", "v"): "FROM bronze.y",
}


def query_of(reference: Reference) -> Written:
    """The query of one of the views."""
    return Written.of(SqlFile(Path(f"{reference.table}.sql"), VIEWS[reference.table]))


def told(sql: str) -> str:
    """The text without views."""
    return expand_views(Written.of(SqlFile(READER, sql)), READER, VIEWS, query_of)[0].sql


V = "(SELECT a, b FROM silver.x)"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM gold.v", f'SELECT * FROM {V} AS "v"'),
        ("FROM Gold.V -- all", f'FROM {V} AS "v" -- all'),
        ('FROM "gold"."v" AS w', f"FROM {V} AS w"),
        ("FROM gold.v w(c, d)", f"FROM {V} w(c, d)"),
        ("SELECT v.a, gold.v.b, gold.v.* FROM gold.v", f'SELECT v.a, "v".b, "v".* FROM {V} AS "v"'),
        (
            "SELECT gold.v.b FROM gold.v JOIN silver.v USING (a)",
            f'SELECT "gold.v".b FROM {V} AS "gold.v" JOIN (FROM bronze.y) AS "silver.v" USING (a)',
        ),
        ("WITH v AS (SELECT 1) SELECT * FROM v", "WITH v AS (SELECT 1) SELECT * FROM v"),
        ("WITH v AS (FROM gold.v) SELECT * FROM v", f'WITH v AS (FROM {V} AS "v") SELECT * FROM v'),
        ("SELECT v FROM gold.w WHERE x IN (SELECT a FROM gold.v)", None),
        ("SELECT gold.v FROM bronze.gold", "SELECT gold.v FROM bronze.gold"),
    ],
)
def test_names_in_from_give_way_and_nothing_else(sql: str, expected: str | None) -> None:
    """Aliases, full names, subqueries, common table expressions of the same name."""
    wanted = expected or f'SELECT v FROM gold.w WHERE x IN (SELECT a FROM {V} AS "v")'
    assert told(sql) == wanted
    parse(wanted, READER)


def test_each_word_knows_whose_it_is() -> None:
    """A column of the view stands in the view's file, one of the reader in the reader's."""
    written, read = expand_views(Written.of(SqlFile(READER, "SELECT a\nFROM gold.v")), READER, VIEWS, query_of)
    assert written.place(written.sql.index("b FROM"), 1) == Location(Path("gold.v.sql"), 2, 11)
    assert written.place(7, 1) == Location(READER, 1, 8)
    assert read == (Reference(TableName("gold", "v"), Location(READER, 2, 6, 6)),)


def test_a_query_that_would_become_too_long_is_refused() -> None:
    """Views that join views double what they read."""
    long = Written.of(SqlFile(Path("v.sql"), f"SELECT '{'x' * 200_000}' AS a"))
    with pytest.raises(ModelError) as refused:
        expand_views(Written.of(SqlFile(READER, "FROM gold.v, gold.v w")), READER, VIEWS, lambda _: long)
    assert (refused.value.code, refused.value.finding.where) == ("MP-2110", Location(READER, 1, 6, 6))


def test_a_circle_is_the_same_from_wherever_it_is_met() -> None:
    """It begins with the least name, and points at where that is read."""
    steps = [Reference(TableName("gold", name), Location(Path(f"reads_{name}.sql"), 1)) for name in "bca"]
    wrong = in_circle(steps, Reference(steps[0].table, Location(Path("reads_b.sql"), 9)))
    again = in_circle([*steps[1:], steps[0]], steps[1])
    assert wrong.finding.message == again.finding.message
    assert wrong.finding.message.endswith("gold.a <- gold.b <- gold.c <- gold.a")
    assert wrong.finding.where == again.finding.where == Location(Path("reads_a.sql"), 1)


@pytest.mark.parametrize(
    ("sql", "dialects"),
    [
        ("SELECT a::INT AS a, count(*) AS n FROM silver.x GROUP BY a", ["duckdb", "spark", "trino"]),
        ("SELECT sum(a) OVER (PARTITION BY b) AS s FROM silver.x", ["duckdb", "spark", "trino"]),
        ("SELECT list_grade_up(a) AS a FROM silver.x", ["duckdb"]),
        ("SELECT * EXCLUDE (a) FROM silver.x", ["duckdb"]),
    ],
)
def test_other_dialects_are_given_where_every_part_is_known(sql: str, dialects: list[str]) -> None:
    """A function that nobody knows, or a star with exceptions, is not handed on in hope."""
    assert list(in_dialects(parse(sql, READER), Schema(()))) == dialects


def test_other_dialects_give_the_types_of_the_view() -> None:
    """What they would compute by themselves may be of another type."""
    columns = Schema((Column("a", "DOUBLE"), Column("t", "TIMESTAMP")))
    texts = in_dialects(parse("SELECT a / 2 AS a, t FROM silver.x", READER), columns)
    assert texts["duckdb"] == "SELECT a / 2 AS a, t FROM silver.x"
    assert texts["trino"].startswith('SELECT CAST("a" AS DOUBLE) AS "a", CAST("t" AS TIMESTAMP(6)) AS "t" FROM (SELECT')
    assert texts["spark"] == (
        "SELECT CAST(`a` AS DOUBLE) AS `a`, CAST(`t` AS TIMESTAMP_NTZ) AS `t` "
        "FROM (SELECT `a` / 2 AS `a`, `t` FROM `silver`.`x`) AS `v`"
    )
