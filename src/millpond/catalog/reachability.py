"""Which versions, snapshots and files of tables are still needed: by a pointer, a tag, a cursor, a fork, or history.

Files are shared: by the versions of one table, by its forks, and by pointers of several environments. So nothing is
judged by one table's metadata alone, but by all that any pointer of the store names or may have to name again.

A version whose metadata file is gone counts as given up: who gives versions up removes their metadata files first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, and_, column, false, func, or_, select, values

from millpond.catalog import files, manifests, records
from millpond.catalog.commits import TABLE, VIEW, TableEntry
from millpond.catalog.files import local
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.recording import ASKED_AT_ONCE, from_micros, micros
from millpond.catalog.relations import commit_tables, commits, cursors, forks, pointers, restores, tags
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

COLLECTS = "gc.enabled"
"""The table property by which Iceberg's Java library is told whether it may delete files that a table names no more."""


class History(Protocol):
    """The commits, as a retention rule asks of them: a lake may have millions, of which it keeps few."""

    @property
    def now(self) -> datetime:
        """The time that the rule judges by."""
        ...

    @property
    def first(self) -> datetime:
        """The time of the first commit; that of `now` where there is none."""
        ...

    def after(self, moment: datetime) -> frozenset[int]:
        """The commits later than a moment."""
        ...

    def states(self, moments: Sequence[datetime]) -> frozenset[int]:
        """The commits that made what the lake was at each of the moments; none before the first."""
        ...


Keep = Callable[[History], Collection[int]]
"""A retention rule: the commits that the lake must still be readable at."""

RECENT = timedelta(hours=24)


def recent(history: History) -> frozenset[int]:
    """Every commit of the last 24 hours, and the state with which they began."""
    return history.after(history.now - RECENT) | history.states([history.now - RECENT])


@frozen
class _Recorded:
    """The history in the pointer store."""

    connection: Connection
    now: datetime

    @property
    def first(self) -> datetime:
        at: int | None = self.connection.scalar(select(commits.c.at).order_by(commits.c.number).limit(1))
        return self.now if at is None else min(from_micros(at), self.now)

    def after(self, moment: datetime) -> frozenset[int]:
        return frozenset(self.connection.scalars(select(commits.c.number).where(commits.c.at > micros(moment))))

    def states(self, moments: Sequence[datetime]) -> frozenset[int]:
        found: set[int | None] = set()
        for start in range(0, len(moments), ASKED_AT_ONCE):
            part = [(micros(moment),) for moment in moments[start : start + ASKED_AT_ONCE]]
            asked = values(column("moment", BigInteger)).data(part).cte("asked")
            newest = (commits.c.at.desc(), commits.c.number.desc())
            made = select(commits.c.number).where(commits.c.at <= asked.c.moment).order_by(*newest).limit(1)
            found.update(self.connection.scalars(select(made.correlate(asked).scalar_subquery()).select_from(asked)))
        return frozenset(number for number in found if number is not None)


@frozen
class Version:
    """What a name pointed at from commit `commit` until before commit `until`; None as `until` means until now."""

    environment: str
    name: TableName
    uuid: str
    location: str
    metadata_location: str
    commit: int
    until: int | None
    kind: str = TABLE


def family(connection: Connection, table_uuid: str) -> frozenset[str]:
    """A table, what it was forked from, its forks, and so on: all that may share files with it."""
    links: dict[str, set[str]] = {}
    for row in connection.execute(select(forks.c.uuid, forks.c.origin)):
        links.setdefault(row.uuid, set()).add(row.origin)
        links.setdefault(row.origin, set()).add(row.uuid)
    found, open_ = {table_uuid}, [table_uuid]
    while open_:
        fresh = links.get(open_.pop(), set()) - found
        found |= fresh
        open_.extend(fresh)
    return frozenset(found)


