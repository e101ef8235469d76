"""Avro files as Iceberg uses them: read whole, with each file kind's schema parsed once; lists written by the spec."""

from __future__ import annotations

import io
import json
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import fastavro
import fastavro.schema

from millpond.catalog.files import local, write_bytes
from millpond.core.errors import CatalogError

T = TypeVar("T")
Record = dict[str, Any]


def unreadable(path: str, reason: str) -> CatalogError:
    """The error for a manifest or manifest list that cannot be read."""
    return CatalogError(
        "MP-3036",
        f"the manifest {path} cannot be read: {reason}",
        next_step="restore the file from a backup, or point the table at an earlier commit",
    )


def read(path: str) -> list[Record]:
    """Every record of an Avro file. Raises CatalogError MP-3036 when it is missing or damaged."""
    try:
        content = Path(local(path)).read_bytes()
    except OSError as missing:
        raise unreadable(path, missing.strerror or str(missing)) from missing
    try:
        records: list[Any] = list(fastavro.reader(io.BytesIO(content)))
    except (ValueError, EOFError, KeyError, IndexError, TypeError, OSError, zlib.error) as damage:
        raise unreadable(path, f"{type(damage).__name__} {damage}") from damage
    return records


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
