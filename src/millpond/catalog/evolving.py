"""Other columns for a table whose files stay as they are. Iceberg spec v2, "Schema Evolution"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millpond.catalog.metadata import TableMetadata
from millpond.catalog.types import TypeTree, column_json, iceberg_type, read_type
from millpond.core.schema import Column, Schema

Json = Mapping[str, Any]

OURS = ("owner", "comment")
PREFIX = "millpond.model."
"""Properties of these names, or that begin so, are the author's words; the others are left alone."""


def widens(old: str, new: str) -> bool:
    """Whether every value of a DuckDB type is one of another, as files may keep the old one."""
    before, after = read_type(old), read_type(new)
    if (before.name, after.name) in (("INTEGER", "BIGINT"), ("FLOAT", "DOUBLE")):
        return True
    return _digits(before) is not None and _more_digits(before, after)


def _digits(tree: TypeTree) -> tuple[int, ...] | None:
    return tree.numbers if tree.name == "DECIMAL" else None


def _more_digits(before: TypeTree, after: TypeTree) -> bool:
    return after.name == "DECIMAL" and after.numbers[1] == before.numbers[1] and after.numbers[0] > before.numbers[0]


def updates(
    metadata: TableMetadata, wanted: Schema, renames: Mapping[str, str], properties: Mapping[str, str]
) -> tuple[Json, ...]:
    """The table updates that give a table the wanted columns and the author's words; none where it has them.

    `renames` are old names by new ones. Columns keep their ids; those that nobody wants stay. Whether the change is
    one that files bear is for the caller to know (see `widens`).
    """
    present = metadata.schema_document
    fields, last = _fields(metadata, wanted, renames)
    made: list[Json] = []
    if fields != present["fields"]:
        made += [
            {"action": "add-schema", "schema": {**present, "fields": fields}, "last-column-id": last},
            {"action": "set-current-schema", "schema-id": -1},
        ]
    told = {name: text for name, text in metadata.properties.items() if name in OURS or name.startswith(PREFIX)}
    if new := {name: text for name, text in properties.items() if told.get(name) != text}:
        made.append({"action": "set-properties", "updates": new})
    if gone := sorted(told.keys() - properties.keys()):
        made.append({"action": "remove-properties", "removals": gone})
    return tuple(made)


def _fields(metadata: TableMetadata, wanted: Schema, renames: Mapping[str, str]) -> tuple[list[Json], int]:
    """The fields of the next schema, and the highest id that was given."""
    last = int(metadata.document["last-column-id"])

    def next_id() -> int:
        nonlocal last
        last += 1
        return last

    was = {old.lower(): new for new, old in renames.items()}
    present = metadata.schema()
    fields: list[Json] = []
    for field in metadata.schema_document["fields"]:
        new = was.get(field["name"].lower())
        name = new if new is not None and present.get(new) is None else field["name"]
        column = wanted.get(name)
        fields.append({**field, "name": name} if column is None else _field(field, column, present, next_id))
    known = {field["name"].lower() for field in fields}
    unknown = [column for column in wanted if column.name.lower() not in known]
    fields.extend(column_json(column, next_id(), next_id) for column in unknown)
    return fields, last


def _field(field: Json, column: Column, present: Schema, next_id: Any) -> Json:
    """A field with the wanted name, type, doc and nullability; its id stays."""
    there = present.get(field["name"])
    kind = field["type"]
    if there is None or there.type != column.type:
        kind = iceberg_type(column.type, next_id)
    made = {**field, "name": column.name, "type": kind, "required": column.required}
    made.pop("doc", None)
    return made if column.doc is None else made | {"doc": column.doc}
