"""What a table, and the parts of one that clients send, must look like, so that every reader can read what is kept.

The REST catalog specification's schemas for updates and requirements, as checks: each takes a value and its place in
the request, and gives the sentence that says what is wrong, or None. Members that are not named here may be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], str | None]

_MOST_LEVELS = 100
_WORD = re.compile(r"[a-z][a-z0-9_]*(\([^()]*\)|\[[^\[\]]*\])?\Z")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")
_TRANSFORM = re.compile(r"(identity|void|year|month|day|hour|(bucket|truncate)\[(?P<number>[1-9]\d{0,9})\])\Z")


def _text(value: Any, at: str) -> str | None:
    return None if isinstance(value, str) and value else f"{at} must be a text"


def _uuid(value: Any, at: str) -> str | None:
    return None if isinstance(value, str) and _UUID.match(value) else f"{at} must be a UUID"


def _maybe_empty(value: Any, at: str) -> str | None:
    return None if isinstance(value, str) else f"{at} must be a text"


def _flag(value: Any, at: str) -> str | None:
    return None if isinstance(value, bool) else f"{at} must be true or false"


def _number(bits: int, least: int) -> Check:
    def check(value: Any, at: str) -> str | None:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return None if whole and least <= value < 2 ** (bits - 1) else f"{at} must be a whole number of {bits} bits"

    return check


def _one_of(*words: str) -> Check:
    def check(value: Any, at: str) -> str | None:
        return None if isinstance(value, str) and value in words else f"{at} must be {' or '.join(words)}"

    return check


def _rows(inner: Check) -> Check:
    def check(value: Any, at: str) -> str | None:
        if not isinstance(value, list):
            return f"{at} must be a list"
        return next((told for place, one in enumerate(value) if (told := inner(one, f"{at}[{place}]"))), None)

    return check


def _each(inner: Check) -> Check:
    def check(value: Any, at: str) -> str | None:
        if not isinstance(value, dict):
            return f"{at} must be an object"
        return next((told for word, one in value.items() if (told := inner(one, f"{at}.{word}"))), None)

    return check


def _words(value: Any, at: str) -> str | None:
    if not isinstance(value, dict):
        return f"{at} must be an object"
    return next((f"{at}.{key} must be a text" for key, one in value.items() if not isinstance(one, str)), None)


def _record(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with these members; those that are optional may be null."""

    def check(value: Any, at: str) -> str | None:
        if not isinstance(value, dict):
            return f"{at} must be an object"
        there = [(word, inner, value.get(word)) for word, inner in required.items()]
        there += [(word, inner, value[word]) for word, inner in (optional or {}).items() if value.get(word) is not None]
        return next((told for word, inner, one in there if (told := inner(one, f"{at}.{word}"))), None)

    return check


_INT, _LONG, _COUNT = _number(32, 0), _number(64, -(2**63)), _number(64, 1)
_LAST = _number(32, -1)


def _type(value: Any, at: str) -> str | None:
    """A column's type; which words are types is looked at elsewhere."""
    if isinstance(value, str) and _WORD.match(value):
        return None
    if at.count(".") > _MOST_LEVELS:
        return "the schema is nested too deeply"
    kind = value.get("type") if isinstance(value, dict) else None
    inner = _NESTED.get(kind) if isinstance(kind, str) else None
    return inner(value, at) if inner else f"{at} must be a type"


_FIELD = _record({"id": _INT, "name": _text, "required": _flag, "type": _type}, {"doc": _maybe_empty})
_NESTED: Mapping[str, Check] = {
    "struct": _record({"fields": _rows(_FIELD)}),
    "list": _record({"element-id": _INT, "element": _type, "element-required": _flag}),
    "map": _record({"key-id": _INT, "key": _type, "value-id": _INT, "value": _type, "value-required": _flag}),
}
SCHEMA = _record({"fields": _rows(_FIELD)}, {"schema-id": _INT, "identifier-field-ids": _rows(_INT)})


def _transform(value: Any, at: str) -> str | None:
    known = _TRANSFORM.match(value) if isinstance(value, str) else None
    return (
        None
        if known and int(known["number"] or 1) < 2**31
        else f"{at} must be a transform such as identity, day or bucket[16]"
    )


