"""Stock clients of a REST catalog, and short words for what tests ask of them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import duckdb

from millpond.catalog.commits import Commit
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema

NAME = TableName("silver", "positions")
OTHER = TableName("gold", "trips")
KEPT = {"gc.enabled": "false"}
"""What clients are shown of every table beside its own properties."""

SCHEMA = Schema((Column("id", "BIGINT"), Column("word", "VARCHAR")))


def loaded_duckdb() -> duckdb.DuckDBPyConnection:
    """DuckDB with the extensions of the installed wheels, and nothing attached."""
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "threads": 1})
    for name in ("avro", "httpfs", "iceberg"):
        package = importlib.import_module(f"duckdb_extension_{name}")
        (file,) = Path(str(package.__file__)).parent.glob(f"extensions/*/{name}.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
    return connection


def attach(connection: duckdb.DuckDBPyConnection, endpoint: str, token: str | None, warehouse: str = "prod") -> None:
    """Attach the catalog behind an endpoint as `lake`."""
    rights = f"TOKEN '{token}'" if token else "AUTHORIZATION_TYPE 'none'"
    connection.execute(f"ATTACH '{warehouse}' AS lake (TYPE iceberg, ENDPOINT '{endpoint}', {rights})")


def stock_duckdb(endpoint: str, token: str | None = None, warehouse: str = "prod") -> duckdb.DuckDBPyConnection:
    """A DuckDB of one's own with the lake attached."""
    connection = loaded_duckdb()
    attach(connection, endpoint, token, warehouse)
    return connection


def rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return connection.execute(sql).fetchall()


def step(key: str, **more: Any) -> Commit:
    """A step's commit that carries little."""
    return Commit(step_key=key, kind="step", principal="owner", **more)


def files_under(folder: Path, pattern: str) -> list[Path]:
    """Files in a folder and below, in order."""
    return sorted(folder.rglob(pattern))
