"""A lake of plain DuckDB relations, on which the statements of steps run as they do on tables."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """A database in memory, attached as the lake is, with the layers that the tests use."""
    connection = duckdb.connect(config={"threads": 1, "asof_loop_join_threshold": 0})
    connection.execute("ATTACH ':memory:' AS lake")
    for layer in ("silver", "state"):
        connection.execute(f"CREATE SCHEMA lake.{layer}")
    return connection


def text(value: object) -> str:
    """A value as SQL text; quicker than a bound one where statements are many and small."""
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value)


def fill(connection: duckdb.DuckDBPyConnection, name: str, columns: str, rows: Sequence[Sequence[object]]) -> None:
    """A temporary relation of the given rows."""
    connection.execute(f"CREATE TEMP TABLE {name} ({columns})")
    if rows:
        values = ", ".join(f"({', '.join(map(text, row))})" for row in rows)
        connection.execute(f"INSERT INTO {name} VALUES {values}")
