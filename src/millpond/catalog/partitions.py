"""Partition specs: from what the author declares, and what may stand in them. Iceberg spec v2, "Partitioning"."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from millpond.catalog.fields import ids, partitionable
from millpond.core.errors import CatalogError
from millpond.core.names import closest
from millpond.project.model import Partition

FIRST_FIELD_ID = 1000
"""Ids of partition fields begin here, so that they never meet those of columns."""

_NEEDS_ARGUMENT = {"bucket": "bucket", "truncate": "trunc"}
_TIMES = ("date", "timestamp", "timestamptz")
_NEWER = ("timestamp_ns", "timestamptz_ns", "fixed")
"""Types that only tables of others have."""
_SOURCES = {
    "year": _TIMES,
    "month": _TIMES,
    "day": _TIMES,
    "hour": ("timestamp", "timestamptz"),
    "bucket": ("int", "long", "decimal", "date", "time", "timestamp", "timestamptz", "string", "uuid", "binary"),
    "truncate": ("int", "long", "decimal", "string", "binary"),
}


def spec_json(partition: Sequence[Partition], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The partition spec, with id 0, for declared partition fields over an Iceberg schema.

    Raises CatalogError MP-3040 for a column that is not there or a transform that cannot take its type.
    """
    columns = {field["name"].lower(): field for field in schema["fields"]}
    fields: list[dict[str, Any]] = []
    for number, declared in enumerate(partition, start=FIRST_FIELD_ID):
        column = columns.get(declared.column.lower())
        if column is None:
            raise CatalogError(
                "MP-3040",
                f"the table cannot be partitioned by {declared.column!r}: it has no such column",
                next_step="name one of its columns",
                suggestion=closest(declared.column, columns),
            )
        transform = _transform(declared, column["type"])
        name = _name(declared, column["name"], columns)
        fields.append({"source-id": column["id"], "field-id": number, "name": name, "transform": transform})
    return {"spec-id": 0, "fields": fields}


def _name(declared: Partition, column: str, columns: Mapping[str, Any]) -> str:
    if declared.transform == "identity":
        return column
    name = f"{column}_{_NEEDS_ARGUMENT.get(declared.transform, declared.transform)}"
    return f"{name}_part" if name.lower() in columns else name


def _transform(declared: Partition, kind: Any) -> str:
    word = declared.transform
    plain = _plain(kind)
    if word == "identity" and isinstance(kind, str):
        return word
    if plain not in _SOURCES.get(word, ()):
        known = word == "identity" or word in _SOURCES
        reason = f"cannot take a column of type {plain}" if known else "is not a partition transform"
        raise CatalogError(
            "MP-3040",
            f"{word}({declared.column}) {reason}",
            next_step="use identity, year, month, day, hour, bucket or truncate on a column whose type it takes",
        )
    if word not in _NEEDS_ARGUMENT:
        return word
    if not declared.argument or declared.argument < 1:
        raise CatalogError(
            "MP-3040",
            f"{word}({declared.column}) needs a number above 0",
            next_step=f"write it as {word}(16, {declared.column})",
        )
    return f"{word}[{declared.argument}]"


def _plain(kind: Any) -> str:
    """A type's word, without its digits or length."""
    return re.split(r"[(\[]", kind if isinstance(kind, str) else kind["type"])[0]


def highest(spec: Mapping[str, Any]) -> int:
    """The highest partition field id of a spec, 999 for one without fields."""
    return max((field.get("field-id", FIRST_FIELD_ID - 1) for field in spec["fields"]), default=FIRST_FIELD_ID - 1)


