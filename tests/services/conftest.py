"""Real servers of other makers, started once for all tests, on temporary folders."""

from __future__ import annotations

import importlib.util
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.everyone import Everyone, everyone_together
from tests.services.spark import settings

_REQUIRED = os.environ.get("MILLPOND_REQUIRE_SERVICES") == "1"
_STATIC = ("spark.jars.packages", "spark.sql.extensions", "spark.sql.session.timeZone")
"""Settings that a running Spark does not take; the others name a catalog, and each test has its own."""


def missing(reason: str) -> None:
    """Skip, or fail where everything must be there."""
    if _REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def spark_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark Connect server with Iceberg's runtime, and a session on it."""
    if importlib.util.find_spec("pyspark") is None:
        missing("pyspark is not installed: make test-services installs it")
    if shutil.which("java") is None:
        missing("there is no java on this machine")
    from pyspark.sql import SparkSession

    home = tmp_path_factory.mktemp("spark")
    builder = SparkSession.builder.config("spark.driver.memory", "1g").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.shuffle.partitions", "2").config("spark.sql.warehouse.dir", str(home))
    for name, value in settings("http://127.0.0.1:1/iceberg").items():
        if name in _STATIC:
            builder = builder.config(name, value)
    here = Path.cwd()
    os.chdir(home)
    with warnings.catch_warnings():
        # The server has the settings it was started with; the session then tries to set them again.
        warnings.filterwarnings("ignore", message="Failed to set")
        session = builder.remote("local[2]").getOrCreate()
    os.chdir(here)
    yield session
    session.stop()


@pytest.fixture
def everyone(spark_server: Any) -> Iterator[Everyone]:
    """A new lake for four readers."""
    with everyone_together(spark_server) as together:
        yield together
