"""Snapshots that take rows out of data files by their places. Iceberg spec v2, "Position Delete Files"."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from millpond.catalog import avro, manifests
from millpond.catalog.avro import Contents, Record
from millpond.catalog.manifests import ADDED, FILE_PATH_ID, POSITION_DELETES, DataFile
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.sheets import CLUSTER, Sheet, not_rewritable, rewritable
from millpond.catalog.snapshots import added, new_id, summary_of
from millpond.core.errors import CatalogError
from millpond.core.records import frozen

Json = Mapping[str, Any]


@frozen
class DeleteFile:
    """A delete file: its path, the data file whose rows it names, how many these are, and its size in bytes."""

    path: str
    target: str
    records: int
    size: int


def deletion(metadata: TableMetadata, written: Sequence[DeleteFile], now_ms: int) -> tuple[Json, ...]:
    """The updates that add a snapshot without the rows that delete files name.

    Raises CatalogError MP-3182 when a data file is not in the table any more, MP-3181 when its manifest is of Iceberg's
    first version, MP-3036 when a manifest cannot be read, MP-3039 when the disk does not take the new ones.
    """
    number, sequence = new_id(), metadata.sequence_number + 1
    parent = metadata.current_snapshot
    listed = manifests.of_snapshot(parent)
    wanted = {deletes.target: deletes for deletes in written}
    sheets: dict[tuple[str, int], Sheet] = {}
    came: list[DataFile] = []
    for manifest in listed:
        named = {entry.path: entry for entry in manifests.files(manifest) if entry.path in wanted}
        if manifest.content != "data" or not named:
            continue
        found = avro.contents(manifest.path)
        if not rewritable(found):
            raise not_rewritable(manifest)
        key = (found.schema, manifest.partition_spec_id)
        sheet = sheets.setdefault(key, Sheet(found.schema, delete_header(found), 1, manifest.partition_spec_id))
        for raw in found.records:
            path = raw["data_file"]["file_path"]
            if path in named and path in wanted:
                deletes = wanted.pop(path)
                sheet.entries.append(delete_entry(found.schema, raw["data_file"], deletes, number))
                came.append(counted(named[path], deletes))
    if wanted:
        raise CatalogError(
            "MP-3182",
            f"{len(wanted)} of the files of which rows go are no longer in the table",
            next_step="run again: the step begins anew on what is there now; nothing was changed",
        )
    folder = f"{metadata.location}/metadata"
    rows = [dict(manifest.record) for manifest in listed]
    rows += [sheet.write(folder, number, sequence) for sheet in sheets.values()]
    summary = summary_of("delete", parent, came, ())
    return added(metadata, number, rows, summary, now_ms, metadata.document["current-schema-id"])


def counted(data: DataFile, deletes: DeleteFile) -> DataFile:
    """A delete file, as a summary counts it."""
    return replace(data, path=deletes.path, content=POSITION_DELETES, records=deletes.records, size=deletes.size)


def delete_header(found: Contents) -> dict[str, str]:
    """The words of a data manifest's header, for one of deletes."""
    return {word: text for word, text in found.header.items() if word != CLUSTER} | {"content": "deletes"}


def delete_entry(schema: str, data: Record, deletes: DeleteFile, snapshot: int) -> Record:
    """The entry of a delete file, of the same partition as the data file whose entry says `data`."""
    path = [{"key": FILE_PATH_ID, "value": deletes.target.encode()}]
    told = {
        "content": POSITION_DELETES,
        "file_path": deletes.path,
        "file_format": "PARQUET",
        "record_count": deletes.records,
        "file_size_in_bytes": deletes.size,
        "lower_bounds": path,
        "upper_bounds": path,
        "referenced_data_file": deletes.target,
    }
    row = {name: None if optional else data[name] for name, optional in _members(schema)}
    places = {"sequence_number": None, "file_sequence_number": None}
    row |= {name: value for name, value in told.items() if name in row}
    return {"status": ADDED, "snapshot_id": snapshot, **places, "data_file": row}


@lru_cache(maxsize=64)
def _members(schema: str) -> tuple[tuple[str, bool], ...]:
    """The members of a manifest's `data_file`, and whether each may be NULL."""
    (record,) = (one["type"] for one in json.loads(schema)["fields"] if one["name"] == "data_file")
    return tuple((one["name"], isinstance(one["type"], list)) for one in record["fields"])
