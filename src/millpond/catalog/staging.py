"""Staging: what one step changes, visible to its token alone until it is published in one transaction."""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from millpond.catalog import layout, overtaken, snapshots, times
from millpond.catalog import metadata as documents
from millpond.catalog.commits import TABLE, VIEW, Commit, Published, TableEntry
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.partitions import spec_json
from millpond.catalog.recording import same_name
from millpond.catalog.refiling import refiled
from millpond.catalog.repartitioning import repartitioned
from millpond.catalog.reserving import prepare
from millpond.catalog.soundness import Soundness
from millpond.catalog.store import Store
from millpond.catalog.types import column_json, iceberg_type, schema_json
from millpond.catalog.view_staging import StagedViews
from millpond.catalog.warehouse import Warehouse
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.names import TableName, closest, side_table
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.project.model import Partition


class Ground(Protocol):
    """What a stage needs of the catalog that it belongs to."""

    @property
    def environment(self) -> str:
        """The environment whose tables are seen."""
        ...

    @property
    def store(self) -> Store:
        """The pointers."""
        ...

    @property
    def warehouse(self) -> Warehouse:
        """Where tables may lie."""
        ...

    @property
    def soundness(self) -> Soundness:
        """Whether files are what was written."""
        ...

    def find(self, name: TableName, at: int | None = None, kind: str = TABLE) -> TableEntry | None:
        """A pointer as of a commit."""
        ...

    def tables(self, at: int | None = None, kind: str = TABLE) -> tuple[TableEntry, ...]:
        """Every pointer of a kind as of a commit."""
        ...

    def metadata(self, entry: TableEntry) -> TableMetadata:
        """The metadata that a pointer names."""
        ...


@frozen
class TableChange:
    """What a client asks of one table: what must still hold, and the updates. Both as the REST specification writes."""

    name: TableName
    requirements: tuple[Mapping[str, Any], ...]
    updates: tuple[Mapping[str, Any], ...]


@frozen
class Draft:
    """A staged table: where it began (None: nowhere) and what it is now (None: dropped).

    `now.path` is None for metadata that is to be written, else the file that the pointer is to name.
    """

    name: TableName
    base: TableEntry | None
    began: TableMetadata | None
    now: TableMetadata | None
    entry: TableEntry | None


