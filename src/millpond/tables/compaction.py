"""Which files of a table are better rewritten: small ones, unsorted ones, those from which rows were deleted."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from millpond.catalog import manifests
from millpond.catalog.files import local
from millpond.catalog.layout import DEFAULT_TARGET, OWN_TARGET_SIZE, TARGET_SIZE
from millpond.catalog.manifests import DATA, EQUALITY_DELETES, DataFile
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.rewriting import cluster_of
from millpond.core.records import frozen
from millpond.tables.deletes import Deletes
from millpond.tables.slices import FileSlice, Layout

_SMALL = 0.75
_FEW = 4
"""Fewer small files than this are left alone: rewriting them costs more than reading them."""

_DELETED_PART = 0.05
_DELETE_FILES = 3
_WORN_PART = 0.1
_WORN_FILES = 64
_MANY_DELETES = 8
"""So many delete files of one data file alone become one, long before there are _WORN_FILES of them."""
_FIRST, _MORE = 32, 8
"""How many of the smallest files make one larger, and how many of each larger size."""
_SHARE = 4
_LEVEL_BYTES = 256 * 1024
_LEVEL_FACTOR = 8
_MOST_DIGITS = 18
_ROW_GROUP = 122_880
"""The rows of a row group of DuckDB: what a thread writes at a time. Fewer unsorted ones are not worth sorting."""


@frozen
class Group:
    """Files that become one file, or a few sorted ones: all of one partition and between the same two cursors.

    `sequence_number` is the highest of theirs. `place` counts the cursors that lie before them.
    """

    place: int
    files: tuple[DataFile, ...]
    slices: tuple[FileSlice, ...]
    sequence_number: int

    @property
    def size(self) -> int:
        """Bytes to be read."""
        return sum(entry.size for entry in self.files)

    @property
    def paths(self) -> frozenset[str]:
        """The data files."""
        return frozenset(entry.path for entry in self.files)

    @property
    def scattered(self) -> bool:
        """Whether rows that belong together by when they came lie in several files.

        Two threads would each take every other file, and both would write row groups that span what either read: a
        look-up would have to read both.
        """
        return len(self.files) > 1 and any(entry.records < _ROW_GROUP for entry in self.files)


@frozen
class Live:
    """What a version of a table is made of. `hindrance` says why its files cannot be rewritten here, if so."""

    data: tuple[DataFile, ...]
    deletes: tuple[DataFile, ...]
    clusters: dict[str, str]
    hindrance: str = ""

    @classmethod
    def of(cls, metadata: TableMetadata) -> Live:
        """The live files of the present snapshot. Raises CatalogError MP-3036 when a manifest cannot be read."""
        data: list[DataFile] = []
        deletes: list[DataFile] = []
        clusters: dict[str, str] = {}
        for manifest in manifests.of_snapshot(metadata.current_snapshot):
            sorted_by = cluster_of(manifest) if manifest.content == "data" else ""
            for entry in manifests.files(manifest):
                (data if entry.content == DATA else deletes).append(entry)
                if sorted_by:
                    clusters[entry.path] = sorted_by
        hindrance = _hindrance(metadata, data, deletes)
        return cls(tuple(data), tuple(deletes), clusters, hindrance)


def _hindrance(metadata: TableMetadata, data: Sequence[DataFile], deletes: Sequence[DataFile]) -> str:
    if metadata.format_version != 2:
        return f"it has format version {metadata.format_version}"
    if "schema.name-mapping.default" in metadata.properties:
        return "it holds files without column ids"
    if ahead := sorted(metadata.ahead):
        return f"its branch {ahead[0]} is ahead, and could not become main any more"
    if any(entry.content == EQUALITY_DELETES for entry in deletes):
        return "it has equality deletes"
    if any(entry.format != "parquet" for entry in (*data, *deletes)):
        return "it holds files that are no Parquet"
    if renamed := sorted(Layout.of(metadata).renamed):
        return f"a field inside its column {renamed[0]} was renamed, by which older files cannot be read"
    return ""


def target_size(metadata: TableMetadata) -> int:
    """How large the table's files should be, in bytes."""
    for word in (TARGET_SIZE, OWN_TARGET_SIZE):
        text = metadata.properties.get(word, "")
        if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) > 0:
            return int(text)
    return DEFAULT_TARGET


