"""Which staged keys an append's table may hold, from an index kept in the project's state folder.

A key without a time can be anywhere in the table: to look for it means to read all keys, however few rows came. From
some millions of rows on, their hashes are kept sorted (tables/keys.py). The index is a cache: it says up to which
commit it knows the table, takes in what came since from the changes, and is made anew where it cannot tell. It may
know keys that have gone, or that a step which was never published would have brought: a key that it knows is looked up.
"""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from millpond.catalog.commits import TableEntry
from millpond.catalog.metadata import live_rows
from millpond.catalog.staging import Stage
from millpond.core.errors import CatalogError
from millpond.core.records import frozen
from millpond.engines.engine import Session
from millpond.pipeline.workbench import Workbench
from millpond.sql.append import Append, create_known, hashes_of, staged_hashes
from millpond.sql.lake import in_lake
from millpond.tables.changes import changes
from millpond.tables.keys import KeyRuns
from millpond.tables.reading import inserted_sql

LEAST = 2_000_000
"""From how many rows on an index is kept."""
TIMES = 50
"""How many times as many rows the table must have as are staged, for looking them up to be less than reading it."""


@frozen
class KnownKeys:
    """The index of one append's table, as one step finds it."""

    bench: Workbench
    session: Session
    stage: Stage
    append: Append

    @cached_property
    def folder(self) -> Path:
        """That of the table's identity, and of what its hashes are made of and by: a FLOAT has others as DOUBLE."""
        (version,) = self.session.rows("SELECT version()")[0]
        schema = self.stage.metadata(self.append.table).schema()
        key = [f"{column.name} {column.type}" for column in schema.of(self.append.key)]
        made = zlib.crc32("\0".join((str(version), str(self.append.whole), *key)).encode())
        named = self.bench.project.state / "keys" / self.stage.environment / str(self.append.table)
        return named / f"{self.stage.table(self.append.table).uuid}-{made:08x}"

    @cached_property
    def runs(self) -> KeyRuns:
        """What is kept."""
        return KeyRuns(self.folder)

    def find(self, staged: int) -> bool:
        """Make the temp table of the staged hashes that the table may hold; False where the table is to be read.

        The staged keys are then known too, as those of this step, whether it will be published or not.
        """
        rows = live_rows(self.stage.metadata(self.append.table))
        if rows < LEAST or staged * TIMES > rows:
            return False
        self._catch_up()
        wanted = [hashed for (hashed,) in self.session.rows(staged_hashes(self.append))]
        found = self.runs.among(wanted)
        if found is None:
            self.runs.clear()
            return False
        self.session.execute(create_known(found))
        self.runs.add([memoryview(array("Q", wanted))])
        self._keep(self.stage.base)
        return True

    def begin(self, staged: int) -> None:
        """Know the staged keys alone, once the step is published: the table is empty before."""
        if staged < LEAST:
            return
        self._clear()
        self.runs.add(_parts(self.session, staged_hashes(self.append)))
        self._keep(None)

    def _catch_up(self) -> None:
        """Take in what came to the table since the commit that the index knows."""
        since = self._covered()
        try:
            came = changes(self.bench.catalog, self.append.table, since, self.stage.base) if since is not None else None
        except CatalogError:  # what the index knows is too long ago to say what came since
            came = None
        if came is None or came.whole:
            self._clear()
            self.runs.add(_parts(self.session, hashes_of(self.append, f"FROM {in_lake(self.append.table)}")))
        elif came.inserted:
            rows = inserted_sql(came, self.append.key)
            self.runs.add(_parts(self.session, hashes_of(self.append, f"FROM ({rows}) AS came")))

    def _clear(self) -> None:
        """Forget everything, and what was kept of an earlier table of this name, or by another engine."""
        for folder in {self.folder, *self.folder.parent.glob("*")}:
            KeyRuns(folder).clear()

    def _covered(self) -> int | None:
        """Up to which commit the index knows the table; None where it knows nothing that still holds."""
        state, catalog, table = self.runs.state(), self.bench.catalog, self.append.table
        if state is None:
            return None
        step = catalog.published(state["step"])
        if step is not None and _location(catalog.find(table, step - 1)) == state["at"]:
            return step
        number = state["commit"]
        return number if number is not None and _location(catalog.find(table, number)) == state["at"] else None

    def _keep(self, commit: int | None) -> None:
        """The index knows the table up to a commit, and the keys of this step."""
        before = self.bench.catalog.find(self.append.table, self.stage.base)
        self.runs.keep({"commit": commit, "at": _location(before), "step": self.stage.step_key})


def _location(entry: TableEntry | None) -> str | None:
    return None if entry is None else entry.metadata_location


def _parts(session: Session, query: str) -> Iterator[memoryview]:
    """The one column of unsigned 64-bit numbers that a query gives."""
    for batch in session.stream(query).reader:
        column = batch.column(0)
        values = memoryview(column.buffers()[1]).cast("B")
        yield values[column.offset * 8 : (column.offset + len(column)) * 8]
