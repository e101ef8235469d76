"""Going back: tables become again what they were at a commit, by a new commit.

History stays whole. The pointers move to new metadata of the old content, the records between count no more (see
`timeline`), and readers of changes see the difference between the two states as rows inserted and deleted.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from millpond.catalog import reachability, updates
from millpond.catalog.commits import Commit, Published, Restored, TableEntry
from millpond.catalog.metadata import METADATA_LOG, TableMetadata, trim
from millpond.catalog.recording import micros
from millpond.catalog.staging import Stage, no_such_table
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.names import QUARANTINE, STATE, TableName, side_table
from millpond.core.records import frozen
from millpond.core.retry import Backoff, retry

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

KIND = "restore"


@frozen
class TableRestore:
    """What a restore does to one table. `now` and `then` are its pointers, None where there is no table."""

    table: TableName
    now: TableEntry | None
    then: TableEntry | None

    @property
    def work(self) -> Literal["go back", "drop", "bring back", "keep"]:
        """What happens to the table, in a word."""
        if self.now is None:
            return "bring back"
        if self.then is None:
            return "drop"
        return "keep" if self.now.metadata_location == self.then.metadata_location else "go back"


@frozen
class Restore:
    """Going back to commit `number`, as a value: one table, or all (`table` is None). `head` is the newest commit."""

    number: int
    head: int
    table: TableName | None
    tables: tuple[TableRestore, ...]


def plan_restore(catalog: Catalog, number: int, table: TableName | None = None) -> Restore:
    """What a restore to a commit would do, to one table or to all.

    Raises CatalogError MP-3001 when the table is neither there now nor was then, MP-3070 when files of then are gone,
    MP-3078 for one that has another name now: two tables would lie in one folder and be told apart by nobody,
    MP-3074 for the quarantine alone: the rows that were rejected since would be nowhere, MP-3101 for a side table,
    which goes back with its table.
    """
    if table is not None and table.layer == STATE:
        raise CatalogError(
            "MP-3101",
            f"{table} is the side table of another, and goes back with it alone",
            next_step="restore the table that it belongs to; nothing was changed",
        )
    if table is not None and table.layer == QUARANTINE:
        raise CatalogError(
            "MP-3074",
            f"{table} cannot go back alone: what was rejected since would be neither there nor in its table",
            next_step="restore everything with --all; nothing was changed",
        )
    head = catalog.head()
    now = {entry.name: entry for entry in catalog.tables(head)}
    then = {entry.name: entry for entry in catalog.tables(number)}
    names = sorted(now.keys() | then.keys()) if table is None else [table]
    if table is not None and side_table(table) in (now.keys() | then.keys()):
        names.append(side_table(table))
    if table is not None and table not in now and table not in then:
        raise no_such_table(table, now)
    planned = Restore(number, head, table, tuple(TableRestore(name, now.get(name), then.get(name)) for name in names))
    _check(catalog, planned)
    for item in planned.tables:
        if item.then is not None and item.work != "keep":
            _check_alone(planned, item, now)
    for source in _sources(catalog, planned):
        check_there(catalog, number, source)
    return planned


def _check_alone(planned: Restore, item: TableRestore, now: Mapping[TableName, TableEntry]) -> None:
    """Pass when the table of then is not there under a name that stays."""
    if item.then is None or (item.now is not None and item.now.uuid == item.then.uuid):
        return
    moving = {other.table for other in planned.tables}
    found = next((one.name for one in now.values() if one.uuid == item.then.uuid and one.name not in moving), None)
    if found is not None:
        raise CatalogError(
            "MP-3078",
            f"{item.table} is called {found} now, and would be there twice",
            next_step=f"rename {found} back first, or restore everything with --all; nothing was changed",
        )


def restore(catalog: Catalog, number: int, table: TableName | None, principal: str) -> Published:
    """Make one table, or all, what they were at a commit, with cursors, known files and model states.

    Raises as `plan_restore` does, and ConflictError MP-3010 when other commits keep coming first.
    """
    published, planned = _go(catalog, number, table, principal)
    try:
        _check(catalog, planned)
    except CatalogError:
        # Upkeep took files after the look at them and before the commit; from then on it takes none of them.
        _go(catalog, published.number - 1, table, principal)
        raise
    return published


def _go(catalog: Catalog, number: int, table: TableName | None, principal: str) -> tuple[Published, Restore]:
    key = f"{KIND}/{uuid.uuid4()}"

    def once(_attempt: int) -> tuple[Published, Restore]:
        planned = plan_restore(catalog, number, table)
        stage = catalog.begin(key, planned.head)
        try:
            for item in planned.tables:
                _stage(catalog, stage, item)
            told = Restored(table, number)
            return stage.publish(Commit(key, KIND, principal, table=table, restores=(told,))), planned
        finally:
            stage.discard()

    return retry(once, on=ConflictError, backoff=Backoff())


def _check(catalog: Catalog, planned: Restore) -> None:
    """Pass when the files are there that the tables are to be made of. Raises CatalogError MP-3070 otherwise."""
    for item in planned.tables:
        if item.then is not None and item.work != "keep":
            check_there(catalog, planned.number, item.then)


def _stage(catalog: Catalog, stage: Stage, item: TableRestore) -> None:
    if item.work == "keep":
        return
    if item.then is None:
        if stage.find(item.table) is not None:  # else it went with the table that it is the side table of
            stage.drop_table(item.table)
        return
    old = catalog.metadata(item.then)
    now_ms = micros(catalog.clock.now()) // 1000
    if item.now is not None and item.now.uuid == item.then.uuid:
        stage.adopt(item.table, rolled_back(catalog.metadata(item.now), old, now_ms), item.now.created)
    else:
        stage.adopt(item.table, returned(old, now_ms), item.then.created)


def rolled_back(current: TableMetadata, old: TableMetadata, now_ms: int) -> TableMetadata:
    """The content of an earlier version as the next version of a table.

    What must never fall stays: column ids, sequence numbers and the snapshots since then, so that nothing that is
    written later is taken for something that was.
    """
    new = current.document
    # Files of its earlier past may be gone: what it kept of that counts only where the present version names it too.
    before = trim(old, {row["snapshot-id"] for row in current.snapshots}, recent=0).document
    document = dict(before)
    for member, key in (("schemas", "schema-id"), ("partition-specs", "spec-id"), ("sort-orders", "order-id")):
        document[member] = _united(new[member], before[member], key)
    document["current-schema-id"] = updates.newest_schema(document, before["current-schema-id"])
    for member in ("format-version", "last-column-id", "last-partition-id", "last-sequence-number", "next-row-id"):
        if member in new or member in before:
            document[member] = max(new.get(member) or 0, before.get(member) or 0)
    document["location"] = current.location
    if old.current_snapshot is not None:  # else none is named: DuckDB takes the newest where no one is current
        document["snapshots"] = _united(new.get("snapshots") or (), before.get("snapshots") or (), "snapshot-id")
    document["last-updated-ms"] = max(now_ms, new["last-updated-ms"], before["last-updated-ms"])
    document["snapshot-log"] = _log(document, new.get("snapshot-log") or ())
    document["metadata-log"] = _earlier(current)
    updates.mirror_first_version(document)
    return TableMetadata(document)


def returned(old: TableMetadata, now_ms: int) -> TableMetadata:
    """An earlier version of a table that is there no more, as its next version, without the past that it named."""
    document = {**trim(old, recent=0).document, "last-updated-ms": max(now_ms, old.document["last-updated-ms"])}
    return TableMetadata({**document, "metadata-log": _earlier(old)})


def _earlier(metadata: TableMetadata) -> list[Mapping[str, Any]]:
    entry = {"metadata-file": metadata.path, "timestamp-ms": metadata.document["last-updated-ms"]}
    return [*(metadata.document.get("metadata-log") or ()), entry][-METADATA_LOG:]


def _united(new: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """Both lists' rows by id, in order of their ids' age: what only the earlier version has comes first."""
    known = {row[key]: row for row in before}
    since = [row for row in new if row[key] not in known]
    return [*before, *since]


def _log(document: Mapping[str, Any], log: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The snapshot log with the present snapshot at its end, as readers demand; DuckDB takes the latest by time."""
    number = document.get("current-snapshot-id")
    if number in (None, -1):
        return []
    if log and log[-1]["snapshot-id"] == number:
        return list(log)
    latest = max((row["timestamp-ms"] for row in log), default=0)
    return [*log, {"snapshot-id": number, "timestamp-ms": max(document["last-updated-ms"], latest)}]


