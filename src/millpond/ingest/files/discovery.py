"""Finding a source's files and telling which are new, changed, known, unreadable, or still being written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from millpond.catalog.commits import SeenFile
from millpond.core.clock import Clock
from millpond.core.errors import Finding, IngestError
from millpond.core.records import frozen
from millpond.ingest.files.examine import Examined, examine
from millpond.ingest.files.identity import parser_hash
from millpond.ingest.files.looks import Look, unreadable
from millpond.ingest.files.objects import fetch
from millpond.ingest.files.writing import being_written
from millpond.project.model import Source


@frozen
class FoundFile:
    """A file as it was found. `path` is its name in `_origin`: relative to the project where it lies inside.

    `copy` is where a copy lies that the engine can read, where it cannot read the file itself.
    """

    path: str
    absolute: Path
    size: int
    modified_ns: int
    examined: Examined
    previous: SeenFile | None = None
    copy: Path | None = None

    @property
    def bytes_at(self) -> Path:
        """Where the engine reads it."""
        return self.copy or self.absolute

    @property
    def known(self) -> bool:
        """Whether these bytes were dealt with under this name before."""
        return self.previous is not None and self.previous.content == self.examined.content

    def seen(self, source: Source, outcome: str, records: int = 0, quarantined: int = 0) -> SeenFile:
        """The note that is kept of it."""
        return SeenFile(
            source.name,
            self.path,
            self.size,
            self.modified_ns,
            self.examined.content,
            parser_hash(source),
            outcome,
            records,
            quarantined,
        )

    def unchanged_on_disk(self) -> bool:
        """Whether size and time are still those of the look that hashed it."""
        try:
            now = self.absolute.stat()
        except OSError:
            return False
        return (now.st_size, now.st_mtime_ns) == (self.size, self.modified_ns)


@frozen
class Unsettled:
    """A file that is left for later; unless it changes, it will be taken as it is at `ready_ns` (ns since 1970)."""

    path: str
    reason: str
    ready_ns: int


@frozen
class Discovery:
    """What one look at a source's paths found, each group in the order of the paths.

    `new` and `changed` are to be loaded; `rejected` are no such files and go to quarantine; `duplicates` hold what is
    loaded already under another path; `touched` are known files whose time changed but not their bytes; `replaced`
    are known files whose rows must go before the new ones come; `refused` changed though the source forbids it.
    `failed` is what kept the paths from being looked at.
    """

    new: tuple[FoundFile, ...] = ()
    changed: tuple[FoundFile, ...] = ()
    rejected: tuple[FoundFile, ...] = ()
    duplicates: tuple[FoundFile, ...] = ()
    touched: tuple[FoundFile, ...] = ()
    replaced: tuple[SeenFile, ...] = ()
    refused: tuple[FoundFile, ...] = ()
    unsettled: tuple[Unsettled, ...] = ()
    findings: tuple[Finding, ...] = ()
    failed: IngestError | None = None

    @property
    def read_again(self) -> frozenset[str]:
        """The files whose rows are replaced though their bytes are the same: they are read by other settings."""
        before = {note.path: note.content for note in self.replaced}
        return frozenset(
            file.path for file in (*self.new, *self.changed) if before.get(file.path) == file.examined.content
        )

    @property
    def work(self) -> bool:
        """Whether there is anything to do or to note."""
        files = self.new or self.changed or self.rejected or self.duplicates or self.replaced or self.refused
        return bool(files or self.failed)


Looks = Callable[[list[Finding]], Iterable[Look]]
"""Every file that there is, unread; what is to be said of the others is added to the list. May raise IngestError."""


def discover(
    source: Source, look_for: Looks, seen: Sequence[SeenFile], loaded: frozenset[str], clock: Clock
) -> Discovery:
    """Read what is new of the files that there are.

    `seen` holds the newest note of each path, `loaded` the contents that are in the table, read with the present
    parser settings. Files that `seen` knows by path, size and time are not read, nor fetched.
    """
    findings: list[Finding] = []
    try:
        looks = list(look_for(findings))
    except IngestError as failed:
        return Discovery(failed=failed)
    known = {file.path: file for file in seen}
    parser = parser_hash(source)
    unread = [look for look in looks if not _known_by_time(known.get(look.path), look, parser)]
    found: list[FoundFile] = []
    unsettled: list[Unsettled] = []
    settle_ns = int(source.settings.settle_seconds * 1e9)
    now_ns = int(clock.now().timestamp() * 1e9)
    for look, outcome in zip(unread, _examine_all(unread, source), strict=True):
        if isinstance(outcome, OSError):
            findings.append(unreadable(source, look.path, outcome))
        elif reason := _unsettled(look, outcome, settle_ns, now_ns):
            unsettled.append(Unsettled(look.path, reason, look.modified_ns + settle_ns))
        else:
            found.append(
                FoundFile(look.path, look.absolute, look.size, look.modified_ns, outcome, known.get(look.path))
            )
    waiting = _set_aside(looks, unread, known)
    sorted_out = _sort_out(source, found, waiting, loaded, parser)
    return replace(sorted_out, unsettled=tuple(unsettled), findings=tuple(findings))


def _unsettled(look: Look, outcome: Examined, settle_ns: int, now_ns: int) -> str | None:
    """Why a file should be left for later; an object of a store is always whole."""
    if look.whole:
        return None
    return being_written(look.absolute, look.size, look.modified_ns, outcome, settle_ns, now_ns)


def _known_by_time(seen: SeenFile | None, look: Look, parser: str) -> bool:
    return seen is not None and (seen.size, seen.modified_ns, seen.parser) == (look.size, look.modified_ns, parser)


def _set_aside(
    looks: Sequence[Look], unread: Sequence[Look], known: dict[str, SeenFile]
) -> list[tuple[Look, SeenFile]]:
    """Known files that were set aside as duplicates: they are needed should the file they repeat be replaced."""
    read = {look.path for look in unread}
    notes = ((look, known[look.path]) for look in looks if look.path not in read)
    return [(look, note) for look, note in notes if note.outcome == "duplicate"]


def _examine_all(looks: Sequence[Look], source: Source) -> Iterator[Examined | OSError]:
    """Examine files side by side, one on each core; reading, hashing and unpacking release the interpreter's lock."""

    def one(look: Look) -> Examined | OSError:
        try:
            if look.url:
                fetch(look.url, look.absolute, look.modified_ns)
            return examine(look.absolute, source.settings)
        except OSError as failed:
            return failed

    if len(looks) < 2:
        yield from map(one, looks)
        return
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="examine") as pool:
        yield from pool.map(one, looks)