def needed_versions(
    catalog: Catalog, table_uuids: Collection[str] | None = None, keep: Keep = recent
) -> tuple[Version, ...]:
    """The versions of the given tables (None: of all) that must stay readable.

    They are: what any environment points at; what it pointed at as of a commit that `keep` or a tag names; and, for
    each cursor that is live now or would be after a restore to such a commit, the input as of the cursor.
    """
    with catalog.store.read() as connection:
        history = _Recorded(connection, catalog.clock.now())
        points = tuple(sorted({*keep(history), *connection.scalars(select(tags.c.number))}))
        read = _read(connection, points, None if table_uuids is None else _names(connection, table_uuids))
        found = tuple(_versions(connection, table_uuids))
    return tuple(
        version
        for version in found
        if version.until is None
        or within(points, version)
        or within(read.get((version.environment, version.name), ()), version)
    )


def needed_snapshots(catalog: Catalog, table_uuid: str, keep: Keep = recent) -> frozenset[int]:
    """Ids of the snapshots that some needed version of the table, or of a table that shares files with it, reads.

    Snapshots that a fork took over and still names belong to them. Raises CatalogError MP-3033 for damaged metadata.
    """
    with catalog.store.read() as connection:
        related = family(connection, table_uuid)
    return frozenset(
        int(row["snapshot-id"])
        for version, metadata in _loaded(catalog, needed_versions(catalog, related, keep))
        for row in read_by(version, metadata, named=version.uuid != table_uuid)
    )


def reachable_files(
    catalog: Catalog, table_uuids: Collection[str] | None = None, keep: Keep = recent
) -> frozenset[str]:
    """Plain paths of every file that a needed version of the given tables, or of what shares files with them, reads.

    Metadata files, statistics, manifest lists, manifests, data and delete files. Of the versions that are pointed at
    now, every snapshot counts that they name, of older ones what was read then. Raises CatalogError MP-3033, MP-3036
    and MP-3192 for what cannot be read or is not what was written: then it cannot be told what is needed, and nothing
    may be deleted.
    """
    related: frozenset[str] | None = None
    if table_uuids is not None:
        with catalog.store.read() as connection:
            related = frozenset(one for table_uuid in table_uuids for one in family(connection, table_uuid))
    found: set[str] = set()
    # Not by their ids: a table that was copied with its paths rewritten has those of the table that it was copied from.
    snapshots: dict[str, tuple[Version, Mapping[str, Any]]] = {}
    for version, metadata in _loaded(catalog, needed_versions(catalog, related, keep)):
        found.add(local(version.metadata_location))
        found.update(_statistics(metadata))
        for row in read_by(version, metadata, named=True):
            snapshots.setdefault(row["manifest-list"], (version, row))
    read: set[tuple[str, int]] = set()
    for version, row in snapshots.values():
        with _damage_of(version):
            found.update(_snapshot_files(catalog, row, read))
    return frozenset(found)


