"""Marks of deletion: an expression over a query's columns that says which rows delete their key."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import quote
from millpond.sql.staging import GONE


def mark(delete_when: str | None, blank: Sequence[str]) -> str:
    """The expression that is true of rows that delete: what the author says, or that all of some columns are NULL.

    It is NULL for rows of which the author's expression cannot be told.
    """
    said = [f"TRY(coalesce(({delete_when}\n), FALSE))"] if delete_when is not None else []
    empty = [" AND ".join(f"{quote(name)} IS NULL" for name in blank)] if blank else []
    return " OR ".join(f"({part})" for part in (*said, *empty))


def marked(query: str, expression: str) -> str:
    """The query with GONE, the expression's value for each row."""
    return f"SELECT *, {expression} AS {GONE} FROM ({query}) AS q"


def widened(query: str, columns: Sequence[tuple[str, str]]) -> str:
    """The query with some columns, by name, as values of another type."""
    if not columns:
        return query
    cast = ", ".join(f"CAST({quote(name)} AS {kind}) AS {quote(name)}" for name, kind in columns)
    return f"SELECT * REPLACE ({cast}) FROM ({query}) AS q"
