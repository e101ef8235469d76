"""Findings as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.errors import Finding, Location
from millpond.core.excerpt import render


def rendered(
    folder: Path, text: str, line: int, column: int, length: int = 1, suggestion: str | None = None
) -> list[str]:
    """The lines of a finding at a place in a file of the given text."""
    path = folder / "a.yaml"
    path.write_bytes(text.encode())
    finding = Finding("MP-1006", "a message", "a step", Location(path, line, column, length), suggestion)
    return render(finding, folder=folder).split("\n")


def test_a_finding_shows_place_excerpt_caret_suggestion_and_next_step(tmp_path: Path) -> None:
    """Everything that is needed to correct it."""
    assert rendered(tmp_path, "kind: files\npths: [x]\n", 2, 1, 4, "paths") == [
        f"{'error[MP-1006]: a message':<58}  a.yaml:2:1",
        "  2 | pths: [x]",
        '    | ^^^^ did you mean "paths"?',
        "  fix: a step",
    ]


def test_without_a_column_there_is_no_caret(tmp_path: Path) -> None:
    """The line alone is shown, and the suggestion below it."""
    assert rendered(tmp_path, "one\n", 1, 0)[1:] == ["  1 | one", "  fix: a step"]
    assert rendered(tmp_path, "one\n", 1, 0, 1, "two")[2] == '    | did you mean "two"?'


def test_without_a_file_there_is_no_excerpt(tmp_path: Path) -> None:
    """A place that cannot be read is still named; the suggestion has a line of its own."""
    gone = Finding("MP-1002", "m", "s", Location(tmp_path / "gone.sql", 3, 1), "there.sql")
    assert render(gone, folder=tmp_path).split("\n")[1:] == ['  did you mean "there.sql"?', "  fix: s"]
    assert render(Finding("MP-1014", "m", "s"), folder=tmp_path) == "error[MP-1014]: m\n  fix: s"


def test_a_line_beyond_the_end_has_no_excerpt(tmp_path: Path) -> None:
    """The file may have changed since."""
    assert rendered(tmp_path, "one\n", 7, 1)[1:] == ["  fix: a step"]


def test_a_file_outside_the_folder_is_named_in_full(tmp_path: Path) -> None:
    """Else nobody would find it."""
    path = tmp_path / "a.yaml"
    assert str(path) in render(Finding("MP-1002", "m", "s", Location(path)), folder=tmp_path / "elsewhere")


@pytest.mark.parametrize(
    ("text", "column", "caret"),
    [
        ("\tx: 1", 2, "    | " + " " * 4 + "^"),
        ("é: x", 4, "    | " + " " * 3 + "^"),
        ("日本: x", 5, "    | " + " " * 6 + "^"),
    ],
    ids=["tab", "accent", "wide"],
)
def test_the_caret_stands_below_its_sign(tmp_path: Path, text: str, column: int, caret: str) -> None:
    """Tabs and wide signs take more than one column on a terminal."""
    assert rendered(tmp_path, text, 1, column)[2].split(" a")[0].rstrip() == caret


def test_long_lines_are_cut_round_the_place(tmp_path: Path) -> None:
    """The caret still stands below what it points at."""
    lines = rendered(tmp_path, "a" * 300 + "X" + "b" * 300, 1, 301)
    assert max(map(len, lines)) < 150
    assert lines[1][lines[2].index("^")] == "X"


def test_what_a_terminal_would_obey_is_not_printed(tmp_path: Path) -> None:
    """An escape sequence in a file or a message shows as a sign of its own."""
    lines = rendered(tmp_path, "\x1b[31mred\x07", 1, 1)
    finding = Finding("MP-1006", "a\x1b[2Jb\nc", "s")
    assert "\x1b" not in "".join(lines)
    assert render(finding, folder=tmp_path).split("\n")[0] == "error[MP-1006]: a\N{REPLACEMENT CHARACTER}[2Jb c"


@given(st.text(max_size=300), st.integers(1, 5), st.integers(0, 400), st.integers(1, 400))
def test_any_place_in_any_text_can_be_rendered(
    tmp_path_factory: pytest.TempPathFactory, text: str, line: int, column: int, length: int
) -> None:
    """Rendering an error never fails itself."""
    folder = tmp_path_factory.mktemp("excerpt")
    path = folder / "a.sql"
    path.write_text(text, "utf-8", errors="replace")
    out = render(Finding("MP-2001", text, text, Location(path, line, column, length), text), folder=folder)
    assert all(sign.isprintable() or sign == "\n" for sign in out)