def _sources(catalog: Catalog, planned: Restore) -> Iterator[TableEntry]:
    """The inputs, as of the cursors that come back: what the restored tables go on from in the next run."""
    restored = {item.table for item in planned.tables if item.then is not None}
    seen: set[str] = set()
    for (consumer, source), number in catalog.cursors(planned.number).items():
        if consumer not in restored:
            continue
        entry = catalog.find(source, number)
        there = catalog.find(source, planned.number if planned.table is None else None)
        if entry is not None and there is not None and entry.uuid == there.uuid:
            if entry.metadata_location not in seen and entry.metadata_location != there.metadata_location:
                yield entry
            seen.add(entry.metadata_location)


def check_there(catalog: Catalog, number: int, entry: TableEntry) -> None:
    """Pass when every file of a version, its branches and its tags is there. Raises CatalogError MP-3070 otherwise."""
    try:
        paths = reachability.snapshot_files(catalog, catalog.metadata(entry).read)
        gone = next((path for path in paths if not Path(path).exists()), None)
    except CatalogError as unreadable:
        raise _gone(number, entry.name, unreadable.finding.message) from unreadable
    if gone is not None:
        raise _gone(number, entry.name, f"there is no file {gone}")


def _gone(number: int, name: TableName, reason: str) -> CatalogError:
    return CatalogError(
        "MP-3070",
        f"files of {name} that commit {number} stands on are gone: {reason}",
        next_step="choose a later commit (`millpond history` lists them); nothing was changed",
    )
