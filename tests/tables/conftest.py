"""What the tests of tables may use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from millpond.engines.duckdb import DuckDBEngine, Limits
from tests.tables.lake import Lake


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBEngine]:
    """One engine for all tests: loading its extensions takes the longest."""
    made = DuckDBEngine(Limits(memory=400_000_000, threads=1, scratch=tmp_path_factory.mktemp("scratch")))
    yield made
    made.close()


@pytest.fixture
def lake(tmp_path: Path, engine: DuckDBEngine) -> Iterator[Lake]:
    """An empty lake."""
    made = Lake(tmp_path, engine)
    yield made
    made.close()
