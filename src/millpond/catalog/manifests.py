"""Which files a table is made of: manifest lists and manifests. Iceberg spec v2, "Manifests" and "Snapshots"."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from millpond.catalog import avro
from millpond.catalog.avro import Kept, Record
from millpond.catalog.files import fsync_files, local, missing_file
from millpond.catalog.metadata import FORMAT, TableMetadata
from millpond.core.errors import CatalogError
from millpond.core.records import frozen

EXISTING, ADDED, DELETED = 0, 1, 2
"""The status of a manifest entry."""

DATA, POSITION_DELETES, EQUALITY_DELETES = 0, 1, 2
"""The content of a file."""

_KEPT_FILES = Kept(200_000)
_KEPT_LISTS = Kept(100_000)


@frozen
class Manifest:
    """One row of a manifest list. `record` is the row as it was read; lengths in bytes, counts -1 where unknown."""

    path: str
    content: Literal["data", "deletes"]
    sequence_number: int
    min_sequence_number: int
    added_snapshot_id: int
    length: int
    partition_spec_id: int
    added_files: int = -1
    existing_files: int = -1
    deleted_files: int = -1
    added_rows: int = -1
    record: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@frozen
class DataFile:
    """A file of data or deletes. Bounds are by field id, as the specification writes single values in bytes.

    `sequence_number` is that of the data; `equality_ids` are the columns of equality deletes; `referenced` is the
    data file that all position deletes here are for, when the writer said so.
    """

    path: str
    content: int
    format: str
    sequence_number: int
    file_sequence_number: int
    snapshot_id: int
    status: int
    records: int
    size: int
    spec_id: int
    partition: tuple[tuple[str, Any], ...]
    lower_bounds: Mapping[int, bytes]
    upper_bounds: Mapping[int, bytes]
    null_counts: Mapping[int, int]
    manifest: str
    equality_ids: tuple[int, ...] = ()
    referenced: str | None = None


def manifests(list_path: str) -> tuple[Manifest, ...]:
    """The manifests of a snapshot, by its manifest list. Raises CatalogError MP-3036 when it cannot be read."""

    def make() -> tuple[Manifest, ...]:
        records = avro.read(list_path)
        try:
            return tuple(manifest_of(record) for record in records)
        except (KeyError, TypeError) as damage:
            raise avro.unreadable(list_path, f"its rows lack {damage}") from damage

    return tuple(_KEPT_LISTS.get(list_path, make))


def of_snapshot(snapshot: Mapping[str, Any] | None) -> tuple[Manifest, ...]:
    """The manifests of a snapshot, none for None. Raises CatalogError MP-3036 when they cannot be read."""
    if snapshot is None:
        return ()
    if "manifest-list" not in snapshot:
        raise avro.unreadable(f"list of snapshot {snapshot.get('snapshot-id')}", "the snapshot names none")
    return manifests(snapshot["manifest-list"])


def manifest_of(record: Record) -> Manifest:
    """A row of a manifest list as a value."""

    def count(kind: str) -> int:
        # Version 1 writers of old said `added_data_files_count`.
        value = record.get(f"{kind}_files_count")
        value = record.get(f"{kind}_data_files_count") if value is None else value
        return -1 if value is None else int(value)

    rows = record.get("added_rows_count")
    return Manifest(
        path=record["manifest_path"],
        content="deletes" if record.get("content") == 1 else "data",
        sequence_number=record.get("sequence_number") or 0,
        min_sequence_number=record.get("min_sequence_number") or 0,
        added_snapshot_id=record.get("added_snapshot_id") or 0,
        length=record["manifest_length"],
        partition_spec_id=record["partition_spec_id"],
        added_files=count("added"),
        existing_files=count("existing"),
        deleted_files=count("deleted"),
        added_rows=-1 if rows is None else int(rows),
        record=record,
    )


def entries(manifest: Manifest) -> Sequence[DataFile]:
    """Every entry of a manifest, deleted ones too. Raises CatalogError MP-3036 when it cannot be read."""

    def make() -> tuple[DataFile, ...]:
        records = avro.read(manifest.path)
        try:
            return tuple(_data_file(record, manifest) for record in records)
        except (KeyError, TypeError) as damage:
            raise avro.unreadable(manifest.path, f"its entries lack {damage}") from damage

    # What an entry inherits comes from the list's row, so that belongs to the key: a rebase gives the same manifest
    # another sequence number.
    return _KEPT_FILES.get(f"{manifest.path}#{manifest.sequence_number}", make)


def files(manifest: Manifest) -> tuple[DataFile, ...]:
    """The files that are live in a manifest, added or existing. Raises CatalogError MP-3036 as `entries` does."""
    return tuple(entry for entry in entries(manifest) if entry.status != DELETED)


FILE_PATH_ID = 2147483546
"""The field id of a delete file's column of paths. Spec, "Reserved Field IDs"."""

