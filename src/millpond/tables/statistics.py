"""What a table's metadata knows of its rows, where it knows it exactly: without reading a data file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from millpond.catalog import manifests
from millpond.catalog.metadata import TableMetadata
from millpond.core.records import frozen
from millpond.tables.deletes import Deletes


@frozen
class Statistics:
    """Rows, and the NULLs of each column for which every file tells them."""

    rows: int
    nulls: Mapping[str, int] = field(default_factory=dict)


def row_count(metadata: TableMetadata) -> int | None:
    """How many rows a version has, by its summary; None where delete files or a silent writer leave that open."""
    snapshot = metadata.current_snapshot
    if snapshot is None:
        return 0
    summary = snapshot.get("summary") or {}
    total, deletes = str(summary.get("total-records", "")), str(summary.get("total-delete-files", ""))
    return int(total) if total.isdigit() and deletes == "0" else None


def count_rows(metadata: TableMetadata) -> int | None:
    """How many rows a version has; None where its writer does not say. Equality deletes are not seen.

    Where rows were deleted in files, the manifests are asked: a summary counts deletes of files that went, too. None
    also where a delete file names rows of several data files and some of these may have been rewritten since.
    Raises CatalogError MP-3036 when one cannot be read.
    """
    summary = (metadata.current_snapshot or {}).get("summary") or {}
    total = str(summary.get("total-records", "" if metadata.current_snapshot is not None else "0"))
    known = row_count(metadata)
    if known is not None or not total.isdigit():
        return known
    files = [
        entry for manifest in manifests.of_snapshot(metadata.current_snapshot) for entry in manifests.files(manifest)
    ]
    deletes = {entry.path: entry for entry in files if entry.content == manifests.POSITION_DELETES}
    index = Deletes(deletes.values())
    data = [entry for entry in files if entry.content == manifests.DATA]
    named = {entry.path: index.of(entry) for entry in data}
    shared = {path for paths in named.values() for path in paths if manifests.target(deletes[path]) is None}
    spans = [(entry.sequence_number, entry.file_sequence_number) for entry in data]
    if any(old <= deletes[path].sequence_number < rewritten for path in shared for old, rewritten in spans):
        return None
    alone = sum(
        min(entry.records, sum(deletes[path].records for path in named[entry.path] if path not in shared))
        for entry in data
    )
    return sum(entry.records for entry in data) - alone - sum(deletes[path].records for path in shared)


def statistics(metadata: TableMetadata) -> Statistics | None:
    """Rows and NULLs of a version by its manifests; None where rows are deleted by delete files.

    Raises CatalogError MP-3036 when a manifest cannot be read.
    """
    listed = manifests.of_snapshot(metadata.current_snapshot)
    if any(manifest.content == "deletes" and manifests.files(manifest) for manifest in listed):
        return None
    files = [entry for manifest in listed for entry in manifests.files(manifest)]
    nulls = {
        name: sum(entry.null_counts[number] for entry in files)
        for name, number in metadata.field_ids().items()
        if all(number in entry.null_counts for entry in files)
    }
    return Statistics(sum(entry.records for entry in files), nulls)
