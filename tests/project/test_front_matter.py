"""Taking a model's file apart."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.errors import ProjectError
from millpond.project.front_matter import split

PATH = Path("m.sql")


def test_each_part_keeps_its_lines_and_columns() -> None:
    """Where one part has words, the other has blanks."""
    text = "\n/*---\nkind: append\n---*/ SELECT 1\nFROM t"
    parts = split(text, PATH)
    assert parts.yaml == "\n     \nkind: append\n"
    assert parts.sql == "\n     \n            \n      SELECT 1\nFROM t"


def test_front_matter_may_stand_in_one_line() -> None:
    """With the same places."""
    parts = split("/*--- kind: append ---*/\nSELECT 1", PATH)
    assert parts.yaml == "      kind: append "
    assert parts.sql == " " * 24 + "\nSELECT 1"


@pytest.mark.parametrize("text", ["SELECT 1", "-- note\nSELECT 1", "/* note */ SELECT 1", "/*------*/ SELECT 1", ""])
def test_a_model_needs_no_front_matter(text: str) -> None:
    """Other comments are comments."""
    parts = split(text, PATH)
    assert (parts.yaml, parts.sql) == ("", text)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("/*---\nkind: append\nSELECT 1", "MP-1020", 1, 1),
        ("/*---\na: '*/'\n---*/", "MP-1031", 2, 5),
        ("/*---\na: /* b\n---*/", "MP-1031", 2, 4),
        ("SELECT 1\n  /*---\nkind: append\n---*/", "MP-1032", 2, 3),
    ],
)
def test_what_would_not_be_read_as_meant_is_refused(text: str, code: str, line: int, column: int) -> None:
    """Unclosed, broken by a comment sign, or in the wrong place."""
    with pytest.raises(ProjectError) as caught:
        split(text, PATH)
    where = caught.value.finding.where
    assert where is not None
    assert (caught.value.code, where.line, where.column) == (code, line, column)


@given(st.text("a: \n-'", max_size=40), st.text("SELECT 1\n-'", max_size=40))
def test_the_parts_make_up_the_file(matter: str, sql: str) -> None:
    """No sign is lost, and none is in both parts."""
    text = f"/*---\n{matter}\n---*/{sql}"
    parts = split(text, PATH)
    assert len(parts.sql) == len(text)
    whole = parts.yaml.ljust(len(text))
    for sign, in_yaml, in_sql in zip(text, whole, parts.sql, strict=True):
        assert {sign, "/", "*", "-", " "} >= {in_yaml, in_sql}
        assert sign.isspace() or sign in "/*-" or sign in (in_yaml, in_sql)
