"""Making staged work visible: files synced, metadata written, then one transaction for pointers and all records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from millpond.catalog import checksums, files, manifests, recording, records, snapshots
from millpond.catalog.cache import MetadataCache
from millpond.catalog.checksums import Checksum
from millpond.catalog.commits import VIEW, Commit, Published, TableEntry
from millpond.catalog.keeper import Held, Keeper
from millpond.catalog.metadata import TableMetadata, live_rows, trim
from millpond.catalog.recording import Author, Move, micros
from millpond.catalog.staging import Draft, Ground, Stage, next_version
from millpond.catalog.store import LOST, Store
from millpond.catalog.view_staging import ViewDraft
from millpond.core.errors import CatalogError, ConflictError, MillpondError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.retry import Backoff, retry
from millpond.sql.quarantine import RECORDS

_UNSURE = ("MP-3018", LOST)
"""After these a commit may be in nevertheless."""

_RECONNECT = Backoff(tries=4, first=0.1)

KEPT_SNAPSHOTS = 50
"""How many snapshots metadata names for clients that travel in time on their own; the pointer store has them all."""


class OvertakenError(Exception):
    """Another commit came between the look at a pointer and its swap; a blind append is tried again."""

    def __init__(self, conflict: ConflictError) -> None:
        super().__init__(str(conflict))
        self.conflict = conflict


class LostError(Exception):
    """The connection was lost before the commit was in; it is tried again."""

    def __init__(self, failed: CatalogError) -> None:
        super().__init__(str(failed))
        self.failed = failed


@frozen
class Ready:
    """A draft whose files are on the disk: the pointer's move, and the metadata file that was written for it."""

    move: Move
    written: str | None = None
    metadata: TableMetadata | None = None
    held: Held | None = None
    sums: tuple[Checksum, ...] = ()


