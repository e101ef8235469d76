"""Small statements that several steps use."""

from __future__ import annotations

from millpond.core.names import TableName, quote
from millpond.sql.lake import in_lake


def count_query(query: str) -> str:
    """SELECT of the number of rows that a query gives."""
    return f"SELECT count(*) FROM ({query}) AS q"


def count_rows(relation: str) -> str:
    """SELECT of the number of rows of a temporary relation."""
    return f"SELECT count(*) FROM {quote(relation)}"


def count_nulls(table: TableName, column: str) -> str:
    """SELECT of the number of rows of a table that have no value in a column."""
    return f"SELECT count(*) FROM {in_lake(table)} WHERE {quote(column)} IS NULL"


def every_row(table: TableName) -> str:
    """SELECT of all that a table holds."""
    return f"SELECT * FROM {in_lake(table)}"
