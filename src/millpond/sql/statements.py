"""Small statements that several steps use."""

from __future__ import annotations

from millpond.core.names import quote


def count_query(query: str) -> str:
    """SELECT of the number of rows that a query gives."""
    return f"SELECT count(*) FROM ({query}) AS q"


def count_rows(relation: str) -> str:
    """SELECT of the number of rows of a temporary relation."""
    return f"SELECT count(*) FROM {quote(relation)}"