def _sort_out(
    source: Source,
    found: Sequence[FoundFile],
    waiting: Sequence[tuple[Look, SeenFile]],
    loaded: frozenset[str],
    parser: str,
) -> Discovery:
    groups: dict[str, list[FoundFile]] = {name: [] for name in ("new", "rejected", "touched")}
    changed: list[FoundFile] = []
    for file in sorted(found, key=lambda file: file.path):
        before, examined = file.previous, file.examined
        same = before is not None and (before.content, before.parser) == (examined.content, parser)
        if same:
            groups["touched"].append(file)
        elif examined.problem:
            groups["rejected"].append(file)
        elif before is not None and before.outcome == "loaded" and before.records + before.quarantined > 0:
            changed.append(file)
        else:
            groups["new"].append(file)
    policy = source.settings.on_change
    if policy == "refuse" and changed:
        return Discovery(refused=tuple(changed))
    # The same bytes under new settings are never appended: that would double every record.
    replaced = tuple(file.previous for file in changed if file.previous and (policy == "replace" or file.known))
    gone = {note.content for note in replaced}
    candidates = sorted((*groups["new"], *changed, *_revived(waiting, source, gone)), key=lambda file: file.path)
    fresh, duplicates = _once(candidates, loaded - gone)
    again = {file.path for file in changed}
    return Discovery(
        new=tuple(file for file in fresh if file.path not in again),
        changed=tuple(file for file in fresh if file.path in again),
        rejected=tuple(groups["rejected"]),
        duplicates=tuple(duplicates),
        touched=tuple(groups["touched"]),
        replaced=replaced,
    )


def _revived(waiting: Sequence[tuple[Look, SeenFile]], source: Source, gone: set[str]) -> Iterator[FoundFile]:
    """Files set aside as duplicates of one that is being replaced: now they hold the only copy."""
    looks = [(look, note) for look, note in waiting if note.content in gone]
    for (look, note), outcome in zip(looks, _examine_all([look for look, _ in looks], source), strict=True):
        if isinstance(outcome, Examined):
            yield FoundFile(look.path, look.absolute, look.size, look.modified_ns, outcome, note)


def _once(candidates: Sequence[FoundFile], loaded: frozenset[str]) -> tuple[list[FoundFile], list[FoundFile]]:
    """Those whose content is new, and those that repeat it."""
    contents = set(loaded)
    fresh: list[FoundFile] = []
    repeated: list[FoundFile] = []
    for file in candidates:
        (repeated if file.examined.content in contents else fresh).append(file)
        contents.add(file.examined.content)
    return fresh, repeated