def snapshot_files(catalog: Catalog, snapshots: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Plain paths of the manifest lists, manifests and live files of snapshots; each manifest is read once.

    Raises CatalogError MP-3036 when one cannot be read, MP-3192 when one is not what was written.
    """
    read: set[tuple[str, int]] = set()
    for snapshot in snapshots:
        yield from _snapshot_files(catalog, snapshot, read)


def _snapshot_files(catalog: Catalog, snapshot: Mapping[str, Any], read: set[tuple[str, int]]) -> Iterator[str]:
    catalog.soundness.check((snapshot["manifest-list"],))
    yield local(snapshot["manifest-list"])
    listed = manifests.of_snapshot(snapshot)
    catalog.soundness.check(manifest.path for manifest in listed)
    for manifest in listed:
        key = (manifest.path, manifest.sequence_number)
        if key not in read:
            read.add(key)
            yield local(manifest.path)
            yield from (local(entry.path) for entry in manifests.files(manifest))


@contextmanager
def _damage_of(version: Version) -> Iterator[None]:
    """Say of what cannot be read which table and commit need it, and how to do without."""
    try:
        yield
    except CatalogError as damage:
        raise CatalogError(
            damage.code,
            f"{version.name} ({version.environment}) as of commit {version.commit}: {damage.finding.message}",
            next_step="restore the file from a backup, or give the damaged version up: `millpond doctor --repair`",
        ) from damage


def alone(catalog: Catalog, entry: TableEntry) -> bool:
    """Whether only the present pointer needs files of a table: no tag, fork, other environment or reader of changes."""
    with catalog.store.read() as connection:
        related = family(connection, entry.uuid)
    present = (catalog.environment, entry.name)
    needed = needed_versions(catalog, related, lambda _history: ())
    return all(version.until is None and (version.environment, version.name) == present for version in needed)


def check_removal(catalog: Catalog, name: TableName, updates: Sequence[Mapping[str, Any]], keep: Keep) -> None:
    """Pass when the snapshots that a client's updates remove carry nothing that is needed.

    The client may delete their files itself after the commit, as Spark does. Raises CatalogError MP-3075 otherwise.
    """
    removed = {
        int(number) for row in updates if row.get("action") == "remove-snapshots" for number in row["snapshot-ids"]
    }
    entry = catalog.find(name)
    if not removed or entry is None:
        return
    metadata = catalog.metadata(entry)
    leaving = [row for row in metadata.snapshots if row["snapshot-id"] in removed]
    staying = [row for row in metadata.snapshots if row["snapshot-id"] not in removed]
    if not leaving:
        return
    with catalog.store.read() as connection:
        related = family(connection, entry.uuid)
    needed: dict[int, Mapping[str, Any]] = {}
    versions = needed_versions(catalog, related, keep)
    for version, document in _loaded(catalog, versions):
        if version.until is None and (version.environment, version.name) == (catalog.environment, name):
            continue
        for row in read_by(version, document, named=version.uuid != entry.uuid):
            needed.setdefault(int(row["snapshot-id"]), row)
    broken = sorted(removed & needed.keys())
    if not broken:
        lost = set(snapshot_files(catalog, leaving)) - set(snapshot_files(catalog, staying))
        broken = [number for number, row in needed.items() if not lost.isdisjoint(snapshot_files(catalog, [row]))]
    if broken:
        raise CatalogError(
            "MP-3075",
            f"Cannot remove snapshots of {name}: {_told(broken)} still needed, by a tag, a fork, another environment, "
            "a table that reads the changes, or the history that is kept",
            next_step="leave expiry to `millpond maintain`, or remove older snapshots only; nothing was changed",
        )


def _told(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:3])
    more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
    return f"{shown}{more} {'is' if len(numbers) == 1 else 'are'}"


def _loaded(catalog: Catalog, versions: Iterable[Version]) -> Iterator[tuple[Version, TableMetadata]]:
    """Each version with its metadata; old ones whose file is gone are left out. A view has no snapshots."""
    for version in versions:
        if version.kind == VIEW:
            yield version, TableMetadata({"snapshots": []}, version.metadata_location)
            continue
        with _damage_of(version):
            try:
                path = version.metadata_location
                metadata = catalog.cache.load(path) if version.until is None else files.read(path)
            except CatalogError as gone:
                if gone.code != "MP-3032" or version.until is None:
                    raise
                continue
            catalog.soundness.check((path,))
        yield version, metadata


def read_by(version: Version, metadata: TableMetadata, *, named: bool) -> list[Mapping[str, Any]]:
    """The snapshots that a version reads; with `named`, all that it names where it is pointed at now."""
    return list(metadata.snapshots if named and version.until is None else metadata.read)


def _statistics(metadata: TableMetadata) -> Iterator[str]:
    for member in ("statistics", "partition-statistics"):
        for row in metadata.document.get(member) or ():
            yield local(str(row["statistics-path"]))


def within(points: Sequence[int], version: Version) -> bool:
    """Whether one of the numbers, in order, falls into the version's time."""
    place = bisect_left(points, version.commit)
    return place < len(points) and (version.until is None or points[place] < version.until)


def _versions(connection: Connection, uuids: Collection[str] | None) -> Iterator[Version]:
    key = (commit_tables.c.environment, commit_tables.c.layer, commit_tables.c.name)
    query = select(commit_tables)
    if uuids is not None:
        named = select(*key).where(commit_tables.c.uuid.in_(uuids)).distinct().subquery()
        query = query.join(named, and_(*(column == named.c[column.name] for column in key)))
    rows = [*connection.execute(query.order_by(*key, commit_tables.c.commit)), None]
    for row, later in pairwise(rows):
        if row is None or row.dropped or (uuids is not None and row.uuid not in uuids):
            continue
        same = later is not None and (later.environment, later.layer, later.name) == (
            row.environment,
            row.layer,
            row.name,
        )
        yield Version(
            row.environment,
            TableName(row.layer, row.name),
            row.uuid,
            row.location,
            row.metadata_location,
            row.commit,
            later.commit if same and later is not None else None,
            row.kind,
        )


def _names(connection: Connection, uuids: Collection[str]) -> frozenset[tuple[str, TableName]]:
    """The names, by environment, that ever pointed at one of the tables."""
    key = (commit_tables.c.environment, commit_tables.c.layer, commit_tables.c.name)
    query = select(*key).where(commit_tables.c.uuid.in_(uuids)).distinct()
    return frozenset((row.environment, TableName(row.layer, row.name)) for row in connection.execute(query))


def _read(
    connection: Connection, points: tuple[int, ...], inputs: Collection[tuple[str, TableName]] | None
) -> dict[tuple[str, TableName], tuple[int, ...]]:
    """For each input (None: for all) the numbers from which a cursor goes on that is live, or was at one of the points.

    They are in order.
    """
    since = points[0] if points else 0
    back = select(restores.c.number).where(restores.c.commit >= since)
    points = tuple(sorted({*points, *connection.scalars(back)}))
    key = ("environment", "consumer_layer", "consumer_name", "input_layer", "input_name")
    query = select(cursors).order_by(*(cursors.c[member] for member in key), cursors.c.commit)
    if inputs is not None:
        query = query.where(or_(false(), *(reads(*one) for one in inputs)))
    found: dict[tuple[str, TableName], set[int]] = {}
    rows = [*connection.execute(query), None]
    head = records.head(connection)
    for row, later in pairwise(rows):
        if row is None:
            continue
        consumer = TableName(row.consumer_layer, row.consumer_name)
        source = TableName(row.input_layer, row.input_name)
        numbers = found.setdefault((row.environment, source), set())
        last = later is None or any(getattr(row, member) != getattr(later, member) for member in key)
        until = _end(connection, row.environment, consumer) if last or later is None else later.commit
        place = bisect_left(points, row.commit)
        if place < len(points) and (until is None or points[place] < until):
            numbers.add(row.number)
        if last:
            number = records.cursor(connection, row.environment, consumer, source, head)
            numbers.update(() if number is None else (number,))
    return {name: tuple(sorted(numbers)) for name, numbers in found.items()}


def reads(environment: str, source: TableName) -> ColumnElement[bool]:
    """Whether a row of `cursors` is that of a reader of an input."""
    return and_(
        cursors.c.environment == environment,
        cursors.c.input_layer == source.layer,
        cursors.c.input_name == source.name,
    )


def _end(connection: Connection, environment: str, table: TableName) -> int | None:
    """The commit that moved a name last; None where its table is there, 0 where there never was one."""

    def of(rows: Table) -> ColumnElement[bool]:
        return and_(rows.c.environment == environment, rows.c.layer == table.layer, rows.c.name == table.name)

    if connection.scalar(select(pointers.c.commit).where(of(pointers))) is not None:
        return None
    return connection.scalar(select(func.max(commit_tables.c.commit)).where(of(commit_tables))) or 0
