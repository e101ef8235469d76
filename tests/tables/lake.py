"""A small lake on a disk: catalog, gateway and engine, for tests that need tables which an engine wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Commit
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.staging import Stage
from millpond.core.clock import SystemClock
from millpond.core.names import TableName
from millpond.engines.duckdb import DuckDBEngine, DuckDBSession, Limits
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Project

Rows = Counter[tuple[Any, ...]]


class Lake:
    """The parts, with a running gateway; close it when done. The engine is the caller's."""

    def __init__(self, folder: Path, engine: DuckDBEngine) -> None:
        self.catalog = Catalog.open(str(folder / "catalog.db"), str(folder / "lake"), "prod", SystemClock())
        self.gateway = Gateway(self.catalog)
        self.endpoint = self.gateway.start()
        self.engine = engine
        self.steps = 0

    def close(self) -> None:
        """Stop everything."""
        self.gateway.stop()
        self.catalog.close()

    def bench(self) -> Workbench:
        """What a step of upkeep works with; there is no project."""
        none = cast("Project", None)
        return Workbench(none, self.catalog, self.engine, self.endpoint, self.catalog.clock, "tester", "run")

    def begin(self, base: int | None = None) -> Stage:
        """A new step."""
        self.steps += 1
        return self.catalog.begin(f"step-{self.steps}", base)

    @contextmanager
    def step(self) -> Iterator[tuple[Stage, DuckDBSession]]:
        """A step that is published at the end."""
        stage = self.begin()
        with self.engine.session(self.endpoint, stage.token) as session:
            yield stage, session
        stage.publish(Commit(stage.step_key, "test", "tester"))

    def run(self, *statements: str) -> int:
        """One step of some statements; the number of its commit."""
        with self.step() as (_stage, session):
            for statement in statements:
                session.execute(statement)
        return self.catalog.head()

    def rows(self, sql: str, at: int | None = None) -> Rows:
        """What a query gives, as of a commit."""
        token = self.catalog.read_token(at)
        try:
            with self.engine.session(self.endpoint, token) as session:
                return Counter(session.rows(sql))
        finally:
            self.catalog.release(token)

    def metadata(self, name: TableName, at: int | None = None) -> TableMetadata:
        """A table's metadata as of a commit."""
        return self.catalog.metadata(self.catalog.table(name, at))


@contextmanager
def small_lake(folder: Path, threads: int = 1) -> Iterator[Lake]:
    """An empty lake with an engine of its own."""
    engine = DuckDBEngine(Limits(300_000_000, threads, folder / "scratch"))
    made = Lake(folder, engine)
    try:
        yield made
    finally:
        made.close()
        engine.close()
