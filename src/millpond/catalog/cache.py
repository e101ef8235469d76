"""What is known of files lately read or written: they never change, so what is kept is always right."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable

from millpond.catalog import files
from millpond.catalog.metadata import TableMetadata


class MetadataCache:
    """The metadata used last, by the path of its file; `compared` are the files that are known to be sound."""

    def __init__(self, most: int = 128) -> None:
        self._most = most
        self._kept: OrderedDict[str, TableMetadata] = OrderedDict()
        self._lock = threading.Lock()
        self.compared = Compared()

    def load(self, path: str) -> TableMetadata:
        """The metadata in a file. Raises CatalogError MP-3032 when it is missing, MP-3033 when it is damaged."""
        with self._lock:
            if path in self._kept:
                self._kept.move_to_end(path)
                return self._kept[path]
        metadata = files.read(path)
        self.keep(path, metadata)
        return metadata

    def keep(self, path: str, metadata: TableMetadata) -> None:
        """Remember what a file holds."""
        with self._lock:
            self._kept[path] = metadata
            self._kept.move_to_end(path)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def forget(self, path: str) -> None:
        """Remember a file no longer: it was deleted."""
        with self._lock:
            self._kept.pop(path, None)
        self.compared.forget(path)


class Compared:
    """The files that were compared with their checksums lately: one that never changes is compared once."""

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._paths: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def others(self, paths: Iterable[str]) -> list[str]:
        """Those that have yet to be compared."""
        with self._lock:
            return [path for path in dict.fromkeys(paths) if path not in self._paths]

    def add(self, paths: Iterable[str]) -> None:
        """Note that files are what was written."""
        with self._lock:
            for path in paths:
                self._paths[path] = None
                self._paths.move_to_end(path)
            while len(self._paths) > self._most:
                self._paths.popitem(last=False)

    def forget(self, path: str) -> None:
        """Have a file compared again when it is next read."""
        with self._lock:
            self._paths.pop(path, None)