SPEC = _record(
    {"fields": _rows(_record({"source-id": _INT, "name": _text, "transform": _transform}, {"field-id": _INT}))},
    {"spec-id": _LAST},
)
_DIRECTION, _NULLS = _one_of("asc", "desc"), _one_of("nulls-first", "nulls-last")
ORDER = _record(
    {
        "fields": _rows(
            _record({"source-id": _INT, "transform": _transform, "direction": _DIRECTION, "null-order": _NULLS})
        )
    },
    {"order-id": _LAST},
)
_SNAPSHOT = _record(
    {"snapshot-id": _LONG, "timestamp-ms": _LONG, "manifest-list": _text},
    {
        "parent-snapshot-id": _LONG,
        "sequence-number": _LONG,
        "schema-id": _INT,
        "summary": _words,
        "first-row-id": _number(64, 0),
        "added-rows": _number(64, 0),
        "key-id": _text,
    },
)
_BLOB = _record(
    {"type": _text, "snapshot-id": _LONG, "sequence-number": _LONG, "fields": _rows(_INT)}, {"properties": _words}
)
_FILE: Mapping[str, Check] = {"snapshot-id": _LONG, "statistics-path": _text, "file-size-in-bytes": _LONG}
_STATISTICS = _record({**_FILE, "file-footer-size-in-bytes": _LONG, "blob-metadata": _rows(_BLOB)})
_KEY = _record({"key-id": _text, "encrypted-key-metadata": _text}, {"encrypted-by-id": _text, "properties": _words})
_AGES: Mapping[str, Check] = {"max-ref-age-ms": _COUNT, "max-snapshot-age-ms": _COUNT, "min-snapshots-to-keep": _COUNT}

_UPDATES: Mapping[str, Check] = {
    "assign-uuid": _record({"uuid": _uuid}),
    "upgrade-format-version": _record({"format-version": _INT}),
    "add-schema": _record({"schema": SCHEMA}, {"last-column-id": _INT}),
    "set-current-schema": _record({"schema-id": _LAST}),
    "add-spec": _record({"spec": SPEC}),
    "set-default-spec": _record({"spec-id": _LAST}),
    "add-sort-order": _record({"sort-order": ORDER}),
    "set-default-sort-order": _record({"sort-order-id": _LAST}),
    "add-snapshot": _record({"snapshot": _SNAPSHOT}),
    "set-snapshot-ref": _record({"ref-name": _text, "type": _one_of("branch", "tag"), "snapshot-id": _LONG}, _AGES),
    "remove-snapshot-ref": _record({"ref-name": _text}),
    "remove-snapshots": _record({"snapshot-ids": _rows(_LONG)}),
    "set-location": _record({"location": _text}),
    "set-properties": _record({}, {"updates": _words, "updated": _words}),
    "remove-properties": _record({}, {"removals": _rows(_maybe_empty), "removed": _rows(_maybe_empty)}),
    "set-statistics": _record({"statistics": _STATISTICS}, {"snapshot-id": _LONG}),
    "remove-statistics": _record({"snapshot-id": _LONG}),
    "set-partition-statistics": _record({"partition-statistics": _record(_FILE)}),
    "remove-partition-statistics": _record({"snapshot-id": _LONG}),
    "remove-schemas": _record({"schema-ids": _rows(_INT)}),
    "remove-partition-specs": _record({"spec-ids": _rows(_INT)}),
    "add-encryption-key": _record({"encryption-key": _KEY}),
    "remove-encryption-key": _record({"key-id": _text}),
}
_REQUIREMENTS: Mapping[str, Check] = {
    "assert-create": _record({}),
    "assert-table-uuid": _record({"uuid": _text}),
    "assert-ref-snapshot-id": _record({}, {"ref": _text, "snapshot-id": _LONG}),
    "assert-last-assigned-field-id": _record({"last-assigned-field-id": _INT}),
    "assert-current-schema-id": _record({"current-schema-id": _INT}),
    "assert-last-assigned-partition-id": _record({"last-assigned-partition-id": _INT}),
    "assert-default-spec-id": _record({"default-spec-id": _INT}),
    "assert-default-sort-order-id": _record({"default-sort-order-id": _INT}),
}
_TYPED, _SQL = _record({"type": _text}, {"sql": _text, "dialect": _text}), _record({"sql": _text, "dialect": _text})


def _representation(value: Any, at: str) -> str | None:
    """A text of a view in one dialect; of other kinds than SQL nothing is asked."""
    return _TYPED(value, at) or (_SQL(value, at) if value["type"] == "sql" else None)


