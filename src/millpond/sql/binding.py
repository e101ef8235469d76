"""Statements that let the engine bind a query against empty tables, without any data."""

from __future__ import annotations

from millpond.core.names import TableName, quote
from millpond.core.schema import Schema


def create_schema(layer: str) -> str:
    """CREATE SCHEMA of a layer."""
    return f"CREATE SCHEMA IF NOT EXISTS {quote(layer)}"


def create_empty(table: TableName, schema: Schema) -> str:
    """CREATE TABLE with the given columns."""
    columns = ", ".join(f"{quote(column.name)} {column.type}" for column in schema)
    return f"CREATE TABLE {table.quoted} ({columns})"


def probe(query: str, condition: str) -> str:
    """A query that binds a condition over another's columns."""
    return f"SELECT {condition} AS holds FROM ({query}\n) AS q"
