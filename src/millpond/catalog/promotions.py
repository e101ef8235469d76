"""Which type may follow a column's type where the files that hold it stay. Iceberg spec, "Schema Evolution"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_WIDER = {"int": ("long",), "float": ("double",)}
_WIDER_IN_NEWEST = {"date": ("timestamp", "timestamp_ns")}
_NEWEST = 3
_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)\Z")


def problem(before: Json, after: Json, version: int) -> str | None:
    """Why a table of a format version cannot go from one schema to another, in the words of Java's library, if so."""
    known = {number: kind for number, _, kind in _types(before, "")}
    for number, name, kind in _types(after, ""):
        if number in known and not _follows(known[number], kind, version):
            return f"Cannot change column type: {name}: {_word(known[number])} -> {_word(kind)}"
    return None


def _types(struct: Json, within: str) -> Iterator[tuple[int, str, Any]]:
    """Every field of a struct, nested ones too: its id, full name and type."""
    for field in struct["fields"]:
        name = f"{within}{field['name']}"
        yield field["id"], name, field["type"]
        yield from _inside(field["type"], name)


def _inside(kind: Any, name: str) -> Iterator[tuple[int, str, Any]]:
    if not isinstance(kind, Mapping):
        return
    if kind["type"] == "struct":
        yield from _types(kind, f"{name}.")
    for part in ("element", "key", "value"):
        if part in kind:
            yield kind[f"{part}-id"], f"{name}.{part}", kind[part]
            yield from _inside(kind[part], f"{name}.{part}")


def _follows(before: Any, after: Any, version: int) -> bool:
    old, new = _word(before), _word(after)
    if old == new or new in _WIDER.get(old, ()):
        return True
    if version >= _NEWEST and (old == "unknown" or new in _WIDER_IN_NEWEST.get(old, ())):
        return True
    few, many = _DECIMAL.match(old), _DECIMAL.match(new)
    return bool(few and many and few[2] == many[2] and int(few[1]) <= int(many[1]))


def _word(kind: Any) -> str:
    """A type, or of a nested one what it is: its parts have ids of their own."""
    return str(kind["type"] if isinstance(kind, Mapping) else kind)
