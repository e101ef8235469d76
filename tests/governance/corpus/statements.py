"""Reads the corpora: one statement to a paragraph, after a first line that says what they are."""

from __future__ import annotations

from pathlib import Path

from millpond.core.names import TableName

KNOWN = frozenset(TableName.parse(name) for name in ("silver.trips", "silver.riders", "gold.orders", "gold.items"))
QUARANTINE = TableName("quarantine", "records")


def statements(name: str) -> list[str]:
    """The statements of a corpus."""
    text = (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
    return text.split("\n", 1)[1].split("\n\n")
