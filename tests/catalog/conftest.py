"""A catalog in a temporary folder, its gateway, and stock clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway.server import Gateway
from millpond.core.clock import SystemClock

from .clients import stock_duckdb

Duck = Callable[..., duckdb.DuckDBPyConnection]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of the environment prod, empty."""
    opened = Catalog.open(str(tmp_path / "catalog.db"), str(tmp_path / "lake"), "prod", SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def closed_door(catalog: Catalog) -> Iterator[str]:
    """The endpoint of a gateway that wants a token."""
    gateway = Gateway(catalog)
    yield gateway.start()
    gateway.stop()


@pytest.fixture
def open_door(catalog: Catalog) -> Iterator[str]:
    """The endpoint of a gateway that lets programs on this machine write directly."""
    gateway = Gateway(catalog, open_access=True)
    yield gateway.start()
    gateway.stop()


@pytest.fixture
def duck() -> Iterator[Duck]:
    """Stock DuckDB with the lake attached: `duck(endpoint, token)`; closed after the test."""
    with ExitStack() as stack:

        def attach(endpoint: str, token: str | None = None) -> duckdb.DuckDBPyConnection:
            connection = stock_duckdb(endpoint, token)
            stack.callback(connection.close)
            return connection

        yield attach