_FILE_PATH_IDS = (FILE_PATH_ID, 2147483646)
"""Field ids under which writers give the bounds of `file_path`: the reserved one, and DuckDB's."""


def target_bounds(delete: DataFile) -> tuple[bytes | None, bytes | None]:
    """The least and the greatest path among the data files whose rows a delete file names; None where not told."""
    for number in _FILE_PATH_IDS:
        if number in delete.lower_bounds:
            return delete.lower_bounds[number], delete.upper_bounds.get(number)
    return None, None


def target(delete: DataFile) -> str | None:
    """The one data file whose rows a delete file names, as a plain path; None when it may be several."""
    if delete.referenced is not None:
        return local(delete.referenced)
    low, high = target_bounds(delete)
    return local(low.decode()) if low is not None and low == high else None


def check_readable(metadata: TableMetadata) -> None:
    """Pass when the present snapshot's list and manifests can be read. Raises CatalogError MP-3036 otherwise.

    DuckDB's reader ends the whole process on many a damaged manifest, so they are looked at before it is let near.
    """
    snapshot = metadata.current_snapshot
    if snapshot is not None:
        for manifest in manifests(snapshot["manifest-list"]):
            entries(manifest)


def _data_file(record: Record, manifest: Manifest) -> DataFile:
    row = record["data_file"]
    status = record["status"]
    sequence = record.get("sequence_number")
    file_sequence = record.get("file_sequence_number")
    # Only an added file inherits; in version 1 everything has sequence number 0.
    inherited = manifest.sequence_number if status == ADDED else 0
    snapshot = record.get("snapshot_id")
    return DataFile(
        path=row["file_path"],
        content=row.get("content") or DATA,
        format=row["file_format"].lower(),
        sequence_number=inherited if sequence is None else sequence,
        file_sequence_number=inherited if file_sequence is None else file_sequence,
        snapshot_id=manifest.added_snapshot_id if snapshot is None else snapshot,
        status=status,
        records=row["record_count"],
        size=row["file_size_in_bytes"],
        spec_id=manifest.partition_spec_id,
        partition=tuple((row.get("partition") or {}).items()),
        lower_bounds=_by_id(row.get("lower_bounds")),
        upper_bounds=_by_id(row.get("upper_bounds")),
        null_counts=_by_id(row.get("null_value_counts")),
        manifest=manifest.path,
        equality_ids=tuple(row.get("equality_ids") or ()),
        referenced=row.get("referenced_data_file"),
    )


def _by_id(pairs: Any) -> Mapping[int, Any]:
    """Avro has no maps with integer keys: Iceberg writes them as arrays of key and value."""
    if not pairs:
        return {}
    if isinstance(pairs, Mapping):
        return {int(key): value for key, value in pairs.items()}
    return {pair["key"]: pair["value"] for pair in pairs}


def _optional(kind: str, name: str, number: int) -> dict[str, Any]:
    return {"name": name, "type": ["null", kind], "default": None, "field-id": number}


