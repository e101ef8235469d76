"""Whether files are still what was written, asked before they are read: a changed bit is told, not believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from millpond.catalog import checksums, manifests
from millpond.catalog.cache import Compared
from millpond.catalog.files import local
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.store import Store

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.commits import TableEntry


class Soundness:
    """Compares files with the checksums that a store has of them. Files without a checksum pass."""

    def __init__(self, store: Store, compared: Compared) -> None:
        self._store = store
        self._compared = compared

    def check(self, paths: Iterable[str]) -> None:
        """Pass when files are what was written; each is compared once in a while. Raises CatalogError MP-3192."""
        others = self._compared.others(local(path) for path in paths)
        if others:
            self.check_now(others)
            self._compared.add(others)

    def check_now(self, paths: Iterable[str]) -> None:
        """The same, whether they were compared before or not."""
        wanted = tuple(local(path) for path in paths)
        self._store.ask(lambda connection: checksums.check(connection, wanted))

    def check_manifests(self, metadata: TableMetadata) -> None:
        """Pass when list, manifests and delete files of the present snapshot are what was written.

        Raises CatalogError MP-3192 for one that is not, MP-3036 for a list or manifest that cannot be read.
        """
        snapshot = metadata.current_snapshot
        if snapshot is not None and "manifest-list" in snapshot:
            self.check((snapshot["manifest-list"],))
            listed = manifests.of_snapshot(snapshot)
            self.check(manifest.path for manifest in listed)
            deletes = (manifest for manifest in listed if manifest.content == "deletes")
            self.check(entry.path for manifest in deletes for entry in manifests.files(manifest))


def whole(catalog: Catalog, entry: TableEntry) -> TableMetadata:
    """The metadata that a pointer names, where what its snapshot is made of is what was written, but for the data.

    Raises as `Catalog.metadata` and `Soundness.check_manifests` do.
    """
    found = catalog.metadata(entry)
    catalog.soundness.check_manifests(found)
    return found
