"""Reading what an author wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from millpond.core.errors import ProjectError
from millpond.project.text_file import LARGEST, line_and_column, read


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"a: 1\nb: 2\n", "a: 1\nb: 2\n"),
        (b"a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        (b"a: 1\rb: 2", "a: 1\nb: 2"),
        (b"\xef\xbb\xbfa: \xc3\xa9", "a: é"),
        (b"", ""),
    ],
    ids=["unix", "windows", "old mac", "byte order mark", "empty"],
)
def test_text_reads_the_same_whoever_saved_it(tmp_path: Path, raw: bytes, text: str) -> None:
    """Line ends and a byte order mark make no difference."""
    path = tmp_path / "a.yaml"
    path.write_bytes(raw)
    assert read(path) == text


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [
        (b"a: 1\nname: caf\xe9\n", 2, 10),
        (b"a: 1\r\n\xff\xff", 2, 1),
        (b"\xff\xfea\x00", 1, 0),
        (b"a\nPAR1\x00\x00", 2, 0),
        (b"\xef\xbb\xbfab\xff", 1, 3),
    ],
    ids=["latin-1", "noise", "utf-16", "binary", "after a byte order mark"],
)
def test_what_is_not_utf8_is_refused_at_its_place(tmp_path: Path, raw: bytes, line: int, column: int) -> None:
    """The first byte that does not fit is pointed at."""
    path = tmp_path / "a.sql"
    path.write_bytes(raw)
    with pytest.raises(ProjectError) as caught:
        read(path)
    where = caught.value.finding.where
    assert where is not None
    assert (caught.value.code, where.line, where.column) == ("MP-1003", line, column)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a broken link and a pipe are named and not waited for."""
    (tmp_path / "folder.sql").mkdir()
    (tmp_path / "link.sql").symlink_to(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe.sql")
    for name in ("folder.sql", "link.sql", "pipe.sql"):
        with pytest.raises(ProjectError) as caught:
            read(tmp_path / name)
        assert caught.value.code == "MP-1002"


def test_what_cannot_be_read_is_an_error_with_a_reason(tmp_path: Path) -> None:
    """The system's own words are kept."""
    with pytest.raises(ProjectError, match="cannot be read: File name too long") as caught:
        read(tmp_path / ("x" * 5000))
    assert caught.value.code == "MP-1002"


def test_data_in_the_wrong_folder_is_not_read(tmp_path: Path) -> None:
    """Nobody writes megabytes by hand."""
    path = tmp_path / "dump.sql"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(ProjectError) as caught:
        read(path)
    assert caught.value.code == "MP-1029"


def test_places_count_from_one() -> None:
    """The first sign of a text is at 1:1."""
    assert [line_and_column("ab\ncd", index) for index in (0, 1, 3, 4)] == [(1, 1), (1, 2), (2, 1), (2, 2)]
