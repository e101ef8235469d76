"""Requests that are almost right: every place of every body takes values that do not belong there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from .talk import COLUMNS, Json, version

ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 2**31, 2**63, -(2**63) - 1, 10**400, ""),
    *(" ", ".", "..", "a/b", "a\x1fb", "a.b", "\x00", "\ud800", "\u202e", "日本", "%1F", "x" * 70_000, "NaN", "-1"),
    *([], [None], [[]], [{}], {}, {"a": None}, {"": {"": []}}),
)
"""What may stand where something else should: JSON of every kind, and texts that names should not be made of."""


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def places(body: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value inside a body."""
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(body: Json, path: tuple[str | int, ...], value: Any) -> Json:
    """The body with another value at a place; the word `absent` takes the place away."""
    made = copy.deepcopy(body)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    if value == "absent":
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return made


def variants(body: Json) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each place of a body with each odd value, and with the word that takes it away: what `changed` is given."""
    for path in places(body):
        for value in (*ODD, "absent"):
            yield path, value


NESTED_COLUMNS: Json = {
    "type": "struct",
    "schema-id": 0,
    "identifier-field-ids": [],
    "fields": [
        {"id": 1, "name": "id", "required": True, "type": "long", "doc": "d"},
        {"id": 2, "name": "price", "required": False, "type": "decimal(9, 2)"},
        {
            "id": 3,
            "name": "list",
            "required": False,
            "type": {"type": "list", "element-id": 4, "element": "string", "element-required": False},
        },
        {
            "id": 5,
            "name": "map",
            "required": False,
            "type": {
                "type": "map",
                "key-id": 6,
                "key": "string",
                "value-id": 7,
                "value": {"type": "struct", "fields": [{"id": 8, "name": "x", "required": False, "type": "date"}]},
                "value-required": False,
            },
        },
    ],
}
SPEC: Json = {
    "spec-id": 1,
    "fields": [{"source-id": 1, "field-id": 1000, "name": "id_bucket", "transform": "bucket[4]"}],
}
ORDER: Json = {
    "order-id": 1,
    "fields": [{"source-id": 1, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}],
}
SNAPSHOT: Json = {
    "snapshot-id": 77,
    "sequence-number": 5,
    "timestamp-ms": 1_700_000_000_000,
    "manifest-list": "/nowhere/snap-77.avro",
    "summary": {"operation": "append"},
    "schema-id": 0,
}
STATISTICS: Json = {
    "snapshot-id": 77,
    "statistics-path": "/nowhere/s.puffin",
    "file-size-in-bytes": 10,
    "file-footer-size-in-bytes": 5,
    "blob-metadata": [{"type": "t", "snapshot-id": 77, "sequence-number": 1, "fields": [1]}],
}
UPDATES: tuple[Json, ...] = (
    {"action": "assign-uuid", "uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1"},
    {"action": "upgrade-format-version", "format-version": 2},
    {"action": "add-schema", "schema": NESTED_COLUMNS, "last-column-id": 8},
    {"action": "set-current-schema", "schema-id": 0},
    {"action": "add-spec", "spec": SPEC},
    {"action": "set-default-spec", "spec-id": 0},
    {"action": "add-sort-order", "sort-order": ORDER},
    {"action": "set-default-sort-order", "sort-order-id": 0},
    {"action": "add-snapshot", "snapshot": SNAPSHOT},
    {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 77, "max-ref-age-ms": 5},
    {"action": "remove-snapshots", "snapshot-ids": [77]},
    {"action": "remove-snapshot-ref", "ref-name": "other"},
    {"action": "set-location", "location": "/nowhere"},
    {"action": "set-properties", "updates": {"a": "b"}},
    {"action": "remove-properties", "removals": ["a"]},
    {"action": "set-statistics", "snapshot-id": 77, "statistics": STATISTICS},
    {"action": "remove-statistics", "snapshot-id": 77},
    {"action": "set-partition-statistics", "partition-statistics": {**STATISTICS, "statistics-path": "/nowhere/p"}},
    {"action": "remove-partition-statistics", "snapshot-id": 77},
    {"action": "remove-schemas", "schema-ids": [7]},
    {"action": "remove-partition-specs", "spec-ids": [7]},
    {"action": "add-encryption-key", "encryption-key": {"key-id": "k", "encrypted-key-metadata": "aGk="}},
    {"action": "remove-encryption-key", "key-id": "k"},
)
"""Every update of tables that the specification has."""

REQUIREMENTS: tuple[Json, ...] = (
    {"type": "assert-create"},
    {"type": "assert-table-uuid", "uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1"},
    {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 7},
    {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 1},
    {"type": "assert-current-schema-id", "current-schema-id": 0},
    {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999},
    {"type": "assert-default-spec-id", "default-spec-id": 0},
    {"type": "assert-default-sort-order-id", "default-sort-order-id": 0},
)
"""Every requirement of tables that the specification has."""

VIEW_UPDATES: tuple[Json, ...] = (
    {"action": "assign-uuid", "uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1"},
    {"action": "upgrade-format-version", "format-version": 1},
    {"action": "add-schema", "schema": COLUMNS, "last-column-id": 1},
    {"action": "set-location", "location": "/nowhere"},
    {"action": "set-properties", "updates": {"a": "b"}},
    {"action": "remove-properties", "removals": ["a"]},
    {"action": "add-view-version", "view-version": version()},
    {"action": "set-current-view-version", "view-version-id": 1},
)

TABLE = {"namespace": ["s"], "name": "t"}
BODIES: dict[str, Json] = {
    "POST /namespaces": {"namespace": ["n"], "properties": {"a": "b"}},
    "POST /namespaces/s/properties": {"removals": ["a"], "updates": {"b": "c"}},
    "POST /namespaces/s/tables": {
        "name": "made",
        "location": "relative",
        "schema": NESTED_COLUMNS,
        "partition-spec": SPEC,
        "write-order": ORDER,
        "stage-create": False,
        "properties": {"a": "b"},
    },
    "POST /namespaces/s/register": {"name": "r", "metadata-location": "/nowhere.metadata.json", "overwrite": False},
    "POST /tables/rename": {"source": TABLE, "destination": {"namespace": ["s"], "name": "renamed"}},
    "POST /namespaces/s/tables/t/metrics": {"report-type": "scan-report", "table-name": "t", "snapshot-id": 1},
    "POST /namespaces/s/views": {
        "name": "made",
        "location": "relative",
        "schema": COLUMNS,
        "view-version": version(),
        "properties": {},
    },
    "POST /namespaces/s/register-view": {"name": "rv", "metadata-location": "/nowhere.metadata.json"},
    "POST /views/rename": {
        "source": {"namespace": ["s"], "name": "v"},
        "destination": {"namespace": ["s"], "name": "w"},
    },
    **{
        f"POST /namespaces/s/tables/t {update['action']}": {"requirements": [], "updates": [update]}
        for update in UPDATES
    },
    **{
        f"POST /namespaces/s/tables/t {demand['type']}": {"requirements": [demand], "updates": []}
        for demand in REQUIREMENTS
    },
    **{
        f"POST /namespaces/s/views/v {update['action']}": {"requirements": [], "updates": [update]}
        for update in VIEW_UPDATES
    },
    "POST /transactions/commit": {
        "table-changes": [{"identifier": TABLE, "requirements": [], "updates": [UPDATES[13]]}],
    },
}
"""A body for each request that has one; what stands after the path only tells them apart."""
