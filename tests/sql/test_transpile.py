"""Models in other dialects: the rows are those that the dialect's own rules give, the places those of the author."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest
from sqlglot.dialects.dialect import Dialects

from millpond.core.errors import MillpondError
from millpond.project.model import Dialect
from millpond.project.sql_file import Shift, SqlFile
from millpond.sql import transpile as module
from millpond.sql.parse import parse_written
from millpond.sql.transpile import transpile
from millpond.sql.written import Written

FEBRUARY = date(2026, 2, 28)
MODEL = Path("/project/models/silver/m.sql")
QUERIES: list[tuple[str, str, tuple[Any, ...]]] = [
    ("bigquery", "SELECT SAFE_CAST(s AS INT64) AS a FROM `silver`.t", (None,)),
    ("bigquery", "SELECT DATE_DIFF(d, DATE '2026-01-01', DAY) AS a FROM `silver`.t", (30,)),
    ("bigquery", "SELECT ARRAY_LENGTH(SPLIT(s, '-')) AS a, IF(i > 4, 'x', `s`) AS b FROM silver.t", (2, "x")),
    ("bigquery", "SELECT * EXCEPT (s, d) FROM silver.t QUALIFY ROW_NUMBER() OVER (ORDER BY i) = 1", (5,)),
    ("snowflake", "SELECT IFF(i > 4, 'x', 'y') AS a, DATEADD(month, 1, d)::DATE AS b FROM silver.t", ("x", FEBRUARY)),
    ("snowflake", "SELECT ZEROIFNULL(NULL) + i AS a, s ILIKE 'A-%' AS \"b-c\" FROM silver.t", (5, True)),
    ("spark", "SELECT DATE_FORMAT(d, 'yyyy/MM') AS a, `i` DIV 2 AS b, i / 2 AS c FROM silver.t", ("2026/01", 2, 2.5)),
    (
        "postgres",
        "SELECT TO_CHAR(d, 'YYYY-MM') AS a, s ~ '^a' AS b, i::int / 2 AS c FROM silver.t",
        ("2026-01", True, 2),
    ),
    ("postgres", "SELECT 7 / 2 AS a, -7 / 2 AS b, 7 / 2.0 AS c, i * 1.0 / i AS d FROM silver.t", (3, -3, 3.5, 1.0)),
    ("mysql", "SELECT DATE_FORMAT(d, '%Y-%m') AS a, CONCAT(s, '!') AS b FROM `silver`.`t`", ("2026-01", "a-b!")),
    ("tsql", "SELECT TOP 1 ISNULL(s, 'z') AS a, LEN(s) AS b, [i] + 1 AS c FROM silver.t", ("a-b", 3, 6)),
    ("trino", "SELECT TRY_CAST(s AS BIGINT) AS a, cardinality(ARRAY[i]) AS b FROM silver.t", (None, 1)),
    ("trino", "SELECT 1e0 * i / 2 AS a, (i + 2.5) / i AS b FROM silver.t", (2.5, 1.5)),
    ("oracle", "SELECT NVL(s, 'z') AS a, DECODE(i, 5, 'five', 'other') AS b FROM silver.t", ("a-b", "five")),
    ("duckdb", "SELECT s[1] AS a, i // 2 AS b FROM silver.t", ("a", 2)),
]


def translated(sql: str, dialect: str) -> Written:
    """A model's text as the engine's SQL."""
    return transpile(SqlFile(MODEL, sql), dialect)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """The engine with a table of one row."""
    with duckdb.connect() as made:
        made.execute("CREATE SCHEMA silver; CREATE TABLE silver.t AS SELECT 5 AS i, 'a-b' AS s, DATE '2026-01-31' AS d")
        yield made


@pytest.mark.parametrize(("dialect", "sql", "expected"), QUERIES)
def test_a_query_gives_what_its_dialect_says(
    engine: duckdb.DuckDBPyConnection, dialect: str, sql: str, expected: tuple[Any, ...]
) -> None:
    """Functions, division, quotes and clauses of each dialect, with answers worked out by its own documentation."""
    found = engine.execute(translated(sql, dialect).sql).fetchall()
    assert [tuple(v.date() if hasattr(v, "date") else v for v in row) for row in found] == [expected]


@pytest.mark.parametrize(("dialect", "sql"), [(dialect, sql) for dialect, sql, _ in QUERIES])
def test_each_name_of_the_result_has_its_place(dialect: str, sql: str) -> None:
    """Whatever was moved or rewritten: where a name is said to stand, it does."""
    text = "\n ".join(sql.split(" "))
    written = translated(text, dialect)
    lines = text.split("\n")
    names = list(parse_written(written, MODEL).tree.find_all(module.exp.Identifier))
    assert names
    for name in names:
        start = name.meta.get("start")
        if start is None or name.name.startswith("_"):
            continue  # what the translation itself made up
        where = written.place(start, name.meta["end"] + 1 - start)
        there = lines[where.line - 1][where.column - 1 :].lstrip("`[\"'").lower()
        assert there.startswith(name.name.lower()), (name, where)


def test_a_place_is_right_after_a_variable_was_replaced() -> None:
    """Both moves are undone: that of the translation, and that of the variable."""
    file = SqlFile(MODEL, "SELECT IFF(12345 > i, 1, 2) AS a, s FROM silver.t", (Shift(1, 12, 4, 5),))
    written = transpile(file, "snowflake")
    where = written.place(written.sql.index('"s"'))
    assert (where.line, where.column) == (1, 34)


@pytest.mark.parametrize(
    ("dialect", "sql", "expected"),
    [
        ("bigquery", "SELECT i,\n  ARRAY_AGG(s LIMIT 3) AS a FROM silver.t GROUP BY 1", ("MP-1311", 2, 3)),
        ("snowflake", "SELECT i,\n  APPROX_TOP_K(i, 1, 2) AS a FROM silver.t", ("MP-1311", 2, 3)),
        ("clickhouse", "SELECT i FROM\n  silver.t FINAL", ("MP-1311", 2, 3)),
        ("mysql", "SELECT i FROM silver.t FOR UPDATE", ("MP-1311", 1, 8)),
        ("snowflake", "SELECT f.value FROM silver.t,\n LATERAL FLATTEN(input => s) f", ("MP-1311", 2, 27)),
        ("mysql", "SELECT `i` FROM\n silver.t WHERE", ("MP-2001", 2, 11)),
        ("mysql", "SELECT `i FROM silver.t", ("MP-2001", 0, 0)),
        ("spark", "INSERT INTO silver.t SELECT 1", ("MP-2003", 1, 0)),
        ("postgres", "SELECT\n  i / 2 AS a FROM silver.t", ("MP-1311", 2, 3)),
        ("tsql", "SELECT 1.5 + s / (1 + i) AS a FROM silver.t", ("MP-1311", 1, 14)),
    ],
)
def test_what_cannot_be_translated_is_told_at_its_place(dialect: str, sql: str, expected: tuple[str, int, int]) -> None:
    """The smallest part that is lost, or the word that is wrong, in the author's own text."""
    with pytest.raises(MillpondError) as wrong:
        translated(sql, dialect)
    where = wrong.value.finding.where
    assert where is not None
    assert (wrong.value.code, where.line, where.column) == expected


