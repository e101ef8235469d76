"""Rewriting a table's files: the engine writes new ones, and one commit puts them in the place of the old.

Nothing waits for the engine: writers go on meanwhile. What they append stays; rows that they delete of a file that is
being rewritten are looked for in the new files, and deleted there. Where they replace the file, it is left for another
time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from millpond.catalog import manifests
from millpond.catalog.commits import Commit
from millpond.catalog.deleting import DeleteFile
from millpond.catalog.layout import TARGET_SIZE
from millpond.catalog.manifests import ADDED
from millpond.catalog.metadata import FORMAT, TableMetadata
from millpond.catalog.recording import micros
from millpond.catalog.rewriting import Replacement, Written, dead, replacement
from millpond.catalog.staging import Stage, TableChange
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.retry import Backoff, retry
from millpond.engines.engine import Session
from millpond.pipeline.positions import write_gathered, write_moved
from millpond.pipeline.workbench import Workbench
from millpond.sql.rewriting import count_rows, count_threads, rewrite, use_threads
from millpond.tables.compaction import (
    Choice,
    Group,
    Live,
    droppable,
    everything,
    groups,
    lost,
    target_size,
)
from millpond.tables.reading import rows_sql
from millpond.tables.slices import FileSlice, Layout, Reading

_STEP_BYTES = 2 * 1024**3
"""How much one commit rewrites at most, so that a crash or a conflict loses little."""

MANY_DEAD = 100
"""From so many entries of files that went on, manifests are written without them though nothing else is to be done."""

_BACKOFF = Backoff(tries=12, first=0.02, most=1.0)


@frozen
class Compacted:
    """What became of a batch: the commit (None where all of it was left for next time), and counts of files."""

    number: int | None
    before: int = 0
    after: int = 0
    left: int = 0


@frozen
class _Fresh:
    """A group, and the files that were written for it."""

    group: Group
    written: tuple[Written, ...]


@frozen
class _Rewrite:
    """What is ready to be published: a table's new files, and the session that wrote them."""

    bench: Workbench
    table: TableName
    metadata: TableMetadata
    session: Session
    fresh: tuple[_Fresh, ...]
    cluster: tuple[str, ...]
    key: str

    def publish(self) -> Compacted:
        """Put the new files in the place of the old, on what the table is now."""
        removed: frozenset[str] = frozenset()
        written: tuple[Written, ...] = ()

        def change(now: TableMetadata) -> Replacement | None:
            nonlocal removed, written
            live = Live.of(now) if now.uuid == self.metadata.uuid else Live((), (), {})
            fresh = () if live.hindrance else self.fresh
            gone = lost(live, (one.group for one in fresh))
            kept = [(one, parts) for one, parts in zip(fresh, gone, strict=True) if parts is not None]
            removed = frozenset(path for one, _ in kept for path in one.group.paths)
            written = tuple(file for one, _ in kept for file in one.written)
            deletes = tuple(moved for one, parts in kept if parts for moved in self._moved(one, parts))
            dropped = droppable(live, removed)
            return Replacement(removed, dropped, written, ",".join(self.cluster), deletes) if kept else None

        number = _publish(self.bench, self.table, self.key, change)
        left = sum(len(one.group.files) for one in self.fresh) - len(removed)
        return Compacted(number, len(removed), len(written), left)

    def _moved(self, fresh: _Fresh, parts: tuple[FileSlice, ...]) -> tuple[DeleteFile, ...]:
        """The rows that went meanwhile, taken out of the new files. Raises CatalogError MP-3183 where one is not."""
        gone = Reading(parts, Layout.of(self.metadata))
        paths = [written.path for written in fresh.written]
        deletes = write_moved(self.session, self.metadata.location, gone, paths)
        due = int(self.session.rows(count_rows(rows_sql(gone, ())))[0][0])
        if sum(one.records for one in deletes) != due:
            raise CatalogError(
                "MP-3183",
                f"of {due} rows of {self.table} that were deleted while it was rewritten, not all are in the new files",
                next_step="nothing was changed; `millpond doctor` looks for damaged files",
            )
        return deletes


def batches(found: Sequence[Group]) -> Iterator[tuple[Group, ...]]:
    """Groups that become one commit: of one place among the cursors, not too large, what is newest first."""
    batch: list[Group] = []
    for group in sorted(found, key=lambda group: (-group.place, group.sequence_number)):
        full = batch and sum(other.size for other in batch) + group.size > _STEP_BYTES
        if batch and (full or batch[0].place != group.place):
            yield tuple(batch)
            batch = []
        batch.append(group)
    if batch:
        yield tuple(batch)


