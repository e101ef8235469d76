"""Snapshots that the catalog itself makes: any, an empty one, and an append moved onto a newer table."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from millpond.catalog import manifests
from millpond.catalog.avro import Record
from millpond.catalog.manifests import DataFile, Manifest
from millpond.catalog.metadata import FORMAT, TableMetadata, apply, trim
from millpond.core.errors import ConflictError

Json = Mapping[str, Any]

TOTALS = {
    "total-records": ("added-records", "deleted-records"),
    "total-data-files": ("added-data-files", "deleted-data-files"),
    "total-files-size": ("added-files-size", "removed-files-size"),
    "total-delete-files": ("added-delete-files", "removed-delete-files"),
    "total-position-deletes": ("added-position-deletes", "removed-position-deletes"),
    "total-equality-deletes": ("added-equality-deletes", "removed-equality-deletes"),
}
"""The totals of a snapshot's summary, each with the words for what came and what went. Spec, "Optional Fields"."""


def truncate(metadata: TableMetadata, now_ms: int) -> TableMetadata:
    """The table with a new, empty snapshot on `main`; its manifest list is on the disk on return.

    A table that nobody has written stays as it is. Raises CatalogError MP-3039 when the disk does not take the list.
    """
    parent = metadata.current_snapshot
    if parent is None:
        return metadata
    totals = {total: parent.get("summary", {}).get(total) for total in TOTALS}
    summary = {"operation": "delete"}
    summary |= {TOTALS[total][1]: count for total, count in totals.items() if count not in (None, "0")}
    summary |= dict.fromkeys(TOTALS, "0")
    return with_snapshot(metadata, (), summary, now_ms, new_id(), [])


def settled(metadata: TableMetadata, now_ms: int) -> TableMetadata:
    """The table so that every reader sees no row of it where none is current any more: DuckDB takes the newest then.

    Snapshots that nothing names are named no more; where tags or branches name some, an empty one becomes current.
    """
    if metadata.current_snapshot is not None or not metadata.snapshots:
        return metadata
    if not metadata.document.get("refs"):
        return trim(metadata, recent=0)
    return with_snapshot(metadata, (), {"operation": "delete", **dict.fromkeys(TOTALS, "0")}, now_ms, new_id(), [])


def new_id() -> int:
    """A snapshot id: positive, 63 bits."""
    return secrets.randbits(63) or 1


def with_snapshot(
    metadata: TableMetadata,
    listed: Sequence[Manifest],
    summary: Json,
    now_ms: int,
    number: int,
    before: Sequence[Json],
) -> TableMetadata:
    """The table after the updates `before` and a new snapshot of the manifests `listed`."""
    rows = [dict(manifest.record) for manifest in listed]
    new = added(metadata, number, rows, summary, now_ms, _schema_after(metadata, before))
    return apply(metadata, [*before, *new], now_ms)