def test_places_that_are_not_sure_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where marking the names changes what is written, the file is all that is said."""
    monkeypatch.setattr(module, "_with_marks", lambda tree: module.exp.select("1"))
    written = translated("SELECT i FROM silver.t", "mysql")
    assert (written.sql, written.place(8)) == ('SELECT "i" FROM "silver"."t"', module.Location(MODEL))


def test_a_models_own_dialect_is_left_as_it_is() -> None:
    """DuckDB's SQL is not written anew."""
    sql = "select  i -- odd\nFROM silver.t"
    assert translated(sql, "duckdb").sql == sql


def test_every_dialect_is_known_to_the_translator() -> None:
    """The names that front matter takes."""
    assert set(get_args(Dialect)) <= {dialect.value for dialect in Dialects}


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        ("spark", "dayofweek(d)"),
        ("spark", "weekday(d)"),
        ("databricks", "dayofweek(d)"),
        ("mysql", "DAYOFWEEK(d)"),
        ("mysql", "WEEK(d)"),
        ("bigquery", "EXTRACT(DAYOFWEEK FROM d)"),
        ("bigquery", "EXTRACT(WEEK FROM d)"),
        ("tsql", "DATEPART(weekday, d)"),
        ("spark", "CAST(i AS DECIMAL)"),
        ("postgres", "i::NUMERIC"),
        ("bigquery", "CAST(i AS NUMERIC)"),
    ],
)
def test_what_means_something_else_by_the_same_name_is_refused(dialect: str, part: str) -> None:
    """The numbers of weekdays and weeks, and decimals without digits: the result would be wrong without a word."""
    with pytest.raises(MillpondError) as refused:
        translated(f"SELECT i,\n  {part} AS a FROM silver.t", dialect)
    assert refused.value.code == "MP-1311"
    assert refused.value.finding.where is not None
    assert refused.value.finding.where.line == 2


@pytest.mark.parametrize(
    ("dialect", "part", "number"),
    [("postgres", "EXTRACT(WEEK FROM d)", 5), ("spark", "weekofyear(d)", 5), ("tsql", "MONTH(d)", 1)],
)
def test_weeks_of_the_standard_are_translated(
    dialect: str, part: str, number: int, engine: duckdb.DuckDBPyConnection
) -> None:
    """ISO 8601 weeks are DuckDB's own."""
    found = translated(f"SELECT {part} AS a FROM silver.t", dialect)
    assert engine.execute(found.sql).fetchone() == (number,)
