"""Snapshots that hold the same rows in other files or manifests. Iceberg spec v2, operation `replace`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millpond.catalog import avro, manifests
from millpond.catalog.avro import Contents, Record
from millpond.catalog.deleting import DeleteFile, counted, delete_entry, delete_header
from millpond.catalog.manifests import ADDED, DELETED, EXISTING, DataFile, Manifest
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.sheets import CLUSTER, Sheet, not_rewritable, rewritable
from millpond.catalog.snapshots import added, new_id, summary_of
from millpond.core.errors import CatalogError
from millpond.core.records import frozen

Json = Mapping[str, Any]

MERGED_ENTRIES = 10_000
"""A manifest with this many files or more is left as it is; fewer are merged."""


@frozen
class Written:
    """A data file that a rewrite wrote, as the manifest `manifest` of its writer tells of it.

    `sequence_number` is the highest of those of the files that it replaces: so it keeps their place in the table's
    history.
    """

    path: str
    manifest: Manifest
    sequence_number: int


@frozen
class Replacement:
    """Data files and delete files that go, and those that come for them: the same rows.

    `deletes` name rows of data files that stay or come, one of each at most.
    """

    removed: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    written: tuple[Written, ...] = ()
    cluster: str = ""
    deletes: tuple[DeleteFile, ...] = ()

    @property
    def gone(self) -> frozenset[str]:
        """Every file that goes."""
        return self.removed | self.dropped

    @property
    def come(self) -> frozenset[str]:
        """Every file that comes."""
        return frozenset([*(file.path for file in self.written), *(file.path for file in self.deletes)])


def replacement(metadata: TableMetadata, change: Replacement, now_ms: int) -> tuple[Json, ...]:
    """The updates that add a snapshot of the same rows; its files are on the disk on return.

    Small manifests are merged on the way. Raises CatalogError MP-3181 for a table whose manifests cannot be rewritten,
    MP-3036 for one that cannot be read, MP-3039 when the disk does not take the new ones.
    """
    number, sequence = new_id(), metadata.sequence_number + 1
    desk = _Desk(number, sequence, metadata.spec["spec-id"], change.deletes)
    parent = metadata.current_snapshot
    for manifest in manifests.of_snapshot(parent):
        desk.take(manifest, change.gone)
    for written in change.written:
        desk.add(written, change.cluster)
    desk.check(change)
    listed = desk.write(f"{metadata.location}/metadata")
    summary = summary_of("replace", parent, desk.came, desk.went)
    return added(metadata, number, listed, summary, now_ms, metadata.document["current-schema-id"])


def cluster_of(manifest: Manifest) -> str:
    """How the files of a manifest are sorted, as the rewrite that wrote it says; empty when none did."""
    return avro.contents(manifest.path).header.get(CLUSTER, "")


def mergeable(metadata: TableMetadata) -> int:
    """How many manifests of the present snapshot a merge would read."""
    return sum(_small(manifest) for manifest in manifests.of_snapshot(metadata.current_snapshot))


def dead(metadata: TableMetadata) -> int:
    """How many entries of files that went a merge would leave out. Every reader goes through them until then."""
    listed = manifests.of_snapshot(metadata.current_snapshot)
    named = (manifest for manifest in listed if manifest.deleted_files > 0 and _small(manifest))
    return sum(manifest.deleted_files for manifest in named if rewritable(avro.contents(manifest.path)))


def _small(manifest: Manifest) -> bool:
    return len(manifests.entries(manifest)) < MERGED_ENTRIES


class _Desk:
    """Where the manifests of one new snapshot are sorted and written."""

    def __init__(self, snapshot: int, sequence: int, spec_id: int, deletes: Sequence[DeleteFile]) -> None:
        self._snapshot = snapshot
        self._sequence = sequence
        self._spec_id = spec_id
        self._deletes = {one.target: one for one in deletes}
        self._kept: list[Record] = []
        self._sheets: dict[tuple[Any, ...], Sheet] = {}
        self.came: list[DataFile] = []
        self.went: list[DataFile] = []

    def take(self, manifest: Manifest, gone: frozenset[str]) -> None:
        """Sort the entries of a manifest of the parent, or keep it as it is."""
        listed = manifests.entries(manifest)
        if not listed and manifest.partition_spec_id == self._spec_id:
            # Without it DuckDB may not know the present partitioning: see `repartitioning`.
            self._kept.append(dict(manifest.record))
            return
        paths = {entry.path for entry in listed if entry.status != DELETED}
        touched = not (paths.isdisjoint(gone) and paths.isdisjoint(self._deletes))
        if not touched and not _small(manifest):
            self._kept.append(dict(manifest.record))
            return
        found = avro.contents(manifest.path)
        if not rewritable(found):
            if touched:
                raise not_rewritable(manifest)
            self._kept.append(dict(manifest.record))
            return
        sheet = self._sheet(manifest, found, found.header.get(CLUSTER, ""))
        sheet.sources.append(manifest)
        for raw, entry in zip(found.records, listed, strict=True):
            if entry.status == DELETED:
                sheet.changed = True
                continue
            places = {"sequence_number": entry.sequence_number, "file_sequence_number": entry.file_sequence_number}
            if entry.path in gone:
                self.went.append(entry)
                sheet.changed = True
                sheet.entries.append({**raw, "status": DELETED, "snapshot_id": self._snapshot, **places})
            else:
                sheet.entries.append({**raw, "status": EXISTING, "snapshot_id": entry.snapshot_id, **places})
                self._take_out(found, manifest, raw, entry)

    def add(self, written: Written, cluster: str) -> None:
        """Put a new file on its sheet."""
        found = avro.contents(written.manifest.path)
        sheet = self._sheet(written.manifest, found, cluster)
        sheet.changed = True
        for raw, entry in zip(found.records, manifests.entries(written.manifest), strict=True):
            if entry.path == written.path:
                self.came.append(entry)
                places = {"sequence_number": written.sequence_number, "file_sequence_number": None}
                sheet.entries.append({**raw, "status": ADDED, "snapshot_id": self._snapshot, **places})
                self._take_out(found, written.manifest, raw, entry)

    def _take_out(self, found: Contents, manifest: Manifest, raw: Record, entry: DataFile) -> None:
        """Put the delete file that names rows of a data file, where one comes, on its sheet."""
        deletes = self._deletes.pop(entry.path, None)
        if deletes is None:
            return
        self.came.append(counted(entry, deletes))
        key = (found.schema, 1, manifest.partition_spec_id, "")
        if key not in self._sheets:
            self._sheets[key] = Sheet(found.schema, delete_header(found), 1, manifest.partition_spec_id)
        sheet = self._sheets[key]
        sheet.changed = True
        sheet.entries.append(delete_entry(found.schema, raw["data_file"], deletes, self._snapshot))

    def check(self, change: Replacement) -> None:
        """Pass when every file that goes was there and every file that comes was found. Raises CatalogError MP-3182."""
        went = {entry.path for entry in self.went}
        came = {entry.path for entry in self.came}
        if went != change.gone or came != change.come:
            lacking = len(change.gone - went) + len(self._deletes)
            raise CatalogError(
                "MP-3182",
                f"{lacking} of the files to be replaced are no longer in the table",
                next_step="run again: the rewrite begins anew on what is there now; nothing was changed",
            )

    def write(self, folder: str) -> list[Record]:
        """Write the sheets; the rows of the manifest list, data first."""
        rows = list(self._kept)
        for sheet in self._sheets.values():
            if not sheet.entries:
                continue
            if len(sheet.sources) == 1 and not sheet.changed:
                rows.append(dict(sheet.sources[0].record))
            else:
                rows.append(sheet.write(folder, self._snapshot, self._sequence))
        return sorted(rows, key=lambda row: row.get("content") or 0)

    def _sheet(self, manifest: Manifest, found: Contents, cluster: str) -> Sheet:
        content = 1 if manifest.content == "deletes" else 0
        key = (found.schema, content, manifest.partition_spec_id, cluster)
        if key not in self._sheets:
            header = {word: text for word, text in found.header.items() if word != CLUSTER}
            if cluster:
                header[CLUSTER] = cluster
            self._sheets[key] = Sheet(found.schema, header, content, manifest.partition_spec_id)
        return self._sheets[key]
