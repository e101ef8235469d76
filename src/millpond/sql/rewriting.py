"""Statements of upkeep: rows into sorted files, by one column or along a Z-shaped curve; counts and footers."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import TableName, literal, quote
from millpond.sql.lake import in_lake

_BITS = 10
"""Each column is cut into 2^10 parts of about as many rows: a file holds some hundred parts of the curve."""


def rewrite(table: TableName, columns: Sequence[str], rows: str, cluster: Sequence[str]) -> str:
    """INSERT of the rows that the query `rows` gives, sorted by `cluster`; when that is empty, as they come."""
    names = ", ".join(quote(name) for name in columns)
    ordered = _ordered(names, rows, cluster) if cluster else f"SELECT {names} FROM ({rows}) AS r"
    return f"INSERT INTO {in_lake(table)} ({names}) {ordered}"


def count_threads() -> str:
    """SELECT of how many threads the engine uses."""
    return "SELECT current_setting('threads')"


def use_threads(number: int) -> str:
    """Have the engine use so many threads."""
    return f"SET GLOBAL threads = {number}"


def _ordered(names: str, rows: str, cluster: Sequence[str]) -> str:
    keys = ", ".join(quote(name) for name in cluster)
    if len(cluster) == 1:
        return f"SELECT {names} FROM ({rows}) AS r ORDER BY {keys}"
    parts = ", ".join(f"{_part(name)} AS _mp_z{place}" for place, name in enumerate(cluster))
    return f"SELECT {names} FROM (SELECT *, {parts} FROM ({rows}) AS r) AS z ORDER BY {_curve(len(cluster))}, {keys}"


def _part(name: str) -> str:
    """Which of the parts a row's value lies in; equal values lie in one."""
    return f"((rank() OVER (ORDER BY {quote(name)}) - 1) * {2**_BITS} // count(*) OVER ())::HUGEINT"


def _curve(columns: int) -> str:
    """The place on the curve: the bits of each column's part, dealt in turn."""
    dealt = (
        f"((_mp_z{column} >> {bit}) & 1) << {bit * columns + columns - 1 - column}"
        for bit in range(_BITS)
        for column in range(columns)
    )
    return " | ".join(f"({one})" for one in dealt)


def count_rows(rows: str) -> str:
    """SELECT of how many rows a query gives."""
    return f"SELECT count(*) FROM ({rows}) AS r"


def read_footers(paths: Sequence[str]) -> str:
    """SELECT that reads the footer of each Parquet file: how many rows it says it has."""
    listed = ", ".join(literal(path) for path in paths)
    return f"SELECT file_name, num_rows FROM parquet_file_metadata([{listed}])"