def _required(kind: str, name: str, number: int) -> dict[str, Any]:
    return {"name": name, "type": kind, "field-id": number}


_SUMMARY = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "r508",
        "fields": [
            _required("boolean", "contains_null", 509),
            _optional("boolean", "contains_nan", 518),
            _optional("bytes", "lower_bound", 510),
            _optional("bytes", "upper_bound", 511),
        ],
    },
    "element-id": 508,
}
_LIST_SCHEMA: dict[str, Any] = {
    "type": "record",
    "name": "manifest_file",
    "fields": [
        _required("string", "manifest_path", 500),
        _required("long", "manifest_length", 501),
        _required("int", "partition_spec_id", 502),
        _required("int", "content", 517),
        _required("long", "sequence_number", 515),
        _required("long", "min_sequence_number", 516),
        _required("long", "added_snapshot_id", 503),
        _required("int", "added_files_count", 504),
        _required("int", "existing_files_count", 505),
        _required("int", "deleted_files_count", 506),
        _required("long", "added_rows_count", 512),
        _required("long", "existing_rows_count", 513),
        _required("long", "deleted_rows_count", 514),
        {"name": "partitions", "type": ["null", _SUMMARY], "default": None, "field-id": 507},
        _optional("bytes", "key_metadata", 519),
    ],
}


_NUMBERED_LIST_SCHEMA = {**_LIST_SCHEMA, "fields": [*_LIST_SCHEMA["fields"], _optional("long", "first_row_id", 520)]}
"""From version 3 on the rows of a table have ids."""


def write_list(
    path: str,
    listed: Sequence[Record],
    *,
    snapshot_id: int,
    parent_id: int | None,
    sequence_number: int,
    version: int = FORMAT,
) -> None:
    """Write a manifest list of version 2 or 3; it is on the disk on return. An empty one is an empty table.

    Raises CatalogError MP-3039 when the disk does not take it.
    """
    schema = _LIST_SCHEMA if version == FORMAT else _NUMBERED_LIST_SCHEMA
    header = {
        "snapshot-id": str(snapshot_id),
        "parent-snapshot-id": "null" if parent_id is None else str(parent_id),
        "sequence-number": str(sequence_number),
        "format-version": str(version),
    }
    avro.write(path, schema, [_row(record, schema) for record in listed], header)


def _row(record: Record, schema: Mapping[str, Any]) -> Record:
    """A list's row with everything that its version demands, whatever version and writer it came from."""
    row = {member["name"]: record.get(member["name"]) for member in schema["fields"]}
    for kind in ("added", "existing", "deleted"):
        count = record.get(f"{kind}_files_count")
        row[f"{kind}_files_count"] = record.get(f"{kind}_data_files_count") if count is None else count
    numbers = ("content", "sequence_number", "min_sequence_number", "added_snapshot_id")
    counts = [f"{kind}_{what}_count" for kind in ("added", "existing", "deleted") for what in ("files", "rows")]
    return row | {name: row[name] or 0 for name in (*numbers, *counts)}


class Ground:
    """The folder that a table's own files must lie under; each folder is looked at once."""

    def __init__(self, location: str) -> None:
        self._root = Path(local(location)).resolve()
        self._folders: dict[Path, bool] = {}

    def holds(self, path: str) -> bool:
        """Whether the path leads, without links or `..`, to a place under the table's location."""
        file = Path(local(path))
        folder = file.parent
        if folder not in self._folders:
            self._folders[folder] = file.is_absolute() and ".." not in file.parts and self._leads_here(folder)
        try:
            return self._folders[folder] and not file.is_symlink()
        except (OSError, ValueError):
            return False

    def _leads_here(self, folder: Path) -> bool:
        try:
            return folder.resolve().is_relative_to(self._root)
        except (OSError, ValueError, RuntimeError):
            # A name too long, with a NUL in it, or a loop of links.
            return False

    def check(self, path: str) -> str:
        """The path, when it may be named by a commit. Raises CatalogError MP-3035, or MP-3034 when it is missing."""
        if not self.holds(path):
            raise CatalogError(
                "MP-3035",
                f"the commit names a file outside the table's location: {path}",
                next_step=f"write the table's files under {self._root}; nothing was changed",
            )
        if not Path(local(path)).exists():
            raise missing_file(path)
        return path

    def check_beside(self, path: str, folders: Collection[Path]) -> str:
        """The path, when it lies in one of the folders by its plain name. Raises as `check` does."""
        file = Path(path)
        if file.parent not in folders or ".." in file.parts or file.is_symlink():
            return self.check(path)
        if not file.exists():
            raise missing_file(path)
        return path


