"""What every step works with."""

from __future__ import annotations

from millpond.catalog.catalog import Catalog
from millpond.core.clock import Clock
from millpond.core.records import frozen
from millpond.engines.engine import Engine
from millpond.ingest.source import Readers, SourceReader, reader_of
from millpond.project.model import Project, Source


@frozen
class Workbench:
    """The project, its catalog, an engine, and the gateway's endpoint through which the engine sees the lake."""

    project: Project
    catalog: Catalog
    engine: Engine
    endpoint: str
    clock: Clock
    principal: str
    run: str
    """Identity of the run; step keys begin with it."""
    readers: Readers = reader_of

    def reader(self, source: Source) -> SourceReader:
        """The reader of a source."""
        return self.readers(source, self.project)

    def step_key(self, table: object) -> str:
        """The key under which a step of this run is published, once."""
        return f"{self.run}/{table}"
