"""Another partitioning for the files to come, while those that are there stay. Iceberg spec v2, "Partition Evolution".

A new spec shares no field with those before it, neither name nor id: DuckDB puts the fields of all specs into one
struct, and could not delete from the table else. And where nothing was partitioned before, an empty manifest of the new
spec comes with it, without which DuckDB finds no partition to file its deletes under.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from millpond.catalog import avro, manifests
from millpond.catalog.layout import resized
from millpond.catalog.manifests import Manifest
from millpond.catalog.metadata import TableMetadata, apply
from millpond.catalog.partitions import named_apart, result_type, same_columns, spec_json
from millpond.catalog.sheets import Sheet, avro_type, partition_field
from millpond.catalog.snapshots import TOTALS, new_id, with_snapshot
from millpond.project.model import Partition

Json = Mapping[str, Any]


def repartitioned(metadata: TableMetadata, partition: Sequence[Partition], now_ms: int) -> TableMetadata:
    """The table whose new files are partitioned by the declared fields; itself where they are so already.

    Raises CatalogError MP-3040 for a column that is not there or a transform that cannot take its type, MP-3036 for a
    manifest that cannot be read, MP-3039 when the disk does not take a new one.
    """
    declared = spec_json(partition, metadata.schema_document)
    if same_columns(metadata.spec, declared):
        return metadata
    specs = metadata.document["partition-specs"]
    earlier = next((spec for spec in specs if same_columns(spec, declared)), None)
    spec = earlier or named_apart(declared, specs)
    changes = (
        {"action": "add-spec", "spec": spec},
        {"action": "set-default-spec", "spec-id": -1},
        *resized(metadata.properties, bool(spec["fields"])),
    )
    updated = apply(metadata, changes, now_ms)
    listed = manifests.of_snapshot(metadata.current_snapshot)
    partitioned = {one["spec-id"] for one in specs if one["fields"]}
    if not listed or not updated.spec["fields"] or any(one.partition_spec_id in partitioned for one in listed):
        return updated
    return _opened(metadata, updated.spec, listed, changes, now_ms)


def _opened(
    metadata: TableMetadata, spec: Json, listed: Sequence[Manifest], changes: Sequence[Json], now_ms: int
) -> TableMetadata:
    """The table with a snapshot of the same files and an empty manifest of a spec."""
    number, sequence = new_id(), metadata.sequence_number + 1
    found = avro.contents(next(one.path for one in listed if one.content == "data"))
    schema = json.loads(found.schema)
    partition_field(schema)["type"]["fields"] = [_member(metadata, field) for field in spec["fields"]]
    words = {"partition-spec-id": str(spec["spec-id"]), "partition-spec": json.dumps(spec["fields"])}
    sheet = Sheet(json.dumps(schema), {**found.header, **words}, 0, spec["spec-id"])
    record = sheet.write(f"{metadata.location}/metadata", number, sequence)
    empty = manifests.manifest_of(record)
    before = (metadata.current_snapshot or {}).get("summary", {})
    totals = {total: before[total] for total in TOTALS if total in before}
    summary = {"operation": "replace", "engine-name": "millpond", **totals}
    return with_snapshot(metadata, (*listed, empty), summary, now_ms, number, changes)


def _member(metadata: TableMetadata, field: Json) -> dict[str, Any]:
    columns = {column["id"]: column["type"] for column in metadata.schema_document["fields"]}
    number = field["field-id"]
    kind = avro_type(result_type(field["transform"], columns[field["source-id"]]), f"value_{number}")
    return {"name": field["name"], "type": ["null", kind], "default": None, "field-id": number}