class Stage:
    """What one step stages. Reads see commit `base` and the staged work; nobody else sees that work."""

    def __init__(
        self,
        ground: Ground,
        base: int,
        step_key: str,
        now_ms: Callable[[], int],
        publisher: Callable[[Stage, Commit], Published],
    ) -> None:
        self.base = base
        self.step_key = step_key
        self.token = ""
        self._ground = ground
        self._now_ms = now_ms
        self._publisher = publisher
        self._drafts: dict[TableName, Draft] = {}
        self._seen: dict[TableName, TableEntry | None] = {}
        self._closed: Callable[[], None] | None = None
        self._open = True
        self.lock = threading.RLock()
        self.views = StagedViews(ground, base, now_ms, self.lock)

    def on_close(self, closed: Callable[[], None]) -> None:
        """Have `closed` called once when the stage ends."""
        self._closed = closed

    @property
    def environment(self) -> str:
        """The environment whose tables are seen and changed."""
        return self._ground.environment

    def find(self, name: TableName) -> TableEntry | None:
        """The table as this step sees it."""
        with self.lock:
            if name in self._drafts:
                return self._drafts[name].entry
            return self._at_base(name)

    def table(self, name: TableName) -> TableEntry:
        """The table as this step sees it. Raises CatalogError MP-3001 when there is none."""
        entry = self.find(name)
        if entry is None:
            raise no_such_table(name, (found.name for found in self.tables()))
        return entry

    def tables(self) -> tuple[TableEntry, ...]:
        """Every table as this step sees it, by name."""
        seen = {entry.name: entry for entry in self._ground.tables(self.base)}
        with self.lock:
            for name, draft in self._drafts.items():
                seen.pop(name, None)
                if draft.entry is not None:
                    seen[name] = draft.entry
        return tuple(seen[name] for name in sorted(seen))

    def metadata(self, name: TableName) -> TableMetadata:
        """The metadata as this step sees it. Raises CatalogError MP-3001 when there is no such table."""
        with self.lock:
            draft = self._drafts.get(name)
            if draft is not None and draft.now is not None:
                return draft.now
        return self._ground.metadata(self.table(name))

    def changed(self) -> tuple[TableName, ...]:
        """The tables and views with staged changes."""
        with self.lock:
            return tuple(sorted((*self._drafts, *(draft.name for draft in self.views.drafts()))))

    def locations(self, but: TableName | None = None) -> tuple[str, ...]:
        """Where the tables and views lie that this step sees, those with the name `but` left out."""
        return tuple(entry.location for entry in (*self.tables(), *self.views.all()) if entry.name != but)

    def drafts(self) -> tuple[Draft, ...]:
        """The staged tables, by name."""
        with self.lock:
            return tuple(self._drafts[name] for name in sorted(self._drafts))

    def create_table(
        self,
        name: TableName,
        schema: Schema,
        partition: tuple[Partition, ...] = (),
        properties: Mapping[str, str] | None = None,
    ) -> TableEntry:
        """Stage a new, empty table. Raises CatalogError MP-3003 when the name is taken."""
        document = schema_json(schema)
        identity = str(uuid.uuid4())
        created = documents.create(
            document,
            location=self._ground.warehouse.fresh(name, identity),
            uuid=identity,
            now_ms=self._now_ms(),
            spec=spec_json(partition, document),
            properties={**layout.properties(bool(partition)), **(properties or {})},
        )
        return self.create(name, created)

    def create(self, name: TableName, created: TableMetadata) -> TableEntry:
        """Stage a table whose first metadata is at hand. Raises CatalogError MP-3003 when the name is taken.

        A view's name is taken too.
        """
        with self.lock:
            if self.find(name) is not None:
                raise taken(name)
            if self.views.find(name) is not None:
                raise same_name(VIEW, name)
            prepare(self._ground.store, self._ground.warehouse, created.location)
            return self._put(name, created)

    def adopt(self, name: TableName, now: TableMetadata, created: int | None) -> TableEntry:
        """Stage metadata that was made of other versions' parts; the files that it names are there and on the disk.

        A table of that name is replaced. `created` is the commit that made the table, None for this one.
        """
        with self.lock:
            self._usable()
            prepare(self._ground.store, self._ground.warehouse, now.location)
            began = self._began(name)
            entry = self._put(name, now, created)
            self._drafts[name] = Draft(name, began.base if began else None, now, now, entry)
            return entry

    def add_columns(self, name: TableName, columns: tuple[Column, ...], wider: tuple[Column, ...] = ()) -> None:
        """Stage new optional columns at the end, and `wider` types of columns that are there: see `widens`.

        Raises CatalogError MP-3001 when there is no such table.
        """
        with self.lock:
            current = self.metadata(name)
            last = int(current.document["last-column-id"]) + len(columns)
            first = int(current.document["last-column-id"]) + 1

            def next_id() -> int:
                nonlocal last
                last += 1
                return last

            added = [column_json(column, number, next_id) for number, column in enumerate(columns, start=first)]
            present, types = current.schema_document, {column.name: column.type for column in wider}
            fields = [
                {**field, "type": iceberg_type(types[field["name"]], next_id)} if field["name"] in types else field
                for field in present["fields"]
            ]
            schema = {**present, "fields": [*fields, *added]}
            updates = (
                {"action": "add-schema", "schema": schema, "last-column-id": last},
                {"action": "set-current-schema", "schema-id": -1},
            )
            self.commit((TableChange(name, (), updates),))

    def repartition(self, name: TableName, partition: tuple[Partition, ...]) -> bool:
        """Stage another partitioning for files to come, those that are there stay; whether it is another.

        Raises CatalogError MP-3001 when there is no such table, MP-3040 when it cannot be partitioned so.
        """
        with self.lock:
            current = self.metadata(name)
            updated = repartitioned(current, partition, self._now_ms())
            if updated is not current:
                self._put(name, updated)
            return updated is not current

    def truncate(self, name: TableName) -> None:
        """Stage an empty snapshot, so that the next INSERT replaces the contents."""
        with self.lock:
            current = self.metadata(name)
            emptied = snapshots.truncate(current, self._now_ms())
            if emptied is not current:
                self._put(name, emptied)

    def drop_table(self, name: TableName) -> None:
        """Stage the end of a table, and of its side table; the files stay.

        Raises CatalogError MP-3001 when there is no such table.
        """
        with self.lock:
            self.table(name)
            if self.find(side_table(name)) is not None:
                self.drop_table(side_table(name))
            began = self._began(name)
            if began is None or began.base is None:
                self._drafts.pop(name, None)
            else:
                self._drafts[name] = Draft(name, began.base, began.began, None, None)

    def rename(self, source: TableName, target: TableName) -> None:
        """Stage another name for a table, and its side table. Raises CatalogError MP-3001 or MP-3003."""
        with self.lock:
            if self.find(target) is not None:
                raise taken(target)
            if self.find(side_table(source)) is not None:
                self.rename(side_table(source), side_table(target))
            entry, present = self.table(source), self.metadata(source)
            self.drop_table(source)
            self._put(target, present, created=entry.created or None)

    def commit(self, changes: Sequence[TableChange]) -> bool:
        """Stage a client's commit of one or more tables, all or nothing; False when it is in already.

        A request whose snapshots are in was answered before and the answer was lost: it changes nothing.
        Raises ConflictError MP-3011 when a requirement does not hold, CatalogError for what the tables cannot take.
        """
        with self.lock:
            self._usable()
            if any(self._landed(change) for change in changes):
                return False
            before = dict(self._drafts)
            try:
                for change in changes:
                    self._apply(change)
            except CatalogError:
                self._drafts = before
                raise
            return True

    def publish(self, commit: Commit) -> Published:
        """Make the staged work visible, with all that the commit carries, in one transaction; the stage then ends.

        A step key that is published already is recognised: the answer says `repeated` and the staged work is dropped.
        Raises ConflictError MP-3010 when a staged table was changed meanwhile (blind appends are moved onto the newest
        state instead), CatalogError MP-3013 when the ledger does not add up. After an error the stage still stands.
        """
        with self.lock:
            self._usable()
            published = self._publisher(self, commit)
            self.discard()
            return published

    def discard(self) -> None:
        """End the stage without publishing; its files are left for maintenance to remove."""
        with self.lock:
            self._open = False
            self._drafts.clear()
            self.views.clear()
            if self._closed is not None:
                self._closed()
                self._closed = None

    def _usable(self) -> None:
        if not self._open:
            raise CatalogError(
                "MP-3012",
                f"the step {self.step_key!r} has been published or discarded",
                next_step="begin a new step",
            )

    def _at_base(self, name: TableName) -> TableEntry | None:
        """The pointer as of `base`, asked for once: it cannot change any more."""
        if name not in self._seen:
            self._seen[name] = self._ground.find(name, self.base)
        return self._seen[name]

    def _began(self, name: TableName) -> Draft | None:
        """How the name stood at `base`: an earlier draft's memory of it, or what the catalog says."""
        draft = self._drafts.get(name)
        if draft is not None:
            return draft
        entry = self._at_base(name)
        if entry is None:
            return None
        began = self._ground.metadata(entry)
        return Draft(name, entry, began, began, entry)

    def _put(self, name: TableName, now: TableMetadata, created: int | None = None) -> TableEntry:
        self._usable()
        time.sleep(times.until_past(now.document, self._now_ms()))
        began = self._began(name)
        base = began.base if began else None
        if created is None and base is not None and base.uuid == now.uuid:
            created = base.created
        path = now.path or f"{now.location}/metadata/staged-{uuid.uuid4()}.metadata.json"
        entry = TableEntry(name, now.uuid, now.location, path, self.base, created or 0)
        self._drafts[name] = Draft(name, base, began.began if began else None, now, entry)
        return entry

    def _landed(self, change: TableChange) -> bool:
        """Whether this change was made before: its snapshots are in, or the table that it creates is the one there."""
        if self.find(change.name) is None:
            return False
        current = self.metadata(change.name)
        if documents.already_in(current, change.updates):
            return True
        creates = any(requirement.get("type") == "assert-create" for requirement in change.requirements)
        identities = [row.get("uuid") for row in change.updates if row.get("action") == "assign-uuid"]
        adds = any(row.get("action") == "add-snapshot" for row in change.updates)
        return creates and not adds and identities == [current.uuid]

    def _apply(self, change: TableChange) -> None:
        present = self.find(change.name)
        current = self.metadata(change.name) if present else None
        creates = any(requirement.get("type") == "assert-create" for requirement in change.requirements)
        if current is None and not creates:
            raise no_such_table(change.name, (entry.name for entry in self.tables()))
        if current is not None and not change.updates:
            documents.check(current, change.requirements)
            return
        updated = self._updated(current, change)
        warehouse = self._ground.warehouse
        if current is None:
            warehouse.apart(warehouse.check(updated.location), self.locations())
            prepare(self._ground.store, warehouse, updated.location)
        elif updated.location != current.location:
            warehouse.apart(updated.location, self.locations(change.name))
            prepare(self._ground.store, warehouse, updated.location)
        warehouse.check_properties(updated.properties, updated.location)
        now = refiled(current, updated)
        if current is not None and current.current_snapshot is not None:
            now = snapshots.settled(now, self._now_ms())
        self._put(change.name, now)

    def _updated(self, current: TableMetadata | None, change: TableChange) -> TableMetadata:
        updates = self._safe(change)
        base = None if current is None else overtaken.began(current, change.requirements, updates)
        if base is not None and current is not None:
            with suppress(ConflictError):  # then it is refused below, in the words that clients compare
                documents.check(base, change.requirements)
                asked = documents.apply(base, updates, self._now_ms())
                return overtaken.moved(current, base, asked, self._now_ms())
        documents.check(current, change.requirements)
        return documents.apply(current, updates, self._now_ms())

    def _safe(self, change: TableChange) -> tuple[Mapping[str, Any], ...]:
        """The updates with every location as a plain path under the root of the table's layer."""
        check = self._ground.warehouse.check
        return tuple(
            {**update, "location": check(str(update.get("location")), change.name.layer)}
            if update.get("action") == "set-location"
            else update
            for update in change.updates
        )


def no_such_table(name: TableName, known: Iterable[TableName]) -> CatalogError:
    """The error for a name that no table has."""
    return CatalogError(
        "MP-3001",
        f"Table does not exist: {name}",
        next_step="`millpond ls` lists the tables",
        suggestion=closest(str(name), (str(other) for other in known)),
    )


def taken(name: TableName) -> CatalogError:
    """The error for a name that is in use."""
    return CatalogError("MP-3003", f"Table already exists: {name}", next_step="choose another name, or drop the table")


_VERSION = re.compile(r"(\d+)-[^/]*\Z")


def next_version(path: str | None) -> int:
    """The number that the next metadata file after `path` bears in its name."""
    found = _VERSION.search(path or "")
    return int(found[1]) + 1 if found else 0