def problem(spec: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a client's spec for a schema: its columns, what they can be partitioned by, its names.

    As Java's catalogs see it: the name of a column may only be that of its own values.
    """
    columns = {field["id"]: field for field in schema["fields"]}
    plain = set(partitionable(schema))
    every = set(ids(schema))
    known = {field["name"]: field["id"] for field in schema["fields"]}
    names: set[str] = set()
    for field in spec.get("fields", ()):
        name, source, word = field["name"], columns.get(field["source-id"]), field["transform"].split("[")[0]
        if name in names:
            return f"Cannot use partition name more than once: {name}"
        names.add(name)
        if name in known and (word not in ("identity", "void") or known[name] != field["source-id"]):
            return f"Cannot create partition from name that exists in schema: {name}"
        if word != "void" and field["source-id"] in every - plain:
            return f"Cannot partition by non-primitive source field, or inside a list or map: {name}"
        if source is not None and word in _SOURCES and _plain(source["type"]) not in (*_SOURCES[word], *_NEWER):
            return f"Cannot partition {source['name']} by {word}: its type is {_plain(source['type'])}"
    return None


def other_field(spec: Mapping[str, Any], known: Iterable[Mapping[str, Any]]) -> str | None:
    """What is wrong with a spec that uses the id of another spec's field for a field of its own.

    An id stands for one transform of one column. Spec v2, "Partition Evolution".
    """
    taken = {field["field-id"]: field for other in known for field in other["fields"] if "field-id" in field}
    for field in spec.get("fields", ()):
        there = taken.get(field.get("field-id"), field)
        emptied = "void" in (field["transform"], there["transform"])
        if not emptied and any(field[word] != there[word] for word in ("source-id", "transform")):
            return f"Cannot use field id {there['field-id']} of {there['name']} for {field['name']}"
    return None


def unknown_source(spec: Mapping[str, Any], known: Container[int]) -> str | None:
    """What is wrong with a spec whose fields stand on columns that are not among the known ids."""
    for field in spec.get("fields", ()):
        if field["source-id"] not in known:
            told = f"{field['name']}: {field['transform']}({field['source-id']})"
            return f"Cannot find source column for partition field: {told}"
    return None


def unknown_order_source(order: Mapping[str, Any], known: Container[int]) -> str | None:
    """The same of a sort order."""
    for field in order.get("fields", ()):
        if field["source-id"] not in known:
            told = f"{field['transform']}({field['source-id']}) {field['direction']} {field['null-order']}"
            return f"Cannot find source column for sort field: {told}"
    return None


def rebound(spec: Mapping[str, Any], ids: Mapping[int, int]) -> dict[str, Any]:
    """A client's spec for a new table: id 0, columns by their fresh ids, field ids from 1000."""
    fields = [
        {**field, "source-id": ids[field["source-id"]], "field-id": number}
        for number, field in enumerate(spec.get("fields", ()), start=FIRST_FIELD_ID)
    ]
    return {"spec-id": 0, "fields": fields}


def same_columns(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two specs put rows into the same partitions, whatever the partition fields are called."""
    pairs = ([(field["source-id"], field["transform"]) for field in spec["fields"]] for spec in (one, other))
    return next(pairs) == next(pairs)


def named_apart(spec: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The spec with fields that bear no name of the others' and no ids: the table gives new ones."""
    taken = {field["name"].lower() for other in others for field in other["fields"]}
    fields = []
    for field in spec["fields"]:
        names = (field["name"], *(f"{field['name']}_{number}" for number in range(2, len(taken) + 3)))
        name = next(name for name in names if name.lower() not in taken)
        taken.add(name.lower())
        fields.append({"source-id": field["source-id"], "name": name, "transform": field["transform"]})
    return {"fields": fields}


def result_type(transform: str, source: str) -> str:
    """The type of a partition field's values, by its transform and the type of its column."""
    word = transform.split("[")[0]
    return source if word in ("identity", "truncate", "void") else "int"


def same_fields(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two specs partition alike: same columns, transforms and names in the same order."""

    def essence(spec: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        return [(field["source-id"], field["transform"], field["name"]) for field in spec["fields"]]

    return essence(one) == essence(other)
