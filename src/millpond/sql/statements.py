"""Small statements that several steps use."""

from __future__ import annotations

from millpond.core.names import quote


def count_rows(relation: str) -> str:
    """SELECT of the number of rows of a temporary relation."""
    return f"SELECT count(*) FROM {quote(relation)}"
