"""Files that a client put where other readers would not look for them, filed anew. Iceberg spec v2, "Scan Planning".

After the partitioning of a table changed, DuckDB files deletes of rows in older files under the present partition spec,
with the partition fields of all specs mixed. It finds them again by path, but the specification has readers look under
the data file's own spec and partition, and there others find nothing: for them, rows that were deleted would stay. So
such entries are written into new manifests of the right spec.

And in the manifest list it gives no bounds for partitions that are booleans or UUIDs, and says of none that it holds
NaN. To others that means that there is no value, so that a filter on such a column would find nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from millpond.catalog import avro, manifests
from millpond.catalog.avro import Record
from millpond.catalog.files import local
from millpond.catalog.manifests import DELETED, POSITION_DELETES, DataFile, Ground, Manifest, target
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.sheets import Sheet, is_nan, partition_field, summaries
from millpond.core.errors import CatalogError
from millpond.core.records import frozen

Json = Mapping[str, Any]


def refiled(current: TableMetadata | None, updated: TableMetadata) -> TableMetadata:
    """The metadata with the files of its new snapshots where readers look for them; new lists are on the disk.

    Nothing is read where the table has never been partitioned. Raises CatalogError MP-3220 when it cannot be told where
    deletes belong, MP-3034 to MP-3036 for a list or manifest that is missing, outside of the table's location or
    cannot be read, MP-3039 when the disk does not take a new one.
    """
    known = {row["snapshot-id"] for row in current.snapshots} if current else set()
    fresh = [row for row in updated.snapshots if row["snapshot-id"] not in known]
    partitioned = any(spec["fields"] for spec in updated.document["partition-specs"])
    if not fresh or not partitioned or updated.format_version != 2:
        return updated
    clerk = _Clerk(updated)
    lists = {row["snapshot-id"]: clerk.listed(row) for row in fresh}
    if not any(lists.values()):
        return updated
    rows = [
        {**row, "manifest-list": lists.get(row["snapshot-id"]) or row["manifest-list"]} for row in updated.snapshots
    ]
    return TableMetadata({**updated.document, "snapshots": rows}, updated.path)


@frozen
class _Place:
    """Where a file is filed: its spec, and its partition with the member of the Avro schema that describes it."""

    spec_id: int
    member: Json
    values: Mapping[str, Any]

    def same(self, other: _Place) -> bool:
        """Whether a reader takes both for one place."""
        return (self.spec_id, self._by_id()) == (other.spec_id, other._by_id())

    def _by_id(self) -> dict[int, Any]:
        return {field["field-id"]: self.values.get(field["name"]) for field in self.member["type"]["fields"]}


class _Clerk:
    """Files the deletes of one table's new snapshots. A manifest that two of them list is looked at once."""

    def __init__(self, metadata: TableMetadata) -> None:
        self._folder = f"{metadata.location}/metadata"
        self._ground = Ground(metadata.location)
        self._specs = {spec["spec-id"]: spec["fields"] for spec in metadata.document["partition-specs"]}
        self._done: dict[str, list[Record] | None] = {}

    def listed(self, snapshot: Json) -> str | None:
        """The path of a new manifest list for a snapshot; None when its own is right."""
        self._ground.check(snapshot["manifest-list"])
        listed = manifests.of_snapshot(snapshot)
        number, sequence = snapshot["snapshot-id"], snapshot["sequence-number"]
        for manifest in listed:
            # Those of earlier snapshots were looked at when they came.
            if manifest.sequence_number == sequence and manifest.path not in self._done:
                self._ground.check(manifest.path)
                moved = self._filed(manifest, listed, number) if self._mixed(manifest) else None
                self._done[manifest.path] = moved or _summarised(manifest)
        if not any(self._done.get(manifest.path) for manifest in listed):
            return None
        rows = [dict(row) for manifest in listed for row in self._done.get(manifest.path) or (manifest.record,)]
        path = f"{self._folder}/snap-{number}-1-{uuid.uuid4()}.avro"
        parent = snapshot.get("parent-snapshot-id")
        manifests.write_list(path, rows, snapshot_id=number, parent_id=parent, sequence_number=sequence)
        return path

    def _mixed(self, manifest: Manifest) -> bool:
        """Whether deletes may be of data under another spec."""
        return manifest.content == "deletes" and len(self._specs) > 1

    def _filed(self, manifest: Manifest, listed: Sequence[Manifest], snapshot: int) -> list[Record] | None:
        """The rows of the manifests that take the place of one; None when it is right as it is."""
        entries = manifests.entries(manifest)
        found = avro.contents(manifest.path)
        member = partition_field(json.loads(found.schema))
        homes = _homes({path for entry in entries if (path := _target(entry))}, listed)
        sheets: dict[tuple[int, str], Sheet] = {}
        moved = False
        for raw, entry in zip(found.records, entries, strict=True):
            place = _Place(manifest.partition_spec_id, member, raw["data_file"]["partition"] or {})
            home = homes.get(_target(entry) or "", place)
            if home is place and _live(entry) and not self._sound(place):
                raise _unclear(entry)
            moved = moved or not home.same(place)
            key = (home.spec_id, json.dumps(home.member))
            if key not in sheets:
                sheets[key] = self._sheet(found, home)
            sheets[key].entries.append({**raw, "data_file": {**raw["data_file"], "partition": dict(home.values)}})
        if not moved:
            return None
        return [sheet.write(self._folder, snapshot, manifest.sequence_number) for sheet in sheets.values()]

    def _sound(self, place: _Place) -> bool:
        """Whether a partition has the fields of its spec, and no others."""
        due = {field["field-id"] for field in self._specs.get(place.spec_id, ())}
        return due == {field["field-id"] for field in place.member["type"]["fields"]}

    def _sheet(self, found: avro.Contents, home: _Place) -> Sheet:
        schema = json.loads(found.schema)
        for member in schema["fields"]:
            if member["name"] == "data_file":
                fields = member["type"]["fields"]
                member["type"]["fields"] = [home.member if one["name"] == "partition" else one for one in fields]
        fields = json.dumps(self._specs.get(home.spec_id, ()))
        header = {**found.header, "partition-spec-id": str(home.spec_id), "partition-spec": fields}
        return Sheet(json.dumps(schema), header, 1, home.spec_id)


