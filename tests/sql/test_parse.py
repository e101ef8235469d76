"""Reading SQL: places, and only errors of our own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from millpond.core.errors import Location, ModelError
from millpond.sql.parse import parse
from millpond.sql.written import locate

MODEL = Path("models/silver/m.sql")
WORDS = st.sampled_from(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "a",
        "b",
        "silver.x",
        "(",
        ")",
        ",",
        ";",
        "*",
        "+",
        "'x'",
        '"y"',
        "1",
        "::",
        "INTEGER",
        "WITH",
        "AS",
        "--",
        "/*",
        "*/",
        "'",
        "[",
        "]",
        "{",
        "}",
        "CASE",
        "END",
        "$$",
        "é",
        "\n",
        "JOIN",
    ]
)


@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    """No text leads to an error that is not a model's, and every place lies in the text."""
    try:
        query = parse(text, MODEL)
    except ModelError as refused:
        where = refused.finding.where
        assert where is not None
        assert where.line <= text.count("\n") + 1
        if where.column:
            assert where.column <= len(text.split("\n")[where.line - 1]) + 1
        return
    assert parse(query.text(), MODEL).text() == query.text()


def test_deep_nesting_is_refused() -> None:
    """A query too deep for the reader is an error with a place, not a crash."""
    with pytest.raises(ModelError, match="too deeply"):
        parse("SELECT " + "(" * 3000 + "1" + ")" * 3000, MODEL)


def test_places_are_those_of_the_authors_text() -> None:
    """Front matter is blanked before parsing, so lines and columns are the file's own."""
    query = parse("   \n      \nSELECT a,\n  déjà + b AS c\nFROM silver.x", MODEL)
    added = query.tree.expressions[1].this
    assert query.place(added) == Location(MODEL, 4, 3, 8)
    assert query.place(exp.column("elsewhere")) == Location(MODEL)


@given(st.text(alphabet="ab\n", max_size=30), st.data())
def test_an_offset_is_found_again_by_line_and_column(text: str, data: st.DataObject) -> None:
    """Lines and columns count from 1; no length reaches over the end of its line."""
    offset = data.draw(st.integers(0, max(0, len(text) - 1)))
    where = locate(text, MODEL, offset, 99)
    lines = text.split("\n")
    assert sum(len(line) + 1 for line in lines[: where.line - 1]) + where.column - 1 == offset
    assert where.column - 1 + where.length <= max(len(lines[where.line - 1]), where.column)


def test_comments_are_not_part_of_the_query() -> None:
    """What runs has no comments: a comment cannot change what it says."""
    assert parse("SELECT /* a */ 1 AS one -- b\n", MODEL).text() == "SELECT 1 AS one"
    assert parse("SELECT 1 AS one; -- the end\n", MODEL).text() == "SELECT 1 AS one"
