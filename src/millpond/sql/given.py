"""Queries of Python models: what the function gave, as the declared columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from millpond.core.errors import Location
from millpond.core.names import literal, quote
from millpond.core.schema import Column
from millpond.sql.parse import Query, parse, parse_written
from millpond.sql.written import Piece, Written

GIVEN = "given_rows"
"""The temporary relation of what a function gave."""


def promised(columns: Sequence[tuple[Column, Location]], path: Path) -> Query:
    """A query that gives the declared columns and no values, for all that is asked before the function has run."""
    pieces = [Piece("SELECT ", at=Location(path))]
    for number, (column, where) in enumerate(columns):
        comma = ", " if number else ""
        pieces.append(Piece(f"{comma}CAST(NULL AS {column.type}) AS {quote(column.name)}", at=where))
    return parse_written(Written(tuple(pieces)), path)


def given(columns: Sequence[Column], path: Path) -> Query:
    """What the function gave, as the types that are declared."""
    items = ", ".join(f"CAST({quote(c.name)} AS {c.type}) AS {quote(c.name)}" for c in columns)
    return parse(f"SELECT {items} FROM {GIVEN}", path)


def create_given(rows: str) -> str:
    """CREATE of the relation."""
    return f"CREATE OR REPLACE TEMP TABLE {GIVEN} AS {rows}"


def nothing(query: Query) -> str:
    """A query's columns without a row."""
    return f"{query.text()} LIMIT 0"


def rows_of_file(file: Path) -> str:
    """A query for the rows of a Parquet file."""
    return f"FROM read_parquet({literal(str(file))})"
