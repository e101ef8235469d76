"""Sources of kind `files`, read from where their paths point."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from millpond.core.clock import Clock
from millpond.core.errors import Finding
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.engines.engine import Engine
from millpond.ingest.files.discovery import Discovery, Looks, discover
from millpond.ingest.files.identity import parser_hash
from millpond.ingest.files.landing import land
from millpond.ingest.files.looks import Look, copies, looks_at
from millpond.ingest.files.mended import discovered
from millpond.ingest.files.problems import Problem
from millpond.ingest.files.reading import read
from millpond.ingest.files.schema import bronze_schema, new_columns
from millpond.ingest.source import Kept, Landed, Load, Tally
from millpond.project.model import Project, Source

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

_PREVIEWED = 3
"""How many files are looked at to tell the columns."""


@frozen
class FileNews:
    """Files that a look found."""

    source: Source
    project: Project
    found: Discovery

    @property
    def tally(self) -> Tally:
        """How many files there are of each sort."""
        found = self.found
        return Tally(len(found.new), len(found.changed), len(found.rejected), len(found.duplicates))

    @property
    def because(self) -> str:
        """Which files there are, or what kept them from being looked for."""
        if self.found.failed:
            return f"{self.found.failed.code} when looking for files"
        tally = self.tally
        words = {"new": tally.new, "changed": tally.changed, "not readable": tally.rejected}
        parts = [f"{count} {word}" for word, count in (words | {"known by content": tally.known}).items() if count]
        return f"files: {', '.join(parts)}"

    @property
    def work(self) -> bool:
        """Whether there is anything to do or to note."""
        return self.found.work

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is missing or may not be read, and what is left for later."""
        later = tuple(
            Finding(
                "MP-7040",
                f"{file.path} is left for later: {file.reason}",
                "run again when it is whole",
                self.source.place("paths"),
                severity="warning",
            )
            for file in self.found.unsettled
        )
        return (*self.found.findings, *later)

    def land(self, load: Load) -> Landed:
        """Stage the files' records; see `landing.land` for what it raises."""
        return land(self.source, self.project, load, self.found)


class FileReader:
    """Looks for the files of a source: those behind its paths, unless `looks` names others."""

    def __init__(self, source: Source, project: Project, looks: Looks | None = None) -> None:
        self._source = source
        self._project = project
        self._looks = looks or partial(looks_at, source, project)

    def look(self, catalog: Catalog, clock: Clock) -> FileNews:
        """The files that the catalog does not know, or knows otherwise."""
        seen = catalog.seen_files(self._source.name)
        loaded = catalog.loaded_contents(self._source.name, parser_hash(self._source))
        return self._news(discover(self._source, self._looks, seen, loaded, clock))

    def again(self, kept: Sequence[Kept], catalog: Catalog, at: int, folder: Path) -> FileNews:
        """Kept files as if they had been found. Raises QualityError MP-6125."""
        loaded = catalog.loaded_contents(self._source.name, parser_hash(self._source), at)
        return self._news(discovered(self._source, kept, loaded, folder))

    def columns(self, engine: Engine, clock: Clock) -> Schema | None:
        """The columns, declared or told from the first files."""

        def few(findings: list[Finding]) -> Iterator[Look]:
            return islice(self._looks(findings), _PREVIEWED)

        found = discover(self._source, few, (), frozenset(), clock)
        if found.failed:
            raise found.failed
        readables = []
        with engine.session() as session, tempfile.TemporaryDirectory() as scratch:
            for file in found.new:
                told = read(file, self._source.settings, session, Path(scratch))
                if not isinstance(told, Problem):
                    readables.append(told)
        columns = new_columns(self._source, None, readables)
        return bronze_schema(columns) if columns else None

    def close(self) -> None:
        """Remove the copies of objects."""
        shutil.rmtree(copies(self._project), ignore_errors=True)

    def _news(self, found: Discovery) -> FileNews:
        return FileNews(self._source, self._project, found)