@frozen
class Box:
    """Files of one partition between the same two cursors, as a choice among them sees them.

    `unsorted` are those that do not lie as the author wants them; `counts` tells how many rows each delete file names;
    `target` is in bytes.
    """

    files: Sequence[DataFile]
    unsorted: Sequence[DataFile]
    deletes: Deletes
    counts: Mapping[str, int]
    target: int
    sorting: bool

    def worn(self, files: int, part: float) -> set[str]:
        """Files from which so large a part of the rows was deleted, or by so many files, that reading suffers."""
        found = set()
        for entry in self.files:
            deletes = self.deletes.of(entry)
            deleted = sum(self.counts[path] for path in deletes)
            if deletes and (len(deletes) >= files or deleted >= entry.records * part):
                found.add(entry.path)
        return found

    def small(self) -> list[DataFile]:
        """Files well below the target size."""
        return [entry for entry in self.files if entry.size < self.target * _SMALL]


Choice = Callable[[Box], Iterator[list[DataFile]]]
"""Which files of a box are to be rewritten, in packs of about the target size."""


def groups(
    metadata: TableMetadata, live: Live, cursors: Iterable[int], cluster: Sequence[str], choose: Choice | None = None
) -> tuple[Group, ...]:
    """The groups of files that are better rewritten, oldest first; `choose` is `everything` where none is given.

    `cursors` are the sequence numbers up to which consumers have read: files from both sides of one are never put
    together, so that what is new to a consumer stays apart from what it knows.
    """
    if live.hindrance:
        return ()
    bounds = sorted(set(cursors))
    index = Deletes(live.deletes)
    wanted = ",".join(cluster)
    boxes: dict[tuple[int, int, str], list[DataFile]] = {}
    for entry in live.data:
        place = bisect_left(bounds, entry.sequence_number)
        boxes.setdefault((place, entry.spec_id, repr(entry.partition)), []).append(entry)
    found: list[Group] = []
    counts = {entry.path: entry.records for entry in live.deletes}
    for (place, _, _), files in sorted(boxes.items(), key=lambda item: item[0]):
        unsorted = [entry for entry in files if wanted and live.clusters.get(entry.path) != wanted]
        box = Box(files, unsorted, index, counts, target_size(metadata), bool(wanted))
        for chosen in (choose or everything)(box):
            slices = tuple(FileSlice(entry.path, index.of(entry)) for entry in chosen)
            found.append(Group(place, tuple(chosen), slices, max(entry.sequence_number for entry in chosen)))
    return tuple(found)


def everything(box: Box) -> Iterator[list[DataFile]]:
    """All that is small, worn or unsorted: what is best for readers, for a time when nobody waits."""
    worn = box.worn(_DELETE_FILES, _DELETED_PART)
    small = {entry.path for entry in box.small()}
    if len(small) < _FEW and not worn:
        small = set()
    loose = {entry.path for entry in box.unsorted}
    if sum(entry.records for entry in box.unsorted) < _ROW_GROUP and len(loose) < _FEW:
        loose = set()
    chosen = [entry for entry in box.files if entry.path in worn | small | loose]
    most = box.target * (16 if box.sorting else 1)
    for pack in _packs(chosen, most):
        if len(pack) > 1 or pack[0].path in worn | loose:
            yield pack


