"""What a person says a record should be, read from words and files."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from millpond.core.errors import QualityError
from millpond.quality.edits import Assignments, assignments, changed, edited


def test_words_set_unset_and_compute_columns() -> None:
    """Only the first sign of equality counts; a text may be empty."""
    assert assignments(["a=1=2", "b="], ["c"], ["d=a || '='"]) == Assignments(
        {"a": "1=2", "b": "", "c": None}, {"d": "a || '='"}
    )


@pytest.mark.parametrize("words", [["a"], ["=1"], ["a=1", "A=2"]])
def test_words_that_set_nothing_or_twice_are_refused(words: list[str]) -> None:
    """Rather than guessed at."""
    with pytest.raises(QualityError) as refused:
        assignments(words, (), ())
    assert refused.value.code == "MP-6126"


def test_numbers_keep_their_digits_and_notes_are_left_out(tmp_path: Path) -> None:
    """What begins with `_` is ours, but for what was rescued."""
    path = tmp_path / "edited"
    path.write_text(
        '\n{"_id": "ab", "_value": 1, "n": 1.10, "t": {"x": [1.0]}, "_rescued": "{}"}\n', encoding="utf-8-sig"
    )
    (line,) = edited(path)
    assert (line.id, line.part, line.where.line) == ("ab", 1, 2)
    assert line.fields == {"n": Decimal("1.10"), "t": {"x": [Decimal("1.0")]}, "_rescued": "{}"}


def test_csv_may_hold_line_ends_and_its_empty_fields_are_null(tmp_path: Path) -> None:
    """The place of a record is its last line."""
    path = tmp_path / "edited"
    path.write_text('_id,_part,note,n\r\nab,2,"one\ntwo",\r\n')
    (line,) = edited(path)
    assert (line.part, line.fields, line.where.line) == (2, {"note": "one\ntwo", "n": None}, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe{",
        b'{"_id": "a"}\nno json\n',
        b'{"_id": "a"}\n[]\n',
        b'{"_id": "a"}\n{"_id": "a", "n": 1}\n',
        b'{"n": 1}\n',
        b'{"_id": 7}\n',
        b'{"_id": "a", "_part": "x"}\n',
        b'{"_id": "a", "n": "\\ud800"}\n',
        b'{"_id": "a", "n": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b"_id,n\na\n",
        b'_id,n\na,"1\n',
        b"id,n\na,1\n",
    ],
    ids=range(13),
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    """With what is wrong, and where."""
    path = tmp_path / "edited"
    path.write_bytes(content)
    with pytest.raises(QualityError) as refused:
        edited(path)
    assert refused.value.code == "MP-6126"


def test_columns_are_found_whatever_their_case() -> None:
    """The record keeps the names of its table."""
    assert changed({"Amount": "x", "b": 1}, {"aMOUNT": "2"}, ("Amount", "b")) == {"Amount": "2", "b": 1}
