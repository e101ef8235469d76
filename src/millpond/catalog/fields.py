"""Ids of columns and nested fields: fresh ones for a new schema, the highest in use, where a path leads."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from millpond.catalog.types import schema_of
from millpond.core.errors import CatalogError

Json = Mapping[str, Any]

_SIZED = re.compile(r"decimal\b|fixed\b")
_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)\Z", re.ASCII)
_FIXED = re.compile(r"fixed\[[1-9]\d{0,9}\]\Z", re.ASCII)
_MOST_DIGITS = 38
_NEWEST = 3
_TYPES_OF_NEWEST = frozenset({"timestamp_ns", "timestamptz_ns", "variant", "unknown", "geometry", "geography"})

MALFORMED = (KeyError, TypeError, AttributeError, ValueError, RecursionError)
"""What goes wrong inside when a client's JSON is not shaped as the specification says."""


def fresh(schema: Json) -> tuple[dict[str, Any], dict[int, int], int]:
    """The schema with ids from 1 as the schema of a new table, the old ids' new ones, and the highest given.

    Clients number as they like (Spark begins at 0); the catalog gives the ids that last. Raises CatalogError MP-3030
    when the schema is not shaped as the specification says.
    """
    renumbered: dict[int, int] = {}
    last = 0

    def next_id(old: object) -> int:
        nonlocal last
        last += 1
        if isinstance(old, int):
            if old in renumbered:
                raise _twice(old)
            renumbered[old] = last
        return last

    try:
        struct = _fresh_struct(schema, next_id)
        _check_identifiers(schema, renumbered)
        identifiers = [renumbered[old] for old in schema.get("identifier-field-ids") or ()]
        validate(struct)
    except MALFORMED as wrong:
        raise malformed("schema", wrong) from wrong
    return struct | {"schema-id": 0, "identifier-field-ids": identifiers}, renumbered, last


def struct(schema: Json) -> dict[str, Any]:
    """A client's schema as it is kept: a struct, without what the client left null."""
    return {member: value for member, value in schema.items() if value is not None} | {"type": "struct"}


def validate(schema: Json) -> None:
    """Pass when every type is known, and no name stands twice in one struct and no id twice.

    Raises CatalogError MP-3037 for an unknown type, MP-3030 otherwise.
    """
    schema_of(schema)
    numbers = list(ids(schema))
    if not all(isinstance(number, int) for number in numbers):
        raise _invalid("an id is no number")
    if len(numbers) != len(set(numbers)):
        raise _twice(next(number for number, count in Counter(numbers).items() if count > 1))
    _check_identifiers(schema, numbers)
    for name, field in _named(schema["fields"], ""):
        if isinstance(field["type"], str) and _SIZED.match(field["type"]) and not _fits(field["type"]):
            raise _invalid(f"{name} cannot be {field['type']}", "use decimal(P,S) with S <= P <= 38, or fixed[L]")
    for struct in _structs(schema):
        names = Counter(field["name"] for field in struct["fields"])
        twice = sorted(name for name, count in names.items() if count > 1)
        if twice:
            raise _invalid(f"multiple fields for name {', '.join(twice)}", "give every column a name of its own")


def _fits(kind: str) -> bool:
    """Whether readers know the type with its digits or length. Spec v2, "Primitive Types"."""
    decimal, fixed = _DECIMAL.match(kind), _FIXED.match(kind)
    return bool(fixed) if decimal is None else int(decimal[2]) <= int(decimal[1]) in range(1, _MOST_DIGITS + 1)


def check_version(schema: Json, version: int) -> None:
    """Pass when a table of a format version may have a schema: some types, and defaults, came with the third.

    Raises CatalogError MP-3030 with the text of Java's catalogs otherwise.
    """
    if version >= _NEWEST:
        return
    for name, field in _named(schema["fields"], ""):
        kind = field["type"]
        told = None
        if isinstance(kind, str) and re.split(r"[(\[]", kind)[0] in _TYPES_OF_NEWEST:
            told = f"Invalid type for {name}: {kind} is"
        for word in ("initial-default", "write-default"):
            if field.get(word) is not None:
                told = f"Invalid {word.replace('-', ' ')} for {name}: non-null default ({field[word]}) is"
        if told is not None:
            raise CatalogError(
                "MP-3030",
                f"Invalid schema for v{version}: {told} not supported until v{_NEWEST}",
                next_step=f"use a type and no default that version {version} has, or make the table with the property "
                f"format-version {_NEWEST}",
            )


def _named(rows: Iterable[Json], before: str) -> Iterator[tuple[str, Json]]:
    """Every field, nested ones too, with its full name."""
    for field in rows:
        name, kind = f"{before}{field['name']}", field["type"]
        yield name, field
        if isinstance(kind, Mapping):
            inner = [{"name": part, "type": kind[part]} for part in ("element", "key", "value") if part in kind]
            yield from _named([*kind.get("fields", ()), *inner], f"{name}.")


