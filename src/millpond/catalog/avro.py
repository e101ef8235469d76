"""Avro files as Iceberg uses them: read whole, values as they are stored, and written so that they are on the disk."""

from __future__ import annotations

import io
import json
import re
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import fastavro
import fastavro.schema

from millpond.catalog.files import local, write_bytes
from millpond.core.errors import CatalogError
from millpond.core.records import frozen

T = TypeVar("T")
Record = dict[str, Any]


_DAMAGE = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    fastavro.schema.SchemaParseException,
    zlib.error,
)
"""What reading a damaged file has been seen to raise."""


def unreadable(path: str, reason: str) -> CatalogError:
    """The error for a manifest or manifest list that cannot be read."""
    return CatalogError(
        "MP-3036",
        f"the manifest {path} cannot be read: {reason}",
        next_step="restore the file from a backup, or point the table at an earlier commit",
    )


@frozen
class Contents:
    """An Avro file: its schema as text, the other words of its header, and its records."""

    schema: str
    header: Mapping[str, str]
    records: list[Record]


def read(path: str) -> list[Record]:
    """Every record of an Avro file. Raises CatalogError MP-3036 when it is missing or damaged."""
    return contents(path).records


def contents(path: str) -> Contents:
    """A whole Avro file. Raises CatalogError MP-3036 when it is missing or damaged."""
    try:
        content = Path(local(path)).read_bytes()
    except OSError as missing:
        raise unreadable(path, missing.strerror or str(missing)) from missing
    try:
        stream = io.BytesIO(content)
        reader = fastavro.reader(stream)
        schema = reader.metadata["avro.schema"]
        wrong = _wrong_schema(schema)
        if _CONVERTED.search(schema):
            plain = _without_meanings(schema)
            reader = fastavro.reader(io.BytesIO(_headed(plain, reader.metadata) + content[stream.tell() - _SYNC :]))
        records: list[Any] = [] if wrong else list(reader)
        header = {key: str(value) for key, value in reader.metadata.items() if not key.startswith("avro.")}
    except _DAMAGE as damage:
        raise unreadable(path, f"{type(damage).__name__} {damage}") from damage
    if wrong:
        raise unreadable(path, wrong)
    return Contents(schema, header, records)


@lru_cache(maxsize=256)
def _wrong_schema(text: str) -> str:
    """What the Iceberg specification demands of a schema and this one lacks; empty when it is sound.

    The reader in use here is content without, but others stop the whole process: every field has a number, every name
    is one that Avro allows, and an array has a number for its elements or is a map.
    """
    waiting: list[Any] = [json.loads(text)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting.extend(part)
        elif isinstance(part, dict):
            if not _NAME.match(part.get("name", "_")):
                return f"its schema has the name {part['name']!r}"
            if part.get("type") == "record" and not isinstance(part.get("fields"), list):
                return "its schema has a record without fields"
            if part.get("type") == "array" and not ("element-id" in part or part.get("logicalType") == "map"):
                return "its schema has an array without an element id"
            for inner in part.get("fields", ()):
                if not isinstance(inner.get("field-id"), int):
                    return f"its schema has the field {inner.get('name')!r} without a field id"
                waiting.append(inner)
            waiting.extend((part.get("type"), part.get("items")))
    return ""


_CONVERTED = re.compile(r'"logicalType"\s*:\s*"(?!map")')
"""What would have values read as Python's dates, decimals and so on: those hold less than Iceberg's."""

_SYNC = 16
"""Bytes of the mark that ends the header of an Avro file, and each of its blocks."""


@lru_cache(maxsize=256)
def _without_meanings(schema: str) -> str:
    """A schema whose values are read as they are stored: a date as days, a decimal as bytes."""

    def plain(part: Any) -> Any:
        if isinstance(part, list):
            return [plain(one) for one in part]
        if isinstance(part, dict):
            kept = (
                part.items()
                if part.get("logicalType") == "map"
                else ((k, v) for k, v in part.items() if k not in _MEANING)
            )
            return {key: plain(value) for key, value in kept}
        return part

    return json.dumps(plain(json.loads(schema)))


_MEANING = frozenset({"logicalType", "precision", "scale"})


def _headed(schema: str, metadata: Mapping[str, Any]) -> bytes:
    """The beginning of an Avro file up to the mark, with another schema. Avro 1.12, "Object Container Files"."""
    words = {"avro.schema": schema.encode(), "avro.codec": str(metadata.get("avro.codec", "null")).encode()}
    pairs = b"".join(_text(key.encode()) + _text(value) for key, value in words.items())
    return b"Obj\x01" + _long(len(words)) + pairs + _long(0)


def _text(value: bytes) -> bytes:
    return _long(len(value)) + value


def _long(number: int) -> bytes:
    """A number from 0 up, as Avro writes it: doubled, seven bits a byte, low ones first."""
    left, out = number << 1, bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes((*out, left))


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def write(path: str, schema: Mapping[str, Any], records: Sequence[Record], header: Mapping[str, str]) -> None:
    """Write an Avro file durably. Raises CatalogError MP-3039 when the disk does not take it."""
    out = io.BytesIO()
    parsed = fastavro.schema.parse_schema(json.loads(json.dumps(schema)))
    fastavro.writer(out, parsed, records, codec="deflate", metadata=dict(header))
    write_bytes(path, out.getvalue())


class Kept:
    """What was read from files that never change, by path; the least recently used go first when it grows too large."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._rows: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, path: str, make: Callable[[], Sequence[T]]) -> Sequence[T]:
        """What `make` gives for a path, made once while it is kept. Its length counts against the limit."""
        with self._lock:
            if path in self._rows:
                self._rows.move_to_end(path)
                found: Sequence[T] = self._rows[path][1]
                return found
        made = make()
        with self._lock:
            if path not in self._rows:
                self._rows[path] = (len(made) + 1, made)
                self._size += len(made) + 1
            while self._size > self._most and len(self._rows) > 1:
                _, (weight, _gone) = self._rows.popitem(last=False)
                self._size -= weight
        return made