def planned(
    metadata: TableMetadata, cursors: Sequence[int], cluster: Sequence[str], choose: Choice = everything
) -> tuple[tuple[Group, ...], str]:
    """The groups of a table that are to be rewritten, and what hinders it, if anything."""
    live = Live.of(metadata)
    return groups(metadata, live, cursors, _known(metadata, cluster), choose), live.hindrance


def _known(metadata: TableMetadata, cluster: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in cluster if metadata.schema().get(name) is not None)


def compact(
    bench: Workbench,
    table: TableName,
    batch: Sequence[Group],
    metadata: TableMetadata,
    cluster: Sequence[str],
    key: str,
) -> Compacted:
    """Rewrite one batch of a table's files and publish it. `metadata` is the version that the batch was found in.

    Raises CatalogError MP-3183 when the new files do not hold the rows of the old.
    """
    done = bench.catalog.published(key)
    if done is not None:
        return Compacted(done)
    with rewritten(bench, table, batch, metadata, cluster, key) as publish:
        try:
            return retry(lambda _attempt: publish(), on=ConflictError, backoff=_BACKOFF)
        except ConflictError:
            return Compacted(None, left=sum(len(group.files) for group in batch))


@contextmanager
def rewritten(
    bench: Workbench,
    table: TableName,
    batch: Sequence[Group],
    metadata: TableMetadata,
    cluster: Sequence[str],
    key: str,
) -> Iterator[Callable[[], Compacted]]:
    """Write the new files of a batch. What it gives publishes them, at a moment of the caller's choice.

    That raises ConflictError MP-3010 when another commit comes at the same moment: then it may be called again.
    Raises CatalogError MP-3183 when the new files do not hold the rows of the old.
    """
    kept = _known(metadata, cluster)
    stage = bench.catalog.begin(f"{key}/files")
    try:
        stage.commit((TableChange(table, (), _writable(metadata, metadata.spec)),))
        with bench.engine.session(bench.endpoint, stage.token) as session:
            fresh = tuple(_written(bench, session, stage, table, batch, metadata, kept))
            yield _Rewrite(bench, table, metadata, session, fresh, kept, key).publish
    finally:
        stage.discard()


@contextmanager
def gathered(
    bench: Workbench, table: TableName, metadata: TableMetadata, worn: Sequence[FileSlice], key: str
) -> Iterator[Callable[[], int | None]]:
    """Write one delete file for each of some slices, which names what all of its delete files name.

    What it gives publishes them and gives the commit's number, None where there was nothing left to do. It raises
    ConflictError MP-3010 when another commit comes at the same moment: then it may be called again.
    """
    with bench.engine.session() as session:
        bench.catalog.soundness.check_now(path for part in worn for path in part.deletes)
        written = tuple(write_gathered(session, metadata.location, part) for part in worn)
    ready = tuple(zip(worn, written, strict=True))

    def change(now: TableMetadata) -> Replacement | None:
        live = Live.of(now) if now.uuid == metadata.uuid else Live((), (), {})
        here = set() if live.hindrance else {one.path for one in (*live.data, *live.deletes)}
        due = [(part, one) for part, one in ready if here.issuperset((part.path, *part.deletes))]
        dropped = frozenset(path for part, _ in due for path in part.deletes)
        return Replacement(dropped=dropped, deletes=tuple(one for _, one in due)) if due else None

    yield lambda: _publish(bench, table, key, change)


def merge_manifests(bench: Workbench, table: TableName, key: str) -> int | None:
    """Publish the same files under fewer manifests; the commit's number, None where others were always faster."""
    try:
        return retry(lambda _attempt: _publish(bench, table, key, _merged), on=ConflictError, backoff=_BACKOFF)
    except ConflictError:
        return None


def tidy(bench: Workbench, table: TableName, key: str) -> int | None:
    """After a rewrite: publish the files once more, under fewer manifests and without the entries of those that went.

    The rewrite's own snapshot has to name them: by that, writers of other makers see that their deletes came too late.
    Every later reader would go through them, and a second manifest is a good part of a small question's time.
    """
    entry = bench.catalog.find(table)
    if entry is None or not dead(bench.catalog.metadata(entry)):
        return None
    return merge_manifests(bench, table, key)


def _merged(now: TableMetadata) -> Replacement | None:
    return Replacement() if now.format_version == FORMAT and not now.ahead else None


