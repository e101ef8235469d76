"""A catalog in a temporary folder, its gateway, and stock clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import duckdb
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway.server import Gateway
from millpond.core.clock import SystemClock
from tests.services.postgres import Server

from .clients import attach, loaded_duckdb

Duck = Callable[..., duckdb.DuckDBPyConnection]


BOTH_STORES = frozenset(
    {
        *("test_catalog", "test_digests", "test_lives", "test_publishing", "test_staging"),
        *("test_gateway_protocol", "test_client_tokens", "test_namespaces"),
    }
)
"""The contract of the pointer store: these modules run over each kind, but for tests marked `sqlite`."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the contract over both stores."""
    if "store_url" in metafunc.fixturenames:
        kinds = ["sqlite"]
        if metafunc.module.__name__.rpartition(".")[2] in BOTH_STORES:
            kinds += [] if metafunc.definition.get_closest_marker("sqlite") else ["postgres"]
        metafunc.parametrize("store_url", kinds, indirect=True)


@pytest.fixture
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty pointer store is to be made: a path, or the URL of a Postgres schema."""
    if request.param == "sqlite":
        return str(tmp_path / "catalog.db")
    server: Server = request.getfixturevalue("postgres")
    return server.url(schema=server.schema())


@pytest.fixture
def catalog(store_url: str, tmp_path: Path) -> Iterator[Catalog]:
    """A catalog of the environment prod, empty."""
    opened = Catalog.open(store_url, str(tmp_path / "lake"), "prod", SystemClock())
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


class Pool:
    """DuckDB instances that have the extensions loaded, which takes longer than most tests."""

    def __init__(self) -> None:
        self.idle: list[duckdb.DuckDBPyConnection] = []

    def take(self) -> duckdb.DuckDBPyConnection:
        """One with nothing attached."""
        return self.idle.pop() if self.idle else loaded_duckdb()

    def give_back(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep one for the next test, cleared of what this one did."""
        with suppress(duckdb.Error):
            connection.execute("ROLLBACK")
        with suppress(duckdb.Error):
            connection.execute("DETACH lake")
        connection.execute("RESET http_retries")
        self.idle.append(connection)


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    """The instances that this process has."""
    made = Pool()
    yield made
    for connection in made.idle:
        connection.close()


@pytest.fixture
def duck(pool: Pool) -> Iterator[Duck]:
    """Stock DuckDB with the lake attached: `duck(endpoint, token)`; given back after the test."""
    with ExitStack() as stack:

        def attached(endpoint: str, token: str | None = None) -> duckdb.DuckDBPyConnection:
            connection = pool.take()
            stack.callback(pool.give_back, connection)
            attach(connection, endpoint, token)
            return connection

        yield attached