def added(
    metadata: TableMetadata, number: int, rows: Sequence[Record], summary: Json, now_ms: int, schema_id: int
) -> tuple[Json, ...]:
    """The updates that put a new snapshot on `main`; `rows` are those of its manifest list, which is on the disk then.

    Raises CatalogError MP-3039 when the disk does not take the list.
    """
    parent = metadata.document.get("current-snapshot-id")
    parent = None if parent == -1 else parent
    sequence = metadata.sequence_number + 1
    path = f"{metadata.location}/metadata/snap-{number}-0-{uuid.uuid4()}.avro"
    version = max(metadata.format_version, FORMAT)
    told = {}
    if version > FORMAT:
        first = int(metadata.document.get("next-row-id") or 0)
        rows, given = _numbered(rows, first)
        told = {"first-row-id": first, "added-rows": given}
    manifests.write_list(path, rows, snapshot_id=number, parent_id=parent, sequence_number=sequence, version=version)
    snapshot = {
        "snapshot-id": number,
        "sequence-number": sequence,
        "timestamp-ms": max(now_ms, metadata.document["last-updated-ms"]),
        "manifest-list": path,
        "summary": dict(summary),
        "schema-id": schema_id,
        **told,
    }
    if parent is not None:
        snapshot["parent-snapshot-id"] = parent
    main = (metadata.document.get("refs") or {}).get("main") or {}  # it may say how long its past is kept
    return (
        {"action": "add-snapshot", "snapshot": snapshot},
        {**main, "action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number},
    )


def _numbered(rows: Sequence[Record], first: int) -> tuple[list[Record], int]:
    """Rows of a manifest list, ids from `first` on given to the rows of data that have none; how many these are.

    Iceberg spec v3, "Row Lineage".
    """
    found, due = [], first
    for row in rows:
        if row.get("content") or row.get("first_row_id") is not None:
            found.append(row)
        else:
            found.append({**row, "first_row_id": due})
            due += (row.get("existing_rows_count") or 0) + (row.get("added_rows_count") or 0)
    return found, due - first


def summary_of(
    operation: str, parent: Json | None, came: Sequence[DataFile], went: Sequence[DataFile]
) -> dict[str, str]:
    """What a snapshot says of itself: the files that came and went, and totals that count from the parent's."""
    before = {} if parent is None else parent.get("summary", {})
    sums = {name: 0 for pair in TOTALS.values() for name in pair}
    for entry, index in [*((entry, 0) for entry in came), *((entry, 1) for entry in went)]:
        deletes = entry.content != manifests.DATA
        sums[TOTALS["total-delete-files" if deletes else "total-data-files"][index]] += 1
        sums[TOTALS["total-position-deletes" if deletes else "total-records"][index]] += entry.records
        sums[TOTALS["total-files-size"][index]] += entry.size
    told = {name: str(count) for name, count in sums.items() if count}
    for total, (plus, minus) in TOTALS.items():
        if before.get(total) is not None:
            told[total] = str(int(before[total]) + sums[plus] - sums[minus])
    return {"operation": operation, "engine-name": "millpond", **told}


def _schema_after(metadata: TableMetadata, before: Sequence[Json]) -> int:
    return int(apply(metadata, before, 0).document["current-schema-id"])


def impossible(reason: str) -> ConflictError:
    """The refusal of a rebase."""
    return ConflictError(
        "MP-3010",
        f"another commit came first, and the append cannot be moved onto it: {reason}",
        next_step="run the step again on what is there now",
    )


def rebase(current: TableMetadata, base: TableMetadata | None, staged: TableMetadata, now_ms: int) -> TableMetadata:
    """A staged blind append, moved from `base`, where it began, onto `current`.

    The new snapshot lists what the current one lists and the manifests that were staged; its id is that of the last
    staged snapshot. Columns that the step added come with it. `base` is None when the step created the table.
    Raises ConflictError MP-3010 when the staged work is more than appends, or when both sides changed the columns.
    """
    if base is None or base.uuid != current.uuid or staged.uuid != current.uuid:
        raise impossible("it is not the same table")
    before = _carried(current, base, staged)
    added = [row for row in staged.snapshots if base.snapshot(row["snapshot-id"]) is None]
    if not added:
        return apply(current, before, now_ms)
    if any(row.get("summary", {}).get("operation") != "append" for row in added):
        raise impossible("it did more than append")
    ours = _appended(base, staged, {row["snapshot-id"] for row in added})
    return onto(current, ours, added, now_ms, before)


def onto(
    current: TableMetadata, ours: Sequence[Manifest], added: Sequence[Json], now_ms: int, before: Sequence[Json] = ()
) -> TableMetadata:
    """The table after the updates `before` and one snapshot that does what the snapshots `added` did.

    `ours` are the manifests that those brought; the new snapshot has the id of the last of them.
    """
    listed = manifests.of_snapshot(current.current_snapshot)
    sequence = current.sequence_number + 1
    moved = [_moved(manifest, sequence) for manifest in ours]
    summary = _summary(current, added)
    return with_snapshot(current, [*moved, *listed], summary, now_ms, added[-1]["snapshot-id"], before)


def _moved(manifest: Manifest, sequence: int) -> Manifest:
    places = {"sequence_number": sequence, "min_sequence_number": sequence, "first_row_id": None}
    record = {**manifest.record, **places}
    return Manifest(
        manifest.path,
        manifest.content,
        sequence,
        sequence,
        manifest.added_snapshot_id,
        manifest.length,
        manifest.partition_spec_id,
        record=record,
    )


def _appended(base: TableMetadata, staged: TableMetadata, snapshots: set[int]) -> tuple[Manifest, ...]:
    """The manifests that the staged snapshots brought, proved to do nothing but add data files."""
    known = {manifest.path for manifest in manifests.of_snapshot(base.current_snapshot)}
    listed = manifests.of_snapshot(staged.current_snapshot)
    if known - {manifest.path for manifest in listed}:
        raise impossible("it rewrote or removed files")
    ours = tuple(manifest for manifest in listed if manifest.path not in known)
    for manifest in ours:
        only_adds = all(entry.status == manifests.ADDED for entry in manifests.entries(manifest))
        if manifest.content != "data" or not only_adds or manifest.added_snapshot_id not in snapshots:
            raise impossible("it deleted rows")
    return ours


_CARRIED = ("last-column-id", "current-schema-id", "default-spec-id", "default-sort-order-id", "format-version")


def _carried(current: TableMetadata, base: TableMetadata, staged: TableMetadata) -> list[Json]:
    """The staged changes beside snapshots, as updates; refused when `current` changed the same parts."""

    def parts(metadata: TableMetadata) -> dict[str, Any]:
        return {name: metadata.document.get(name) for name in _CARRIED}

    carried: list[Json] = []
    if parts(staged) != parts(base):
        same_columns = staged.schema_document["fields"] == current.schema_document["fields"]
        if parts(current) != parts(base) and not same_columns:
            raise impossible("the columns were changed on both sides")
        if not same_columns:
            carried.append({"action": "add-schema", "schema": staged.schema_document})
            carried.append({"action": "set-current-schema", "schema-id": -1})
        if staged.document["default-spec-id"] != base.document["default-spec-id"]:
            raise impossible("it changed the partitioning")
    if parts(current)["default-spec-id"] != parts(base)["default-spec-id"]:
        raise impossible("the partitioning was changed")
    new = {key: value for key, value in staged.properties.items() if base.properties.get(key) != value}
    gone = [key for key in base.properties if key not in staged.properties]
    if new:
        carried.append({"action": "set-properties", "updates": new})
    if gone:
        carried.append({"action": "remove-properties", "removals": gone})
    return carried


def _summary(current: TableMetadata, added: Sequence[Json]) -> dict[str, str]:
    """The summary of moved snapshots: what they did together, and totals that count from the current snapshot."""
    summary: dict[str, str] = {}
    sums: dict[str, int] = {}
    for snapshot in added:
        for key, value in snapshot.get("summary", {}).items():
            if key.startswith(("added-", "changed-", "deleted-", "removed-")) and str(value).isdigit():
                sums[key] = sums.get(key, 0) + int(value)
            elif not key.startswith("total-"):
                summary[key] = value
    operations = {snapshot.get("summary", {}).get("operation") for snapshot in added}
    summary |= {key: str(value) for key, value in sums.items()}
    parent = current.current_snapshot
    before = {} if parent is None else parent.get("summary", {})
    for total, (plus, minus) in TOTALS.items():
        known = before.get(total) if parent is not None else "0"
        if known is not None:
            summary[total] = str(int(known) + sums.get(plus, 0) - sums.get(minus, 0))
    return summary | {"operation": operations.pop() if len(operations) == 1 else "overwrite"}
