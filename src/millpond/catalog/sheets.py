"""Manifests in the making: entries of one kind and partition spec, and the row that the manifest list gets of them."""

from __future__ import annotations

import json
import math
import re
import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from millpond.catalog import avro
from millpond.catalog.avro import Contents, Record
from millpond.catalog.files import local
from millpond.catalog.manifests import ADDED, DELETED, EXISTING, Manifest
from millpond.core.errors import CatalogError

Json = Mapping[str, Any]

CLUSTER = "millpond.cluster"
"""The word in a manifest's header that says how the files in it are sorted."""

_NEEDED = {"snapshot_id", "sequence_number", "file_sequence_number"}


@dataclass
class Sheet:
    """One manifest in the making: entries that share an Avro schema (as text), a partition spec and a kind."""

    schema: str
    header: dict[str, str]
    content: int
    spec_id: int
    entries: list[Record] = field(default_factory=list)
    sources: list[Manifest] = field(default_factory=list)
    changed: bool = False

    def write(self, folder: str, snapshot: int, sequence: int) -> Record:
        """Write the manifest of a snapshot into a folder; its row of the manifest list.

        Raises CatalogError MP-3039 when the disk does not take it.
        """
        path = f"{folder}/{uuid.uuid4()}-m0.avro"
        schema = json.loads(self.schema)
        avro.write(path, schema, self.entries, self.header)
        live = [row for row in self.entries if row["status"] != DELETED]
        inherited = (sequence if row["sequence_number"] is None else row["sequence_number"] for row in live)
        record: Record = {
            "manifest_path": path,
            "manifest_length": Path(local(path)).stat().st_size,
            "partition_spec_id": self.spec_id,
            "content": self.content,
            "sequence_number": sequence,
            "min_sequence_number": min(inherited, default=sequence),
            "added_snapshot_id": snapshot,
            "partitions": summaries(schema, [row["data_file"]["partition"] for row in self.entries]),
        }
        for word, status in (("added", ADDED), ("existing", EXISTING), ("deleted", DELETED)):
            rows = [row for row in self.entries if row["status"] == status]
            record[f"{word}_files_count"] = len(rows)
            record[f"{word}_rows_count"] = sum(row["data_file"]["record_count"] for row in rows)
        return record


def rewritable(found: Contents) -> bool:
    """Whether entries of such a manifest can be written into another one."""
    names = {member["name"] for member in json.loads(found.schema)["fields"]}
    return names >= _NEEDED and "first_row_id" not in found.schema


def not_rewritable(manifest: Manifest) -> CatalogError:
    """The refusal of what would need a manifest's entries in another one."""
    return CatalogError(
        "MP-3181",
        f"the manifest {manifest.path} is of Iceberg's first version and cannot be rewritten here",
        next_step="rewrite the table's manifests with the engine that wrote them",
    )


def partition_field(schema: Json) -> Json:
    """The member of a manifest's Avro schema that says how files are partitioned."""
    data_file = next(member["type"] for member in schema["fields"] if member["name"] == "data_file")
    found: Json = next(member for member in data_file["fields"] if member["name"] == "partition")
    return found


def avro_type(kind: str, name: str) -> Any:
    """A primitive type of Iceberg's as Avro writes it; `name` is for those that Avro names. Spec, "Appendix A"."""
    if kind in _AVRO:
        return _AVRO[kind]
    numbers = [int(number) for number in _NUMBERS.findall(kind)]
    if kind.startswith("decimal"):
        precision, scale = numbers
        size = (len(bin(10**precision)) - 2) // 8 + 1
        words = {"logicalType": "decimal", "precision": precision, "scale": scale}
        return {"type": "fixed", "size": size, "name": name, **words}
    if kind == "uuid":
        return {"type": "fixed", "size": 16, "name": name, "logicalType": "uuid"}
    return {"type": "fixed", "size": numbers[0], "name": name}


_NUMBERS = re.compile(r"\d+")
_AVRO: Mapping[str, Any] = {
    **{word: word for word in ("boolean", "int", "long", "float", "double", "string")},
    "binary": "bytes",
    "date": {"type": "int", "logicalType": "date"},
    "time": {"type": "long", "logicalType": "time-micros"},
    "timestamp": {"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": False},
    "timestamptz": {"type": "long", "logicalType": "timestamp-micros", "adjust-to-utc": True},
}


def summaries(schema: Json, values: Sequence[Mapping[str, Any]]) -> list[Record] | None:
    """What a manifest list says of the partitions in a manifest, by its Avro schema. Spec v2, "field_summary"."""
    rows = []
    for member in partition_field(schema)["type"]["fields"]:
        kind = (
            next(one for one in member["type"] if one != "null") if isinstance(member["type"], list) else member["type"]
        )
        known = [value for row in values if (value := row[member["name"]]) is not None]
        real = sorted((value for value in known if not is_nan(value)), key=lambda value: _order(value, kind))
        bounds = (_bound(real[0], kind), _bound(real[-1], kind)) if real else (None, None)
        null, nan = len(known) < len(values), len(real) < len(known)
        rows.append({"contains_null": null, "contains_nan": nan, "lower_bound": bounds[0], "upper_bound": bounds[1]})
    return rows or None


def is_nan(value: Any) -> bool:
    """Whether a stored value is no number, and so has no place among the others."""
    return isinstance(value, float) and math.isnan(value)


def _order(value: Any, kind: Any) -> Any:
    """What a stored value is compared by: decimals are stored as bytes."""
    decimal = isinstance(kind, Mapping) and kind.get("logicalType") == "decimal"
    return int.from_bytes(value, "big", signed=True) if decimal else value


def _bound(value: Any, kind: Any) -> bytes:
    """A stored value as the specification writes single values. Spec v2, "Appendix D"."""
    word = kind["type"] if isinstance(kind, Mapping) else kind
    if word in _PACKED:
        return struct.pack(_PACKED[word], value)
    if word == "string":
        return str(value).encode()
    if isinstance(kind, Mapping) and kind.get("logicalType") == "decimal":
        number: int = _order(value, kind)
        return number.to_bytes((8 + (number + (number < 0)).bit_length()) // 8, "big", signed=True)
    return bytes(value)


_PACKED = {"boolean": "<?", "int": "<i", "long": "<q", "float": "<f", "double": "<d"}