def _check_identifiers(schema: Json, known: Collection[int]) -> None:
    """Pass when identifier fields are there, plain, required all the way down, and no fractions. Spec, "Identifier
    Field IDs"; the texts are those of Java's catalogs."""
    if not schema.get("identifier-field-ids"):
        return
    found = dict(_in_structs(schema, required=True))
    for number in schema["identifier-field-ids"]:
        kind, required = found.get(number, ({}, True))
        told = None
        if number not in known:
            told = "field does not exist"
        elif isinstance(kind, Mapping):
            told = "not a primitive type field, or inside a list or map"
        elif not required:
            told = "not a required field"
        elif kind in ("float", "double"):
            told = "must not be float or double field"
        if told is not None:
            raise _invalid(f"Cannot add fieldId {number} as an identifier field: {told}")


def partitionable(schema: Json) -> Iterator[int]:
    """The ids of fields by whose values a table may be partitioned: plain ones, in no list or map."""
    for number, (kind, _) in _in_structs(schema, required=False):
        if not isinstance(kind, Mapping):
            yield number


def _in_structs(kind: Json, *, required: bool) -> Iterator[tuple[int, tuple[Any, bool]]]:
    """The fields of a struct and of the structs in it: the type, and whether each on the way is required."""
    for field in kind["fields"]:
        here = required and bool(field.get("required"))
        yield field["id"], (field["type"], here)
        if isinstance(field["type"], Mapping) and field["type"]["type"] == "struct":
            yield from _in_structs(field["type"], required=here)


def _twice(number: int) -> CatalogError:
    return _invalid(f"an id stands for two fields: {number}", "give every field an id of its own")


def _invalid(reason: str, step: str = "send a schema whose names and ids fit together") -> CatalogError:
    return CatalogError("MP-3030", f"Invalid schema: {reason}", next_step=step)


def _structs(kind: Any) -> Iterator[Json]:
    if not isinstance(kind, Mapping):
        return
    if kind["type"] == "struct":
        yield kind
    for part in (*(field["type"] for field in kind.get("fields", ())), *map(kind.get, ("element", "key", "value"))):
        yield from _structs(part)


def malformed(what: str, wrong: Exception) -> CatalogError:
    """The error for a request part that lacks what the specification demands."""
    return CatalogError(
        "MP-3030",
        f"the {what} is not as the Iceberg specification says: {type(wrong).__name__} {wrong}",
        next_step="send what the REST catalog specification describes",
    )


def _fresh_struct(struct: Json, next_id: Callable[[object], int]) -> dict[str, Any]:
    numbers = [next_id(field.get("id")) for field in struct["fields"]]
    fields = [
        {**field, "id": number, "type": _fresh_type(field["type"], next_id)}
        for number, field in zip(numbers, struct["fields"], strict=True)
    ]
    return {"type": "struct", "fields": fields}


def _fresh_type(kind: Any, next_id: Callable[[object], int]) -> Any:
    if not isinstance(kind, Mapping):
        return kind
    if kind["type"] == "struct":
        return _fresh_struct(kind, next_id)
    if kind["type"] == "list":
        number = next_id(kind.get("element-id"))
        return {**kind, "element-id": number, "element": _fresh_type(kind["element"], next_id)}
    key, value = next_id(kind.get("key-id")), next_id(kind.get("value-id"))
    return {
        **kind,
        "key-id": key,
        "value-id": value,
        "key": _fresh_type(kind["key"], next_id),
        "value": _fresh_type(kind["value"], next_id),
    }


def ids(schema: Json) -> Iterator[int]:
    """Every id in a schema, nested ones too."""
    for field in schema["fields"]:
        yield field["id"]
        yield from _ids_in(field["type"])


def _ids_in(kind: Any) -> Iterator[int]:
    if not isinstance(kind, Mapping):
        return
    if kind["type"] == "struct":
        yield from ids(kind)
    elif kind["type"] == "list":
        yield kind["element-id"]
        yield from _ids_in(kind["element"])
    else:
        yield kind["key-id"]
        yield kind["value-id"]
        yield from _ids_in(kind["key"])
        yield from _ids_in(kind["value"])


def highest(schema: Json) -> int:
    """The highest id in a schema, 0 for an empty one."""
    return max(ids(schema), default=0)


def same_fields(one: Json, other: Json) -> bool:
    """Whether two schemas say the same, whatever their schema ids are."""
    return bool(one["fields"] == other["fields"]) and list(one.get("identifier-field-ids") or ()) == list(
        other.get("identifier-field-ids") or ()
    )
