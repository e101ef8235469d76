"""Commits that put the same rows into other files: how the change feed looks past them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from millpond.catalog.files import local
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.upkeep import maintained
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.tables.slices import FileSlice

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

Snapshot = Mapping[str, Any]


@frozen
class Rewrite:
    """Two snapshots with the same rows, one made of the other. Iceberg spec v2, operation `replace`."""

    before: Snapshot
    after: Snapshot


def rewrites(
    catalog: Catalog, name: TableName, span: tuple[int, int], older: TableMetadata, newer: TableMetadata
) -> tuple[Rewrite, ...]:
    """The rewrites between two versions of a table, oldest first: by commits after `span[0]` up to `span[1]`.

    The newer metadata tells them where it still names every snapshot on the way; else the commits of upkeep do. One
    that is not found does no harm: its rows are then seen to go and to come again.
    """
    way = _way(older, newer)
    if way is not None:
        return way
    found = []
    for path in maintained(catalog, name, *span):
        try:
            metadata = catalog.cache.load(path)
        except CatalogError:
            continue
        catalog.soundness.check((path,))
        catalog.soundness.check_manifests(metadata)
        found += [] if metadata.uuid != newer.uuid else _replacing(metadata, metadata.current_snapshot)
    return tuple(found)


def _way(older: TableMetadata, newer: TableMetadata) -> tuple[Rewrite, ...] | None:
    """The rewrites on the way from child to parent, None when the way does not lead to the older version."""
    goal = older.current_snapshot
    rows = {row["snapshot-id"]: row for row in newer.snapshots}
    row = newer.current_snapshot
    found: list[Rewrite] = []
    while row is not None and (goal is None or row["snapshot-id"] != goal["snapshot-id"]):
        found += _replacing(newer, row)
        row = rows.get(row.get("parent-snapshot-id"))
    return None if row is None and goal is not None else tuple(reversed(found))


def _replacing(metadata: TableMetadata, row: Snapshot | None) -> list[Rewrite]:
    if row is None or row.get("summary", {}).get("operation") != "replace":
        return []
    before = metadata.snapshot(row.get("parent-snapshot-id"))
    if before is None or not all(Path(local(one["manifest-list"])).exists() for one in (before, row)):
        return []
    return [Rewrite(before, row)]


class Fold:
    """Changes of one span after the other, put together: what came and went again is left out where that is plain.

    What came less what went is exact in any case; a row that is not folded stands on both sides.
    """

    def __init__(self) -> None:
        self._files: dict[str, FileSlice] = {}
        self._parts: list[FileSlice] = []
        self._gone: list[FileSlice] = []

    @property
    def inserted(self) -> tuple[FileSlice, ...]:
        """The rows that came."""
        return (*self._files.values(), *self._parts)

    @property
    def deleted(self) -> tuple[FileSlice, ...]:
        """The rows that went."""
        return tuple(self._gone)

    def add(self, inserted: Iterable[FileSlice], deleted: Iterable[FileSlice]) -> None:
        """Take in what came and went in the next span."""
        for part in deleted:
            known = self._files.get(part.path)
            if known is None or set(known.deletes) != set(part.deletes):
                self._gone.append(part)
            elif part.only is None:
                del self._files[part.path]
            else:
                self._files[part.path] = FileSlice(part.path, tuple(sorted({*part.deletes, *part.only})))
        for part in inserted:
            if part in self._gone:
                self._gone.remove(part)
            elif part.only is None and part.path not in self._files:
                self._files[part.path] = part
            else:
                self._parts.append(part)

    def rewrite(self, before: Mapping[str, FileSlice], after: Mapping[str, FileSlice]) -> None:
        """Look past a rewrite: where it took files that came since, what it made of them came instead."""
        for path, part in after.items():
            if path in self._files and self._whole(before.get(path)):
                self._files[path] = part
        removed = [part for path, part in before.items() if path not in after]
        if removed and all(self._whole(part) for part in removed):
            for part in removed:
                del self._files[part.path]
            self._files |= {path: part for path, part in after.items() if path not in before}

    def _whole(self, part: FileSlice | None) -> bool:
        known = self._files.get(part.path) if part is not None else None
        return known is not None and part is not None and set(known.deletes) == set(part.deletes)
