"""Statements that let the engine bind a query against empty tables, without any data."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import TableName, literal, quote
from millpond.core.schema import Column, Schema


def open_lake() -> tuple[str, ...]:
    """Statements that make an empty database in memory stand for the lake."""
    return ("ATTACH ':memory:' AS lake", "USE lake")


def create_schema(layer: str) -> str:
    """CREATE SCHEMA of a layer."""
    return f"CREATE SCHEMA IF NOT EXISTS {quote(layer)}"


def create_empty(table: TableName, schema: Schema) -> str:
    """CREATE TABLE with the given columns."""
    columns = ", ".join(f"{quote(column.name)} {column.type}" for column in schema)
    return f"CREATE TABLE {table.quoted} ({columns})"


def add_column(table: TableName, column: Column) -> str:
    """ALTER TABLE that adds a column."""
    return f"ALTER TABLE {table.quoted} ADD COLUMN {quote(column.name)} {column.type}"


def drop_table(table: TableName) -> str:
    """DROP TABLE."""
    return f"DROP TABLE {table.quoted}"


def empty_table(table: TableName) -> str:
    """DELETE of every row."""
    return f"DELETE FROM {table.quoted}"


def probe_aggregates(table: TableName, asked: Sequence[str]) -> str:
    """A query that binds aggregates over a table's rows."""
    return f"SELECT {', '.join(asked)} FROM {table.quoted}"


def probe_pattern(pattern: str) -> str:
    """A query that binds only where the pattern is one."""
    return f"SELECT regexp_matches('', {literal(pattern)})"


def probe_value(text: str, kind: str) -> str:
    """A query that runs only where a text can be read as a type."""
    return f"SELECT {literal(text)}::{kind}"


def probe(query: str, condition: str) -> str:
    """A query that binds a condition over another's columns."""
    return f"SELECT {condition} AS holds FROM ({query}\n) AS q"
