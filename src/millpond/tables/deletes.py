"""Which delete files take rows from which data files. Iceberg spec v2, "Scan Planning"."""

from __future__ import annotations

from collections.abc import Iterable

from millpond.catalog.files import local
from millpond.catalog.manifests import DataFile, target, target_bounds


class Deletes:
    """Delete files, found by the data files that they may name. Iceberg spec v2, "Scan Planning"."""

    def __init__(self, found: Iterable[DataFile]) -> None:
        self._exact: dict[str, list[DataFile]] = {}
        self._wide: list[DataFile] = []
        for entry in found:
            path = target(entry)
            if path is None:
                self._wide.append(entry)
            else:
                self._exact.setdefault(path, []).append(entry)

    def of(self, data: DataFile) -> tuple[str, ...]:
        """Paths of the delete files that may name rows of a data file, in order.

        A file that a rewrite wrote keeps the place in history of what it replaces; positions in it can only have been
        deleted since it was added itself.
        """
        candidates = [*self._exact.get(local(data.path), ()), *(entry for entry in self._wide if _spans(entry, data))]
        return tuple(sorted(entry.path for entry in candidates if entry.sequence_number >= data.file_sequence_number))


def _spans(delete: DataFile, data: DataFile) -> bool:
    low, high = target_bounds(delete)
    path = data.path.encode()
    return (low is None or low <= path) and (high is None or path <= high)
