"""The reference page."""

from __future__ import annotations

from pathlib import Path

from millpond.project.reference import page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "project.md"


def test_the_reference_says_what_the_records_say() -> None:
    """docs/reference/project.md is made from them; write `page()` into it after a change."""
    assert PAGE.read_text("utf-8") == page()


def test_every_key_of_the_reference_has_a_meaning() -> None:
    """No row of a table ends empty."""
    rows = [line for line in page().split("\n") if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if row.endswith("|  |")] == []
