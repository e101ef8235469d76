"""Tables as a Python user reads them: by name, through the gate, as Arrow, pandas or polars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from millpond.core.errors import AccessError
from millpond.core.names import TableName
from millpond.core.plugins import load

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from millpond.governance.gate import Gate
    from millpond.governance.moments import Moment


class Result:
    """A query's whole result."""

    def __init__(self, table: pa.Table, commit: int) -> None:
        self._table = table
        self.commit = commit

    def arrow(self) -> pa.Table:
        """As an Arrow table."""
        return self._table

    def pandas(self) -> pd.DataFrame:
        """As a pandas frame. Raises HostError MP-9001 where pandas is not installed."""
        load("pandas", extra="pandas")
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    def polars(self) -> pl.DataFrame:
        """As a polars frame. Raises HostError MP-9001 where polars is not installed."""
        frame: pl.DataFrame = load("polars", extra="polars").from_arrow(self._table)
        return frame

    def rows(self) -> list[dict[str, Any]]:
        """As a list of dictionaries."""
        return list(self._table.to_pylist())


class Tables:
    """Reads tables and queries for one principal."""

    def __init__(self, gate: Gate, principal: str) -> None:
        self._gate = gate
        self._principal = principal

    def query(self, sql: str, *, at: Moment | None = None) -> Result:
        """The result of one SELECT, as of a commit number, a time or a tag. Raises AccessError or EngineError."""
        with self._gate.query(sql, self._principal, at=at, door="python") as answer:
            return Result(answer.reader.read_all(), answer.commit)

    def difference(self, name: str, at: Moment, to: Moment | None = None, *, key: Sequence[str] = ()) -> Result:
        """What came, went and changed (by `key`) in a table between two moments, with its rows before and after.

        Raises AccessError MP-8018 for no such name, and as `Gate.difference` does.
        """
        with self._gate.difference(table_name(name), at, to, self._principal, key, door="python") as answer:
            return Result(answer.reader.read_all(), answer.commits[1])

    def read(self, name: str, *, at: Moment | None = None) -> Result:
        """A whole table by its name `layer.name`, now or at a moment. Raises AccessError MP-8018 for no such name."""
        return self.query(f"FROM {table_name(name).quoted}", at=at)


def table_name(name: str) -> TableName:
    """The table that a name `layer.name` means. Raises AccessError MP-8018 for what is no such name."""
    try:
        return TableName.parse(name)
    except ValueError:
        raise AccessError(
            "MP-8018", f"{name!r} is not the name of a table", next_step="write it as layer.name"
        ) from None
