"""Real servers of other makers, started once for all tests, on temporary folders."""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog.client_tokens import WRITE, ClientTokens
from millpond.catalog.connections import Door
from millpond.catalog.gateway.server import Gateway
from millpond.testing import temporary_lake
from tests.services.everyone import Everyone, everyone_together
from tests.services.printed import ODD, Printed, free_port
from tests.services.trino_server import SERVER, Trino, java, trino_running

_REQUIRED = os.environ.get("MILLPOND_REQUIRE_SERVICES") == "1"


def missing(reason: str) -> None:
    """Skip, or fail where everything must be there."""
    if _REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def printed() -> Iterator[Printed]:
    """A lake behind a gateway that asks for a token, with a table whose name wants quoting, and what `connect` says."""
    with temporary_lake({"millpond.yaml": "version: 1\nname: printed\n"}) as lake:
        catalog = lake.lakehouse.catalog
        gateway = Gateway(catalog, outside=True)
        endpoint = gateway.start()
        token, _ = ClientTokens(catalog).create("visitor", WRITE, "owner")
        client = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod", token=token)
        client.create_namespace(ODD.layer)
        rows = pa.table({"id": pa.array([41, 42], pa.int64())})
        client.create_table((ODD.layer, ODD.name), schema=rows.schema).append(rows)
        yield Printed(lake, Door(endpoint, "prod", ODD, token=True), token)
        gateway.stop()


@pytest.fixture(scope="session")
def spark_server(tmp_path_factory: pytest.TempPathFactory, printed: Printed) -> Iterator[Any]:
    """A Spark Connect server that was started by what `connect spark` prints, and a session on it."""
    if importlib.util.find_spec("pyspark") is None:
        missing("pyspark is not installed: make test-services installs it")
    if shutil.which("java") is None:
        missing("there is no java on this machine")
    from pyspark.sql import SparkSession

    home = tmp_path_factory.mktemp("spark")
    (home / "spark-defaults.conf").write_text(printed.text("spark"))
    builder = SparkSession.builder.config("spark.driver.memory", "1g").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "2").config("spark.sql.warehouse.dir", str(home))
    here = Path.cwd()
    os.chdir(home)
    with pytest.MonkeyPatch.context() as environment, warnings.catch_warnings():
        environment.setenv("SPARK_CONF_DIR", str(home))
        # The server has the settings it was started with; the session then tries to set them again.
        warnings.filterwarnings("ignore", message="Failed to set")
        session = builder.remote("local[2]").getOrCreate()
    os.chdir(here)
    yield session
    session.stop()


@pytest.fixture(scope="session")
def trino(tmp_path_factory: pytest.TempPathFactory, printed: Printed) -> Iterator[Trino]:
    """A Trino server that was started by what `connect trino` prints."""
    if not SERVER.is_dir() or importlib.util.find_spec("trino") is None:
        missing("Trino is not installed: make test-services installs it where Maven is")
    if java() is None:
        missing("there is no Java on this machine that is new enough for Trino")
    port = free_port()
    with trino_running(tmp_path_factory.mktemp("trino"), printed, port):
        yield Trino(port, printed)


@pytest.fixture
def everyone(spark_server: Any) -> Iterator[Everyone]:
    """A new lake for four readers."""
    with everyone_together(spark_server) as together:
        yield together