def _publish(
    bench: Workbench, table: TableName, key: str, change: Callable[[TableMetadata], Replacement | None]
) -> int | None:
    """Publish what `change` makes of the table as it is now: the commit's number, None where there is nothing to do.

    Raises ConflictError MP-3010 when another commit comes at the same moment.
    """
    stage = bench.catalog.begin(key)
    try:
        if stage.find(table) is None:
            return None
        metadata = stage.metadata(table)
        replaced = change(metadata)
        if replaced is None:
            return None
        bench.catalog.soundness.check_manifests(metadata)
        stage.commit((TableChange(table, (), replacement(metadata, replaced, micros(bench.clock.now()) // 1000)),))
        commit = Commit(step_key=key, kind="maintain", principal=bench.principal, run=bench.run, table=table)
        return stage.publish(commit).number
    finally:
        stage.discard()


def _written(
    bench: Workbench,
    session: Session,
    stage: Stage,
    table: TableName,
    batch: Sequence[Group],
    metadata: TableMetadata,
    cluster: Sequence[str],
) -> Iterator[_Fresh]:
    """Have the engine write the new files: under a stage that nobody else sees and that is never published.

    By the present partitioning; where that would make more files of them than they were, by the one that they have.
    """
    layout = Layout.of(metadata)
    names = metadata.schema().names
    present = metadata.spec
    earlier = {spec["spec-id"]: spec for spec in metadata.document["partition-specs"] if spec != present}
    for group in batch:
        # What is read here is soon gone, and the new files' checksums would vouch for a changed bit.
        bench.catalog.soundness.check_now(path for part in group.slices for path in (part.path, *part.deletes))
        rows = rewrite(table, names, rows_sql(Reading(group.slices, layout), names), cluster)
        own = earlier.get(group.files[0].spec_id)
        with _threads(session, 1 if group.scattered and not cluster else None):
            new = _insert(session, stage, table, rows)
            if own is not None and len(_added(new)) > len(group.files):
                stage.commit((TableChange(table, (), _writable(metadata, own)),))
                new = _insert(session, stage, table, rows)
                stage.commit((TableChange(table, (), _writable(metadata, present)),))
        written = tuple(Written(entry.path, manifest, group.sequence_number) for entry, manifest in _added(new))
        _check(session, table, group, layout, new)
        yield _Fresh(group, written)


@contextmanager
def _threads(session: Session, number: int | None) -> Iterator[None]:
    """Use so many threads for a while, None for as many as there are."""
    if number is None:
        yield
        return
    before = int(session.rows(count_threads())[0][0])
    session.execute(use_threads(number))
    try:
        yield
    finally:
        session.execute(use_threads(before))


def _insert(session: Session, stage: Stage, table: TableName, sql: str) -> list[manifests.Manifest]:
    """Run an INSERT; the manifests that it wrote."""
    before = _manifests(stage, table)
    session.execute(sql)
    return [manifest for path, manifest in _manifests(stage, table).items() if path not in before]


def _added(new: Iterable[manifests.Manifest]) -> list[tuple[manifests.DataFile, manifests.Manifest]]:
    return [(entry, one) for one in new for entry in manifests.entries(one) if entry.status == ADDED]


def _manifests(stage: Stage, table: TableName) -> dict[str, manifests.Manifest]:
    return {manifest.path: manifest for manifest in manifests.of_snapshot(stage.metadata(table).current_snapshot)}


def _writable(metadata: TableMetadata, spec: Mapping[str, Any]) -> tuple[dict[str, object], ...]:
    """Updates that let DuckDB write by a partition spec: no declared order, the file size where it can keep to one."""
    plain: tuple[dict[str, object], ...] = (
        {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
        {"action": "set-default-sort-order", "sort-order-id": -1},
        {"action": "set-default-spec", "spec-id": spec["spec-id"]},
    )
    if spec["fields"]:
        return (*plain, {"action": "remove-properties", "removals": [TARGET_SIZE]})
    size = {TARGET_SIZE: str(target_size(metadata))}
    return (*plain, {"action": "set-properties", "updates": size})


def _check(session: Session, table: TableName, group: Group, layout: Layout, new: Sequence[manifests.Manifest]) -> None:
    """Count what was read and what was written: a rewrite that loses a row must never be published."""
    worn = tuple(FileSlice(part.path, only=part.deletes) for part in group.slices if part.deletes)
    gone = session.rows(count_rows(rows_sql(Reading(worn, layout), ())))[0][0] if worn else 0
    due = sum(entry.records for entry in group.files) - gone
    wrote = sum(entry.records for entry, _ in _added(new))
    if wrote != due:
        raise CatalogError(
            "MP-3183",
            f"rewriting {table} gave {wrote} rows where {due} were read",
            next_step="nothing was changed; `millpond doctor` looks for damaged files",
        )
