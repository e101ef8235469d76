"""The columns that a source's bronze table would get, told from its first files without loading any."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from millpond.core.clock import Clock
from millpond.core.schema import Schema
from millpond.engines.engine import Engine
from millpond.ingest.files.discovery import discover
from millpond.ingest.files.looks import looks_at
from millpond.ingest.files.problems import Problem
from millpond.ingest.files.reading import read
from millpond.ingest.files.schema import bronze_schema, new_columns
from millpond.project.model import Project, Source

FILES = 3
"""How many files are looked at."""


def expected_schema(source: Source, project: Project, engine: Engine, clock: Clock) -> Schema | None:
    """The table's columns, declared or sniffed; None where there is no file to tell them from."""
    paths = tuple(look.pattern for look in looks_at(source, project, []))[:FILES]
    readables = []
    if paths:
        few = replace(source, settings=source.settings.model_copy(update={"paths": paths}))
        found = discover(few, project, (), frozenset(), clock)
        with engine.session() as session, tempfile.TemporaryDirectory() as scratch:
            for file in found.new:
                told = read(file, source.settings, session, Path(scratch))
                if not isinstance(told, Problem):
                    readables.append(told)
    columns = new_columns(source, None, readables)
    return bronze_schema(columns) if columns else None