def by_level(box: Box) -> Iterator[list[DataFile]]:
    """For the time while a table is written: small files of about one size, once there are enough of them.

    So a row is rewritten a few times however often the table is written: the levels of a log-structured merge tree
    (O'Neil et al., 1996).
    """
    counts = Counter(map(_level, box.small()))
    full = max((level for level, many in counts.items() if many >= (_MORE if level else _FIRST)), default=-1)
    yield from _worn_and(box, [entry for entry in box.small() if _level(entry) <= full])


def by_share(box: Box) -> Iterator[list[DataFile]]:
    """For the time after a table was written: small files with all that are not much larger than they are together.

    A large file is rewritten only when what came since is a good part of it, so each row a few times; the files that
    are left are each several times as large as the next.
    """
    small = sorted(box.small(), key=lambda entry: entry.size)
    before = accumulate((entry.size for entry in small), initial=0)
    among = [
        place for place, (entry, sum_) in enumerate(zip(small, before, strict=False)) if entry.size <= sum_ * _SHARE
    ]
    yield from _worn_and(box, small[: among[-1] + 1] if among else [])


def _worn_and(box: Box, small: Sequence[DataFile]) -> Iterator[list[DataFile]]:
    worn = box.worn(_WORN_FILES, _WORN_PART)
    paths = {entry.path for entry in small} | worn
    for pack in _packs([entry for entry in box.files if entry.path in paths], box.target):
        if len(pack) > 1 or pack[0].path in worn:
            yield pack


def _level(entry: DataFile) -> int:
    return max(0, math.ceil(math.log(max(entry.size, 1) / _LEVEL_BYTES, _LEVEL_FACTOR)))


def _packs(chosen: Sequence[DataFile], most: int) -> Iterator[list[DataFile]]:
    pack: list[DataFile] = []
    size = 0
    for entry in sorted(chosen, key=lambda entry: (entry.sequence_number, entry.path)):
        if pack and size + entry.size > most:
            yield pack
            pack, size = [], 0
        pack.append(entry)
        size += entry.size
    if pack:
        yield pack


def droppable(live: Live, removed: frozenset[str]) -> frozenset[str]:
    """The delete files that name no row any more once these data files are gone.

    One that may name rows of several files goes when none of those that stay lies within its bounds.
    """
    gone = {local(path) for path in removed}
    staying = [entry for entry in live.data if entry.path not in removed]
    dropped = set()
    for delete in live.deletes:
        only = manifests.target(delete)
        if only is not None:
            useless = only in gone
        else:
            alone = Deletes((delete,))
            useless = not any(alone.of(entry) for entry in staying)
        if useless:
            dropped.add(delete.path)
    return frozenset(dropped)


def lost(live: Live, read: Iterable[Group]) -> list[tuple[FileSlice, ...] | None]:
    """The rows that each group's files lost since they were read; None where a file went, or came by rows again."""
    here = {entry.path: entry for entry in live.data}
    index = Deletes(live.deletes)
    return [_lost(here, index, group) for group in read]


def _lost(here: Mapping[str, DataFile], index: Deletes, group: Group) -> tuple[FileSlice, ...] | None:
    found = []
    for part in group.slices:
        now = index.of(here[part.path]) if part.path in here else ()
        if part.path not in here or not set(part.deletes) <= set(now):
            return None
        if new := tuple(path for path in now if path not in part.deletes):
            found.append(FileSlice(part.path, part.deletes, new))
    return tuple(found)


def many_deletes(live: Live, without: Iterable[Group], many: int = _MANY_DELETES) -> tuple[FileSlice, ...]:
    """Data files of which so many delete files name rows, each with those that name rows of it alone.

    Files of groups are left out. Each reader opens every delete file: one that names the same rows serves it better.
    """
    rewritten = {path for group in without for path in group.paths}
    index = Deletes(entry for entry in live.deletes if manifests.target(entry) is not None)
    found = (FileSlice(entry.path, index.of(entry)) for entry in live.data if entry.path not in rewritten)
    return tuple(part for part in found if len(part.deletes) >= many)
