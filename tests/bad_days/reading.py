"""A program that reads one table in every way and has the lake examined: --project FOLDER SQL.

It prints a JSON line for each way: what was read, or by what words it was refused. Clients come last, as a damaged file
may end them and with them the process.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyiceberg.catalog import load_catalog

from millpond.catalog.gateway.server import Gateway
from millpond.core.errors import MillpondError
from millpond.core.names import TableName
from millpond.lakehouse import open_lakehouse
from millpond.pipeline.doctor import diagnose
from tests.catalog.clients import stock_duckdb

TABLE = TableName("bronze", "t")
QUERY = "SELECT n, word FROM {} ORDER BY n, word"


def examined(folder: Path) -> list[Any]:
    """The errors that doctor finds."""
    with open_lakehouse(folder) as lake:
        found = diagnose(lake.project, lake.catalog, lake.engine).findings
        return [[one.code, one.message] for one in found if one.severity == "error"]


def by_gate(folder: Path) -> list[Any]:
    """Rows as people read them."""
    with open_lakehouse(folder) as lake:
        return [list(row.values()) for row in lake.tables.query(QUERY.format(TABLE)).rows()]


def by_pyiceberg(folder: Path) -> list[Any]:
    """Rows as stock PyIceberg reads them."""

    def read(door: str) -> list[Any]:
        table = load_catalog("lake", type="rest", uri=door, warehouse="prod").load_table(str(TABLE))
        rows = table.scan().to_arrow().to_pylist()
        return sorted([row["n"], row["word"]] for row in rows)

    return _outside(folder, read)


def by_duckdb(folder: Path) -> list[Any]:
    """Rows as stock DuckDB reads them."""

    def read(door: str) -> list[Any]:
        lake = stock_duckdb(door)
        return [list(row) for row in lake.execute(QUERY.format(f"lake.{TABLE}")).fetchall()]

    return _outside(folder, read)


def _outside(folder: Path, read: Callable[[str], list[Any]]) -> list[Any]:
    with open_lakehouse(folder) as lake:
        gateway = Gateway(lake.catalog, open_access=True)
        try:
            return read(gateway.start())
        finally:
            gateway.stop()


WAYS: dict[str, Callable[[Path], list[Any]]] = {
    "doctor": examined,
    "gate": by_gate,
    "pyiceberg": by_pyiceberg,
    "duckdb": by_duckdb,
}


def main() -> None:
    """Read in every way."""
    folder = Path(sys.argv[-1])
    for name, way in WAYS.items():
        told: dict[str, Any] = {"by": name}
        try:
            told["rows"] = way(folder)
        except MillpondError as error:
            told["error"] = [error.code, error.finding.message]
        except Exception as error:  # noqa: BLE001 - what a client says of a damaged file
            told["error"] = [type(error).__name__, str(error)]
        sys.stdout.write(json.dumps(told, default=str) + "\n")
        sys.stdout.flush()