class Publisher:
    """Publishes the stages of one environment on behalf of one client program.

    With a `keeper`, new files are held for a client that may not hear the answer.
    """

    def __init__(
        self,
        store: Store,
        ground: Ground,
        cache: MetadataCache,
        now: Callable[[], datetime],
        client: str,
        keeper: Keeper | None = None,
    ) -> None:
        self._keeper = keeper
        self._store = store
        self._ground = ground
        self._cache = cache
        self._now = now
        self._client = client

    def publish(self, stage: Stage, commit: Commit) -> Published:
        """See `Stage.publish`. Raises CatalogError MP-3015 when the disk failed and the outcome cannot be told."""
        if commit.ledger is not None and not commit.ledger.adds_up:
            raise CatalogError(
                "MP-3013",
                f"the ledger of step {commit.step_key!r} does not add up: {commit.ledger}",
                next_step="nothing was changed; report this defect with the run's log",
            )
        if commit.step_key:
            known = self._store.ask(lambda connection: records.published(connection, commit.step_key))
            if known is not None:
                return Published(known, repeated=True)
        try:
            return retry(lambda _attempt: self._attempt(stage, commit), on=OvertakenError, backoff=Backoff())
        except OvertakenError as overtaken:
            raise overtaken.conflict from overtaken

    def _attempt(self, stage: Stage, commit: Commit) -> Published:
        ready: list[Ready] = []
        try:
            for draft in stage.drafts():
                ready.append(self._prepare(draft, commit.blind))  # noqa: PERF401 - what is ready is removed on failure
            for view in stage.views.drafts():
                ready.append(self._prepare_view(view))  # noqa: PERF401 - as above
            published = self._record(commit, ready, stage.base, _opened(stage))
        except OvertakenError:
            self._undo(ready)
            raise
        except CatalogError as refused:
            if refused.code != "MP-3015":
                self._undo(ready)
            raise
        if published.repeated:
            self._undo(ready)
            return published
        if self._keeper is not None:
            self._keeper.watch(item.held for item in ready if item.held is not None)
        for item in ready:
            if item.written is not None and item.metadata is not None:
                self._cache.keep(item.written, TableMetadata(item.metadata.document, item.written))
            self._cache.compared.add(one.path for one in item.sums)
        return published

    def _undo(self, ready: Sequence[Ready]) -> None:
        """Take away metadata files that no pointer ever named, and let go of what was held for them."""
        for item in ready:
            if item.written is not None:
                with suppress(OSError):
                    Path(item.written).unlink()
            if item.held is not None and self._keeper is not None:
                self._keeper.release((item.held,))

    def _prepare(self, draft: Draft, blind: bool) -> Ready:
        present = self._ground.find(draft.name)
        now, previous = draft.now, draft.began
        if _path(present) != _path(draft.base):
            if not blind or present is None or draft.base is None or now is None:
                raise recording.moved(draft.name)
            previous = self._ground.metadata(present)
            self._ground.soundness.check_manifests(previous)
            now = snapshots.rebase(previous, draft.began, now, micros(self._now()) // 1000)
        return self._written(draft, present, previous, now)

    def _prepare_view(self, draft: ViewDraft) -> Ready:
        present = self._ground.find(draft.name, None, VIEW)
        before, now = _path(present), draft.now
        if before != _path(draft.base):
            raise recording.moved(draft.name)
        if now is None or draft.entry is None:
            if present is None:
                raise recording.moved(draft.name)
            return Ready(Move(draft.name, before, None, present.uuid, present.location, present.created, VIEW))
        path, written = now.path, None
        if path is None:
            path = written = files.write(now, now.folder, next_version(before))
        created = draft.entry.created or None
        sums = checksums.taken((path,))
        return Ready(Move(draft.name, before, path, now.uuid, now.location, created, VIEW), written, sums=sums)

    def _written(
        self, draft: Draft, present: TableEntry | None, previous: TableMetadata | None, now: TableMetadata | None
    ) -> Ready:
        before = _path(present)
        if now is None:
            if present is None:
                raise recording.moved(draft.name)
            return Ready(Move(draft.name, before, None, present.uuid, present.location, present.created))
        created = draft.entry.created if draft.entry is not None else 0
        path, written, held = now.path, None, None
        sums: tuple[Checksum, ...] = ()
        if path is None:
            now = trim(now, recent=KEPT_SNAPSHOTS)
            same = previous if previous is not None and previous.uuid == now.uuid else None
            sums = checksums.synced(manifests.new_files(same, now), now.location)
            held = None if self._keeper is None else self._keeper.hold(same, now)
            path = written = files.write(now, f"{now.location}/metadata", next_version(before))
            sums = (*sums, *checksums.taken((path,)))
        return Ready(Move(draft.name, before, path, now.uuid, now.location, created or None), written, now, held, sums)

    def _record(self, commit: Commit, ready: Sequence[Ready], base: int, opened: int) -> Published:
        """Write the commit; where the connection is lost on the way and it is not in, once more, some times."""
        moves = _joined([item.move for item in ready])

        def once(_attempt: int) -> Published:
            author = Author(self._ground.environment, self._client, self._now())
            try:
                with self._store.write() as connection:
                    published = recording.record(connection, author, commit, moves, opened)
                    if not published.repeated:
                        checksums.record(connection, published.number, [one for item in ready for one in item.sums])
                    return published
            except CatalogError as failed:
                number = self._outcome(commit, moves, base, failed) if failed.code in _UNSURE else None
                if number is not None:
                    return Published(number)
                if failed.code == LOST:
                    raise LostError(failed) from failed
                raise

        try:
            return retry(once, on=LostError, backoff=_RECONNECT)
        except LostError as lost:
            raise lost.failed from lost
        except ConflictError as conflict:
            if commit.blind:
                raise OvertakenError(conflict) from conflict
            raise

    def _outcome(self, commit: Commit, moves: Sequence[Move], base: int, failed: CatalogError) -> int | None:
        """The number of a commit whose transaction failed at its end, None when it is not in."""
        try:
            with self._store.settled() as connection:
                if commit.step_key:
                    return records.published(connection, commit.step_key)
                return records.moved(connection, self._ground.environment, moves[0], base) if moves else None
        except MillpondError as silent:
            raise CatalogError(
                "MP-3015",
                f"the catalog failed while committing and cannot be read: {silent.finding.message}",
                next_step="do not delete any file; when the catalog answers again, ask whether the commit is in",
            ) from failed


def _opened(stage: Stage) -> int:
    """How many records the stage put into quarantine."""
    draft = next((draft for draft in stage.drafts() if draft.name == RECORDS), None)
    return 0 if draft is None else max(0, live_rows(draft.now) - live_rows(draft.began))


def _path(entry: TableEntry | None) -> str | None:
    return None if entry is None else entry.metadata_location


def _joined(moves: Sequence[Move]) -> list[Move]:
    """One move for each name: where a table gives way to a view, or a view to a table, the name goes on to that."""
    found: dict[TableName, Move] = {}
    for move in moves:
        other = found.get(move.name)
        if other is not None:
            gone, new = (other, move) if other.after is None else (move, other)
            move = replace(new, before=gone.before)  # noqa: PLW2901
        found[move.name] = move
    return list(found.values())
