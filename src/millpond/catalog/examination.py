"""Looking whether everything that tables name is there and whole: from the pointer to the last data file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from millpond.catalog import avro, checksums, files, manifests, view_staging
from millpond.catalog.checksums import Checksum
from millpond.catalog.commits import VIEW, TableEntry
from millpond.catalog.digests import unlike
from millpond.catalog.files import local
from millpond.catalog.manifests import Manifest
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.relations import commit_tables, pointers
from millpond.catalog.sqlite import damages
from millpond.core.errors import CatalogError, Finding
from millpond.core.names import TableName

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

_MAGIC = b"PAR1"

Read = Callable[[TableMetadata], Iterable[Mapping[str, Any]]]
"""Which of the snapshots that a version names are to be whole."""


@dataclass
class Examination:
    """What has been looked at, each file once. `unsummed` are data files whose content nothing vouches for."""

    sums: Mapping[str, Checksum]
    findings: list[Finding] = field(default_factory=list)
    unsummed: dict[str, str] = field(default_factory=dict)
    files: int = 0
    summed: int = 0
    reasons: list[str] = field(default_factory=list)
    """What is wrong with the versions that were looked at, for each of them anew: `findings` tell each damage once."""
    _seen: dict[str, bool] = field(default_factory=dict)
    _blame: dict[str, list[str]] = field(default_factory=dict)

    def table(self, owner: str, path: str, read: Read) -> bool:
        """Whether a version of a table is whole, by its metadata file: those of its snapshots that `read` chooses."""
        whole = self._file(owner, "metadata file", path, None)
        if not whole and not Path(local(path)).exists():
            return False
        try:
            metadata = files.read(path)
        except CatalogError as damage:
            self._note(whole, damage.finding, owner)
            return False
        return all([whole, *(self.snapshot(owner, row) for row in read(metadata))])

    def view(self, owner: str, path: str) -> bool:
        """Whether a view's metadata is there and can be read."""
        whole = self._file(owner, "metadata file", path, None)
        return whole and self._read(owner, whole, local(path), lambda: view_staging.read(path)) is not None

    def snapshot(self, owner: str, row: Mapping[str, Any]) -> bool:
        """Whether a snapshot is whole, from its manifest list to its last data file."""
        path = local(str(row.get("manifest-list", "")))
        whole = self._file(owner, "manifest list", path, None)
        listed = self._read(owner, whole, path, lambda: _listed(path)) if Path(path).exists() else None
        if listed is None:
            return False
        return all([whole, *(self._manifest(owner, manifest) for manifest in listed)])

    def _manifest(self, owner: str, manifest: Manifest) -> bool:
        path = local(manifest.path)
        return self._once(f"{path}#entries", lambda: self._entries(owner, path, manifest))

    def _entries(self, owner: str, path: str, manifest: Manifest) -> bool:
        whole = self._file(owner, "manifest", path, manifest.length)
        entries = None
        if Path(path).exists():
            entries = self._read(owner, whole, path, lambda: manifests.files(manifest) if avro.read(path) else ())
        if entries is None:
            whole = False
        for entry in entries or ():
            whole = self._data(owner, local(entry.path), entry.size, entry.format) and whole
        return whole

    def _data(self, owner: str, path: str, size: int, kind: str) -> bool:
        return self._once(f"{path}#frame", lambda: self._frame(owner, path, size, kind))

    def _frame(self, owner: str, path: str, size: int, kind: str) -> bool:
        whole = self._file(owner, "data file", path, size)
        if whole and kind == "parquet" and not _framed(path):
            self._say("MP-3193", owner, f"the data file {path} is no whole Parquet file")
            whole = False
        if whole and path not in self.sums:
            self.unsummed[path] = owner
        return whole

    def _file(self, owner: str, what: str, path: str, size: int | None) -> bool:
        """Whether a file is there with its size and checksum."""
        path = local(path)
        self.files += path not in self._seen
        return self._once(path, lambda: self._sound(owner, what, path, size))

    def _once(self, key: str, look: Callable[[], bool]) -> bool:
        """Look at a thing where nobody did yet; what is wrong with it is a reason for all that need it."""
        if key in self._seen:
            self.reasons += self._blame[key]
        else:
            first = len(self.reasons)
            self._seen[key] = look()
            self._blame[key] = self.reasons[first:]
        return self._seen[key]

    def _sound(self, owner: str, what: str, path: str, size: int | None) -> bool:
        try:
            length = Path(path).stat().st_size
            kept = self.sums.get(path)
            due = kept.size if kept is not None else size
            if due is not None and length != due:
                self._say("MP-3191", owner, f"the {what} {path} has {length:,} bytes instead of {due:,}")
                return False
            if kept is not None:
                self.summed += 1
                if checksums.of_file(path).digest != kept.digest:
                    self._say("MP-3192", owner, f"the {what} {path} is not what was written: its checksum differs")
                    return False
        except FileNotFoundError:
            self._say("MP-3190", owner, f"the {what} {path} is missing")
            return False
        except OSError as failed:
            self._say("MP-3194", owner, f"the {what} {path} cannot be read: {failed.strerror}")
            return False
        return True

    def _read(self, owner: str, whole: bool, path: str, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except CatalogError as damage:
            self._seen[path] = False
            if whole:
                self._blame[path] = [damage.finding.message]
            self._note(whole, damage.finding, owner)
            return None

    def _note(self, whole: bool, finding: Finding, owner: str) -> None:
        if whole:  # else its damage is told already
            told = f"{owner}: {finding.message}"
            self.findings.append(Finding(finding.code, told, finding.next_step))
            self.reasons.append(finding.message)

    def _say(self, code: str, owner: str, told: str) -> None:
        step = (
            "restore the file from a backup, or say `millpond doctor --repair` to go back to the newest whole version"
        )
        self.findings.append(Finding(code, f"{owner}: {told}", step))
        self.reasons.append(told)


def present(metadata: TableMetadata) -> tuple[Mapping[str, Any], ...]:
    """The snapshot that readers of a version see."""
    return () if metadata.current_snapshot is None else (metadata.current_snapshot,)


def every(metadata: TableMetadata) -> tuple[Mapping[str, Any], ...]:
    """All snapshots that a version names."""
    return metadata.snapshots


def _listed(path: str) -> tuple[Manifest, ...]:
    avro.read(path)  # not from memory: the file itself
    return manifests.manifests(path)


def _framed(path: str) -> bool:
    """Whether a Parquet file begins and ends as the format demands, and its footer fits into it."""
    if Path(path).stat().st_size <= 12:
        return False
    with Path(path).open("rb") as file:
        head = file.read(4)
        file.seek(-8, 2)
        length, tail = file.read(4), file.read(4)
        return head == tail == _MAGIC and 0 < int.from_bytes(length, "little") <= file.tell() - 12


def examine(catalog: Catalog) -> Examination:
    """Look at every pointer of every environment, with all that it names."""
    with catalog.store.read() as connection:
        rows = connection.execute(select(pointers).order_by(pointers.c.environment, pointers.c.layer, pointers.c.name))
        found = [(f"{row.layer}.{row.name} ({row.environment})", row.metadata_location, row.kind) for row in rows]
        examination = Examination(checksums.known(connection))
    for owner, path, kind in found:
        if kind == VIEW:
            examination.view(owner, path)
        else:
            examination.table(owner, path, every)
    return examination


def store_findings(catalog: Catalog) -> tuple[Finding, ...]:
    """What is wrong with the pointer store itself: its pages, its references, pointers that history contradicts."""
    step = "restore the catalog from a backup; the tables' own files are untouched"
    told: list[str] = []
    with catalog.store.read() as connection:
        if connection.dialect.name == "sqlite":
            told += damages(connection, pointers.metadata)
        key = ("environment", "layer", "name")
        same = (*key, "uuid", "location", "metadata_location", "commit", "created", "kind")
        history: dict[tuple[str, ...], tuple[Any, ...]] = {}
        for row in connection.execute(select(commit_tables).order_by(commit_tables.c.commit)).mappings():
            place = tuple(row[word] for word in key)
            history.pop(place, None)
            if not row["dropped"]:
                history[place] = tuple(row[word] for word in same)
        now = {
            tuple(row[word] for word in key): tuple(row[word] for word in same)
            for row in connection.execute(select(pointers)).mappings()
        }
        told += [
            f"the rows of commit {number} in the catalog are not what was written" for number in unlike(connection)
        ]
    for place in sorted(history.keys() | now.keys()):
        if history.get(place) != now.get(place):
            told.append(f"the pointer of {place[1]}.{place[2]} ({place[0]}) is not where the last commit put it")
    return tuple(Finding("MP-3195", text, step) for text in told)


def versions(catalog: Catalog, entry: TableEntry) -> Iterator[TableEntry]:
    """What a name pointed at before, newest first, as far back as it was the same table."""
    query = (
        select(commit_tables)
        .where(
            commit_tables.c.environment == catalog.environment,
            commit_tables.c.layer == entry.name.layer,
            commit_tables.c.name == entry.name.name,
            commit_tables.c.uuid == entry.uuid,
            commit_tables.c.commit < entry.commit,
            ~commit_tables.c.dropped,
        )
        .order_by(commit_tables.c.commit.desc())
    )
    with catalog.store.read() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        name = TableName(row.layer, row.name)
        yield TableEntry(name, row.uuid, row.location, row.metadata_location, row.commit, row.created)
