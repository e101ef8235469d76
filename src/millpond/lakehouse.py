"""The wiring of a lakehouse: from a project folder to its catalog, engine, gate and runner."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, cast

from millpond.core.clock import Clock, SystemClock
from millpond.core.plugins import lookup
from millpond.core.user import current_user
from millpond.project.loader import find, load, survey
from millpond.project.model import Project

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.forks import Forks
    from millpond.catalog.gateway.server import Gateway
    from millpond.catalog.tags import Tags
    from millpond.core.errors import Finding
    from millpond.core.names import TableName
    from millpond.engines.engine import Engine
    from millpond.governance.audit import Audit
    from millpond.governance.gate import Gate
    from millpond.governance.moments import Moment
    from millpond.governance.tables import Tables
    from millpond.ingest.source import Readers
    from millpond.pipeline.quarantine import Quarantine
    from millpond.pipeline.runner import Runner
    from millpond.pipeline.runs import RunLog
    from millpond.pipeline.tending import Tender
    from millpond.pipeline.upkeep import Upkeep
    from millpond.pipeline.workbench import Workbench


class Lakehouse:
    """A project and everything that serves it; each part is made when it is first asked for."""

    def __init__(
        self, project: Project, clock: Clock | None = None, principal: str | None = None, readers: Readers | None = None
    ) -> None:
        self.project = project
        self._readers = readers
        self.clock = clock or SystemClock()
        self.principal = principal or current_user()

    @cached_property
    def catalog(self) -> Catalog:
        """Pointers, commits and staging."""
        place = lookup("millpond.catalog.warehouse:Warehouse").of(self.project)
        url = self.project.settings.catalog.url
        pointers = url if "://" in url else str(self.project.folder / url)
        opened = lookup("millpond.catalog.catalog:Catalog").open(pointers, place, self.project.environment, self.clock)
        return cast("Catalog", opened)

    @cached_property
    def _gateway(self) -> Gateway:
        return cast("Gateway", lookup("millpond.catalog.gateway.server:Gateway")(self.catalog))

    @cached_property
    def endpoint(self) -> str:
        """Where this process's gateway listens, for its own engine."""
        self.engine.prepare()  # it starts while the gateway's libraries load
        return self._gateway.start()

    @cached_property
    def engine(self) -> Engine:
        """The query engine."""
        settings = self.project.settings
        limits = lookup("millpond.engines.duckdb:machine_limits")(
            self.project.state / "scratch", settings.engine.memory, settings.engine.threads
        )
        make = lookup("millpond.engines.duckdb:DuckDBEngine")
        return cast("Engine", make(limits, settings.time_zone, settings.engine.extensions))

    @cached_property
    def _audit(self) -> Audit:
        return cast("Audit", lookup("millpond.governance.audit:Audit")(self.project.state / "audit.db"))

    @cached_property
    def gate(self) -> Gate:
        """The only way in which people read."""
        policy = lookup("millpond.governance.policy:OwnerPolicy")()
        made = lookup("millpond.governance.gate:Gate")(
            self.catalog, self.engine, self.endpoint, policy, self._audit, self.clock, self.project.macros
        )
        return cast("Gate", made)

    @cached_property
    def tables(self) -> Tables:
        """Tables read through the gate, as Arrow, pandas or polars."""
        return cast("Tables", lookup("millpond.governance.tables:Tables")(self.gate, self.principal))

    @cached_property
    def _log(self) -> RunLog:
        return cast("RunLog", lookup("millpond.pipeline.runs:RunLog")(self.project.state / "runs.db"))

    @cached_property
    def readers(self) -> Readers:
        """How the reader of a source is found."""
        return self._readers or cast("Readers", lookup("millpond.ingest.source:reader_of"))

    @cached_property
    def runner(self) -> Runner:
        """Plans and runs."""
        made = lookup("millpond.pipeline.runner:Runner")(
            self.project, self.catalog, self._log, self.clock, self.readers, self._bench
        )
        return cast("Runner", made)

    @cached_property
    def quarantine(self) -> Quarantine:
        """Rejected records, and what is decided about them."""
        made = lookup("millpond.pipeline.quarantine:Quarantine")(self.project, self.gate, self.runner, self._bench)
        return cast("Quarantine", made)

    @cached_property
    def tags(self) -> Tags:
        """Names of commits."""
        return cast("Tags", lookup("millpond.catalog.tags:Tags")(self.catalog))

    @cached_property
    def forks(self) -> Forks:
        """Tables that begin with another's files."""
        return cast("Forks", lookup("millpond.catalog.forks:Forks")(self.catalog, self.principal))

    def restore(self, to: Moment, table: TableName | str | None = None) -> int:
        """Make one table, or all, what they were at a moment; the number of the new commit. No run may go on.

        Raises AccessError MP-8010 and MP-8016, CatalogError MP-3001, MP-3070 and MP-3074, RunError MP-7020.
        """
        number = lookup("millpond.governance.moments:commit_number")(self.catalog, to)
        work = lookup("millpond.pipeline.restoring:restore_held")
        return int(work(self.project, self.catalog, number, table, self.principal))

    @cached_property
    def upkeep(self) -> Upkeep:
        """Keeps the lake small and fast."""
        made = lookup("millpond.pipeline.upkeep:Upkeep")(self.project, self.catalog, self._log, self.clock, self._bench)
        return cast("Upkeep", made)

    @cached_property
    def tender(self) -> Tender:
        """Upkeep beside a gateway."""
        made = lookup("millpond.pipeline.tending:Tender")(self.project, self.catalog, self.upkeep, self._bench)
        return cast("Tender", made)

    def _bench(self, run: str) -> Workbench:
        made = lookup("millpond.pipeline.workbench:Workbench")(
            self.project, self.catalog, self.engine, self.endpoint, self.clock, self.principal, run, self.readers
        )
        return cast("Workbench", made)

    def close(self) -> None:
        """Stop what was started."""
        for part, stop in (
            ("tender", "close"),
            ("_log", "close"),
            ("_gateway", "stop"),
            ("engine", "close"),
            ("_audit", "close"),
            ("catalog", "close"),
        ):
            if part in self.__dict__:
                getattr(self.__dict__[part], stop)()

    def __enter__(self) -> Lakehouse:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_lakehouse(
    path: str | Path = ".",
    *,
    environment: str | None = None,
    variables: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    settings_only: bool = False,
    readers: Readers | None = None,
) -> Lakehouse:
    """Open the project at `path`, or the nearest one above it; see `load`. Raises ProjectError or FindingsError."""
    folder, given = find(Path(path).resolve()), variables or {}
    project = load(folder, environment=environment, variables=given, environ=os.environ, settings_only=settings_only)
    return Lakehouse(project, clock, readers=readers)


def survey_lakehouse(
    path: str | Path, *, environment: str | None, variables: Mapping[str, str]
) -> tuple[Lakehouse | None, tuple[Finding, ...]]:
    """The lakehouse of what can be read of a project, and everything that is wrong with the rest."""
    folder = find(Path(path).resolve())
    project, findings = survey(folder, environment=environment, variables=variables, environ=os.environ)
    return (Lakehouse(project) if project is not None else None), findings
