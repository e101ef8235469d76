"""Dependencies come from the SQL alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.errors import ModelError
from millpond.sql.columns import output_columns
from millpond.sql.parse import parse
from millpond.sql.references import inputs, volatile

MODEL = Path("m.sql")


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT * FROM silver.a", ["silver.a 1:15"]),
        ('SELECT * FROM "Silver"."A" AS x, gold.b', ["silver.a 1:15", "gold.b 1:34"]),
        ("SELECT (SELECT max(x) FROM gold.b) FROM silver.a WHERE y IN (FROM bronze.c)", None),
        (
            "WITH a AS (SELECT * FROM silver.a) SELECT * FROM a JOIN silver.b USING (x)",
            ["silver.a 1:26", "silver.b 1:57"],
        ),
        ("WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b", []),
        (
            "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT * FROM n, silver.a",
            ["silver.a 1:84"],
        ),
        ("SELECT * FROM range(3), silver.a, unnest([1])", ["silver.a 1:25"]),
        ("SELECT * FROM silver.a UNION ALL SELECT * FROM silver.a", ["silver.a 1:15", "silver.a 1:48"]),
        ("FROM quarantine.records", ["quarantine.records 1:6"]),
    ],
)
def test_every_mention_of_a_table_is_found(sql: str, tables: list[str] | None) -> None:
    """With its place, and without the common table expressions."""
    found = [f"{one.table} {one.where.line}:{one.where.column}" for one in inputs(parse(sql, MODEL))]
    assert found == (tables if tables is not None else ["gold.b 1:28", "silver.a 1:41", "bronze.c 1:67"])


@pytest.mark.parametrize(
    ("sql", "suggestion"),
    [
        ("FROM sliver.positions", "silver.positions"),
        ("FROM lake.gold.trips", "gold.trips"),
        ("FROM positions", None),
    ],
)
def test_a_wrong_layer_is_corrected(sql: str, suggestion: str | None) -> None:
    """The nearest layer is suggested with the name."""
    with pytest.raises(ModelError) as caught:
        inputs(parse(sql, MODEL))
    assert caught.value.finding.suggestion == suggestion


def test_calls_that_answer_differently_each_time_are_told() -> None:
    """With name and place, so that `check` can warn."""
    query = parse("SELECT random() AS r, now() AS n, current_date AS d, upper(a) AS u FROM silver.a", MODEL)
    assert [(name, where.column) for name, where in volatile(query)][:2] == [("random", 8), ("now", 23)]
    assert [name for name, _ in volatile(query)] == ["random", "now", "current_date"]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT a, b AS c, d: 1, s.f, s.f.g.h.i AS j FROM silver.a AS s", ("a", "c", "d", "f", "j")),
        ("SELECT * FROM silver.a", None),
        ("SELECT s.*, 1 AS x FROM silver.a AS s", None),
        ("SELECT COLUMNS('a.*') FROM silver.a", None),
        ("SELECT max(COLUMNS(*)) FROM silver.a", None),
        ("SELECT count(*) AS n FROM silver.a", ("n",)),
        ("(SELECT a FROM silver.a UNION ALL SELECT b FROM silver.a)", ("a",)),
        ("SELECT a FROM silver.a UNION ALL BY NAME SELECT b FROM silver.a", None),
        ("WITH s AS (SELECT 1 AS x) SELECT x AS y FROM s", ("y",)),
    ],
)
def test_output_columns_are_named_or_hidden(sql: str, names: tuple[str, ...] | None) -> None:
    """None where only the engine can tell."""
    assert output_columns(parse(sql, MODEL)) == names
