"""What was inserted into a table and deleted from it between two commits, planned from manifests alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millpond.catalog import manifests, soundness
from millpond.catalog.manifests import EQUALITY_DELETES, DataFile, Manifest
from millpond.catalog.metadata import TableMetadata
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.plugins import lookup
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.tables.deletes import Deletes
from millpond.tables.rewrites import Fold, Rewrite, rewrites
from millpond.tables.slices import FileSlice, Layout, Reading

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

DeletedSlice = FileSlice
"""Rows that are gone; read from files that may belong to no version any more."""


@frozen
class Changes:
    """The rows that a table gained and lost. The older version less `deleted` plus `inserted` is the newer one.

    A row that was rewritten unchanged may stand on both sides. `whole` says that `inserted` is all that the table
    holds, so that what was made of an older state must be made anew; `deleted` is empty then.
    """

    inserted: tuple[FileSlice, ...]
    deleted: tuple[DeletedSlice, ...]
    layout: Layout
    whole: bool

    @property
    def schema(self) -> Schema:
        """The table's columns at the newer version, under which both sides are read."""
        return self.layout.schema

    @property
    def fields(self) -> Mapping[str, int]:
        """The columns' lasting ids."""
        return self.layout.fields

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not self.inserted and not self.deleted and not self.whole


def changes(catalog: Catalog, name: TableName, since: int | None, until: int) -> Changes:
    """What changed in a table after commit `since`, up to commit `until`; None as `since` means everything.

    Everything is also the answer when at `since` there was no such table, or another of the same name, or one with a
    column whose values cannot be read as what it is now. Commits that only rewrote files are no changes. Raises
    CatalogError MP-3001 when there is no such table at `until`, MP-3038 for delete files of a kind that the feed cannot
    follow, MP-3036 when a manifest cannot be read.
    """
    newer = soundness.whole(catalog, catalog.table(name, until))
    entry = None if since is None else catalog.find(name, since)
    older = soundness.whole(catalog, entry) if entry is not None and entry.uuid == newer.uuid else None
    if older is not None and _retyped(older, newer):
        older = None
    if older is None or since is None or _current(older) == _current(newer):
        return between(older, newer)
    return between(older, newer, rewrites(catalog, name, (since, until), older, newer))


def between(older: TableMetadata | None, newer: TableMetadata, rewritten: Sequence[Rewrite] = ()) -> Changes:
    """What changed between two versions of one table; None stands for "from nothing". See `changes`.

    `rewritten` are those of the steps from one to the other, in order, that changed files and no rows.
    """
    inserted: tuple[FileSlice, ...] = ()
    deleted: tuple[FileSlice, ...] = ()
    if older is None:
        inserted = _whole(Version(newer.current_snapshot))
    elif _current(older) != _current(newer):
        fold = Fold()
        start = Version(older.current_snapshot)
        for rewrite in rewritten:
            before, after = Version(rewrite.before), Version(rewrite.after)
            fold.add(*_difference(start, before))
            fold.rewrite(before.slices(), after.slices())
            start = after
        fold.add(*_difference(start, Version(newer.current_snapshot)))
        inserted, deleted = fold.inserted, fold.deleted
    layout = Layout.of(newer)
    return Changes(inserted, deleted, layout if older is None else layout.wide_for(older), older is None)


def whole(metadata: TableMetadata) -> Reading:
    """Every row of a version. Raises CatalogError MP-3038 and MP-3036."""
    return Reading(_whole(Version(metadata.current_snapshot)), Layout.of(metadata))


def _retyped(older: TableMetadata, newer: TableMetadata) -> bool:
    """Whether a column was given a type of another kind: CREATE OR REPLACE TABLE may, and the table stays the same."""
    before, after, version = older.schema_document, newer.schema_document, newer.format_version
    if before["fields"] == after["fields"]:
        return False
    problem = lookup("millpond.catalog.promotions:problem")
    return all(problem(*pair, version) is not None for pair in ((before, after), (after, before)))


def _current(metadata: TableMetadata) -> int | None:
    snapshot = metadata.current_snapshot
    return None if snapshot is None else int(snapshot["snapshot-id"])


class Version:
    """One snapshot's manifests; what is in them is read when it is asked for."""

    def __init__(self, snapshot: Mapping[str, Any] | None) -> None:
        self.listed: tuple[Manifest, ...] = manifests.of_snapshot(snapshot)
        self.paths = {manifest.path for manifest in self.listed}

    def data(self, without: Iterable[str] = ()) -> dict[str, DataFile]:
        """Data files by path, but those of manifests whose paths are in `without`."""
        skipped = set(without)
        return {
            entry.path: entry
            for manifest in self.listed
            if manifest.content == "data" and manifest.path not in skipped
            for entry in manifests.files(manifest)
        }

    def slices(self) -> dict[str, FileSlice]:
        """All rows, by the path of the data file."""
        deletes = Deletes(self.deletes().values())
        return {path: FileSlice(path, deletes.of(entry)) for path, entry in self.data().items()}

    def deletes(self) -> dict[str, DataFile]:
        """Position-delete files by path. Raises CatalogError MP-3038 for deletes of another kind."""
        found = {
            entry.path: entry
            for manifest in self.listed
            if manifest.content == "deletes"
            for entry in manifests.files(manifest)
        }
        for entry in found.values():
            if entry.content == EQUALITY_DELETES or entry.format != "parquet":
                kind = "equality deletes" if entry.content == EQUALITY_DELETES else f"{entry.format} delete files"
                raise CatalogError(
                    "MP-3038",
                    f"the table has {kind}, which the change feed cannot follow: {entry.path}",
                    next_step="rewrite the table without them (Spark: rewrite_data_files), or rebuild the model",
                )
        return found


def _whole(version: Version) -> tuple[FileSlice, ...]:
    return tuple(version.slices().values())


def _difference(older: Version, newer: Version) -> tuple[tuple[FileSlice, ...], tuple[FileSlice, ...]]:
    """Inserted and deleted slices: files on one side only, and positions deleted on one side only.

    Manifests that both versions list say the same of both, so they are read only when delete files differ.
    """
    shared = older.paths & newer.paths
    old_data, new_data = older.data(shared), newer.data(shared)
    old_deletes, new_deletes = older.deletes(), newer.deletes()
    old_index, new_index = Deletes(old_deletes.values()), Deletes(new_deletes.values())
    inserted = [FileSlice(path, new_index.of(new_data[path])) for path in new_data if path not in old_data]
    deleted = [FileSlice(path, old_index.of(old_data[path])) for path in old_data if path not in new_data]
    gained = Deletes(entry for path, entry in new_deletes.items() if path not in old_deletes)
    lost = Deletes(entry for path, entry in old_deletes.items() if path not in new_deletes)
    if old_deletes.keys() != new_deletes.keys():
        fresh = {part.path for part in inserted}
        for path, entry in newer.data().items():
            if path in fresh:
                continue
            if only := gained.of(entry):
                deleted.append(FileSlice(path, old_index.of(entry), only))
            if only := lost.of(entry):
                inserted.append(FileSlice(path, new_index.of(entry), only))
    return tuple(inserted), tuple(deleted)


def holding(metadata: TableMetadata, wanted: Callable[[DataFile], bool]) -> Reading:
    """The rows of a version that lie in the data files that are wanted. Raises CatalogError MP-3038 and MP-3036."""
    version = Version(metadata.current_snapshot)
    deletes = Deletes(version.deletes().values())
    chosen = tuple(FileSlice(path, deletes.of(entry)) for path, entry in version.data().items() if wanted(entry))
    return Reading(chosen, Layout.of(metadata))