def new_files(previous: TableMetadata | None, updated: TableMetadata) -> tuple[str, ...]:
    """The paths that `updated` names and `previous` did not: lists, manifests, files.

    Raises CatalogError MP-3034 for a list or manifest that is missing, MP-3035 for a file outside the table's location
    (files that the table named before may lie elsewhere: a fork's do), MP-3036 for a manifest that cannot be read.
    """
    ground = Ground(updated.location)
    paths = {ground.check(path): None for path in _statistics(updated) - (_statistics(previous) if previous else set())}
    known = {row["snapshot-id"] for row in previous.snapshots} if previous else set()
    fresh = [row for row in updated.snapshots if row["snapshot-id"] not in known]
    before = _before(previous, fresh) if fresh else {}
    for snapshot in fresh:
        paths[ground.check(snapshot["manifest-list"])] = None
        for manifest in of_snapshot(snapshot):
            if manifest.path not in before and manifest.path not in paths:
                paths[ground.check(manifest.path)] = None
                paths.update(dict.fromkeys(_new_files(manifest, ground, before)))
    return tuple(paths)


def sync_all(metadata: TableMetadata, root: str) -> None:
    """Put on the disk all that a table from elsewhere names; it may lie anywhere under `root`, and nowhere else.

    Raises CatalogError as `new_files` and `fsync_files` do.
    """
    fsync_files(new_files(None, TableMetadata({**metadata.document, "location": root})), root)


def _statistics(metadata: TableMetadata) -> set[str]:
    rows = [*(metadata.document.get("statistics") or ()), *(metadata.document.get("partition-statistics") or ())]
    return {str(row.get("statistics-path")) for row in rows}


def _before(previous: TableMetadata | None, fresh: Sequence[Mapping[str, Any]]) -> dict[str, Manifest]:
    """The manifests that the table named already: those of the snapshots that the new ones follow, by path."""
    if previous is None:
        return {}
    parents = {row.get("parent-snapshot-id") for row in fresh} | {previous.document.get("current-snapshot-id")}
    return {manifest.path: manifest for number in parents for manifest in of_snapshot(previous.snapshot(number))}


def _new_files(manifest: Manifest, ground: Ground, before: Mapping[str, Manifest]) -> list[str]:
    """The files that a new manifest adds. One that it calls existing must have been there, or lie on the ground.

    Deletes may also lie beside data that the table named before: DuckDB puts them there, in a fork too, where that is
    the folder of the table that it was forked from.
    """
    added = []
    elsewhere = []
    for entry in entries(manifest):
        if entry.status == DELETED:
            continue
        if not ground.holds(entry.path) and (entry.status == EXISTING or entry.content != DATA):
            elsewhere.append(entry)
        elif entry.status == ADDED:
            added.append(ground.check(entry.path))
    if elsewhere:
        known = {local(entry.path) for listed in before.values() for entry in entries(listed)}
        beside = {Path(path).parent for path in known}
        for entry in elsewhere:
            path = local(entry.path)
            if entry.status == EXISTING and path not in known:
                ground.check(entry.path)
            if entry.status == ADDED:
                added.append(ground.check_beside(path, beside))
    return added