VERSION = _record(
    {
        "representations": _rows(_representation),
        "default-namespace": _rows(_maybe_empty),
    },
    {
        "version-id": _LONG,
        "schema-id": _LAST,
        "timestamp-ms": _LONG,
        "summary": _words,
        "default-catalog": _maybe_empty,
    },
)
"""A version of a view."""

_VIEW_UPDATES: Mapping[str, Check] = {
    "assign-uuid": _record({"uuid": _text}),
    "upgrade-format-version": _record({"format-version": _INT}),
    "add-schema": _record({"schema": SCHEMA}),
    "set-location": _record({"location": _text}),
    "set-properties": _record({"updates": _words}),
    "remove-properties": _record({"removals": _rows(_maybe_empty)}),
    "add-view-version": _record({"view-version": _record({})}),
    "set-current-view-version": _record({"view-version-id": _LONG}),
}

_WIDE = _number(72, -(2**71))
"""Some writers give ids that 64 bits with a sign do not hold, and readers take them."""
_TIMED: Mapping[str, Check] = {"snapshot-id": _WIDE, "timestamp-ms": _WIDE}
_PATHS = _rows(_record({"snapshot-id": _WIDE, "statistics-path": _text}))
_PARTED = _record({"name": _text, "transform": _text}, {"source-id": _INT, "field-id": _INT})
_DOCUMENT = _record(
    {
        "format-version": _INT,
        "table-uuid": _text,
        "location": _text,
        "last-updated-ms": _WIDE,
        "last-column-id": _INT,
        "schemas": _rows(_record({"schema-id": _INT, "fields": _rows(_FIELD)})),
        "current-schema-id": _INT,
        "partition-specs": _rows(_record({"spec-id": _INT, "fields": _rows(_PARTED)})),
        "default-spec-id": _INT,
        "sort-orders": _rows(_record({"order-id": _INT})),
    },
    {
        "current-snapshot-id": _WIDE,
        "last-sequence-number": _WIDE,
        "snapshots": _rows(_record(_TIMED)),
        "snapshot-log": _rows(_record(_TIMED)),
        "metadata-log": _rows(_record({"metadata-file": _text, "timestamp-ms": _WIDE})),
        "refs": _each(_record({"snapshot-id": _WIDE, "type": _text})),
        "properties": _words,
        "statistics": _PATHS,
        "partition-statistics": _PATHS,
    },
)


def document(value: Mapping[str, Any]) -> str | None:
    """What is wrong with a table's metadata, whoever wrote it: no more is asked of it than that it can be read."""
    told = _DOCUMENT(value, "it")
    if told is not None:
        return told
    snapshots = value.get("snapshots") or ()
    listless = next((row["snapshot-id"] for row in snapshots if not isinstance(row.get("manifest-list"), str)), None)
    if listless is not None and value["format-version"] > 1:
        return f"its snapshot {listless} names no manifest list"
    for member, key, word in _CURRENT:
        if value[word] not in {row[key] for row in value[member]}:
            return f"it.{word} is that of none of its {member}"
    known = {row["snapshot-id"] for row in snapshots}
    named = {word: ref["snapshot-id"] for word, ref in (value.get("refs") or {}).items()}
    current = value.get("current-snapshot-id")
    if named.get("main", current) != current:
        return "its branch main is not what it says is current"
    named |= {"main": current} if current not in (None, -1) else {}
    lost = next((word for word, number in named.items() if number not in known), None)
    return None if lost is None else f"it.refs.{lost} is that of none of its snapshots"


_CURRENT = (("schemas", "schema-id", "current-schema-id"), ("partition-specs", "spec-id", "default-spec-id"))


def update(value: Mapping[str, Any], at: str) -> str | None:
    """What is wrong with an update of a table. Of a kind that is not known nothing is said here."""
    return _known(_UPDATES, value, "action", at)


def view_update(value: Mapping[str, Any], at: str) -> str | None:
    """What is wrong with an update of a view. Of a kind that is not known nothing is said here."""
    return _known(_VIEW_UPDATES, value, "action", at)


def requirement(value: Mapping[str, Any], at: str) -> str | None:
    """What is wrong with a requirement of a commit. Of a kind that is not known nothing is said here."""
    return _known(_REQUIREMENTS, value, "type", at)


def _known(kinds: Mapping[str, Check], value: Mapping[str, Any], word: str, at: str) -> str | None:
    kind = value.get(word)
    if not isinstance(kind, str):
        return f"{at}.{word} must be a text"
    return kinds[kind](value, at) if kind in kinds else None
