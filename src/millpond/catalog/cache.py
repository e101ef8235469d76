"""Metadata that was read or written lately. A metadata file never changes, so what is kept is always right."""

from __future__ import annotations

import threading
from collections import OrderedDict

from millpond.catalog import files
from millpond.catalog.metadata import TableMetadata


class MetadataCache:
    """The metadata used last, by the path of its file."""

    def __init__(self, most: int = 128) -> None:
        self._most = most
        self._kept: OrderedDict[str, TableMetadata] = OrderedDict()
        self._lock = threading.Lock()

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