def _summarised(manifest: Manifest) -> list[Record] | None:
    """The row of a manifest with the summary of its partitions put right; None when it is right."""
    told = manifest.record.get("partitions") or ()
    columns = tuple(
        zip(*(tuple(value for _, value in entry.partition) for entry in manifests.entries(manifest)), strict=True)
    )
    if len(columns) != len(told) or not any(map(_hidden, told, columns)):
        return None
    found = avro.contents(manifest.path)
    values = [row["data_file"]["partition"] for row in found.records]
    return [{**manifest.record, "partitions": summaries(json.loads(found.schema), values)}]


def _hidden(told: Mapping[str, Any], values: Sequence[Any]) -> bool:
    """Whether a reader would take a manifest for one without some of the values in it."""
    known = [value for value in values if value is not None]
    real = [value for value in known if not is_nan(value)]
    unbound = None in (told.get("lower_bound"), told.get("upper_bound"))
    return (bool(real) and unbound) or (len(real) < len(known) and told.get("contains_nan") is False)


def _target(entry: DataFile) -> str | None:
    """The one data file that position deletes are for, when they are live and for one alone."""
    return target(entry) if _live(entry) else None


def _live(entry: DataFile) -> bool:
    return entry.status != DELETED and entry.content == POSITION_DELETES


def _homes(targets: Iterable[str], listed: Iterable[Manifest]) -> dict[str, _Place]:
    """Where data files are filed, by plain path."""
    wanted = set(targets)
    homes: dict[str, _Place] = {}
    for manifest in listed:
        if not wanted - homes.keys():
            break
        entries = manifests.entries(manifest) if manifest.content == "data" else ()
        if not any(local(entry.path) in wanted for entry in entries):
            continue
        found = avro.contents(manifest.path)
        member = partition_field(json.loads(found.schema))
        for raw, entry in zip(found.records, entries, strict=True):
            if entry.status != DELETED and local(entry.path) in wanted:
                homes[local(entry.path)] = _Place(
                    manifest.partition_spec_id, member, raw["data_file"]["partition"] or {}
                )
    return homes


def _unclear(entry: DataFile) -> CatalogError:
    return CatalogError(
        "MP-3220",
        f"it cannot be told to which data file the deletes in {entry.path} belong, and its partition is that of none",
        next_step="write one delete file for each data file; nothing was changed",
    )
