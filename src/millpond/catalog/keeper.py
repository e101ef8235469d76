"""Second names for the files of new commits, until their clients can no longer take them for failed.

A client that never hears that its commit is in takes it for failed and deletes the files that it wrote, although the
table names them now. Acknowledging a repeated request saves the files only when one of the repeats is heard. So each
file of a direct commit is hard-linked under its root for a while, and put back when its first name is gone. Beside the
second names stands what they are of, so that after the end of a process the next one goes on with them.
"""

from __future__ import annotations

import heapq
import itertools
import json
import os
import shutil
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millpond.catalog import files, manifests
from millpond.catalog.metadata import TableMetadata

FOLDER = ".kept"
HOLD_S = 180.0
"""How long a file is held: longer than a client's retries and timeouts together (four times 30 s for DuckDB)."""

_FIRST_LOOK_S = 0.25
_UNHEARD_LOOK_S = 0.5
_FRESH_S = 2.0
_SUSPECTS = 8
_LEFT_S = 3600.0
_INDEX = ".index"


@dataclass(eq=False)
class Held:
    """The files of one commit on one table, each with the second name that holds it. `since` is in seconds."""

    location: str
    snapshots: frozenset[int]
    pairs: tuple[tuple[str, str], ...]
    since: float
    unheard: bool = False
    index: str = ""
    """The file that says which second name is of which file."""
    inherited: bool = False
    """Whether a process that is no more held them: then it cannot be told whether a table names them."""


class Keeper:
    """Holds the files of direct commits under `roots`. `alive` tells whether a table still names one of some snapshots.

    Safe to use from several threads. A thread of its own looks at what is held; it starts with the first commit.
    """

    def __init__(
        self,
        roots: Sequence[str],
        alive: Callable[[str, frozenset[int]], bool],
        clock: Callable[[], float] = time.monotonic,
        hold: float = HOLD_S,
    ) -> None:
        own = uuid.uuid4().hex
        # A second name can only be given on the disk that a file lies on.
        self._folders = {root: Path(root) / FOLDER / own for root in sorted(roots, key=len, reverse=True)}
        self._alive = alive
        self._clock = clock
        self._hold = hold
        self._queue: list[tuple[float, int, Held]] = []
        self._order = itertools.count()
        self._recent: dict[str, deque[Held]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def hold(self, previous: TableMetadata | None, updated: TableMetadata) -> Held:
        """Give second names to all that the new snapshots of a table brought. The files must have been checked."""
        known = {row["snapshot-id"] for row in previous.snapshots} if previous else set()
        fresh = [row for row in updated.snapshots if row["snapshot-id"] not in known]
        pairs: list[tuple[str, str]] = []
        with suppress(OSError):  # a disk without hard links holds nothing, and the commit goes on
            for path in dict.fromkeys(_new_files(fresh)):
                folder = self._folder_for(path)
                link = str(folder / uuid.uuid4().hex)
                if not pairs:
                    folder.mkdir(parents=True, exist_ok=True)
                os.link(path, link)
                pairs.append((path, link))
        numbers = frozenset(row["snapshot-id"] for row in fresh)
        held = Held(updated.location, numbers, tuple(pairs), self._clock())
        if pairs:
            held.index = f"{pairs[0][1]}{_INDEX}"
            with suppress(OSError):
                Path(held.index).write_text(json.dumps(pairs))
        return held

    def watch(self, held: Iterable[Held]) -> None:
        """Look after the files of a commit that is in."""
        with self._lock:
            for item in held:
                if item.pairs:
                    self._put(item, self._clock() + _FIRST_LOOK_S)
                    self._recent.setdefault(item.location, deque(maxlen=_SUSPECTS)).append(item)
            if self._queue and self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="millpond-keeper", daemon=True)
                self._thread.start()
        self._wake.set()

    def release(self, held: Iterable[Held]) -> None:
        """Let go of files: their commit was refused and its client deletes them rightly, or their time is over."""
        for item in held:
            for name in (*(link for _, link in item.pairs), item.index):
                with suppress(OSError):
                    Path(name).unlink()

    def repeated(self, location: str) -> None:
        """Note that a client asked again for a commit that is in: it has not heard the answer."""
        with self._lock:
            for item in self._recent.get(location, ()):
                if not item.unheard:
                    item.unheard = True
                    self._put(item, self._clock() + _FIRST_LOOK_S)
        self._wake.set()

    def mend(self, location: str) -> None:
        """Before a table is shown: put back what may just have been deleted of it."""
        now = self._clock()
        with self._lock:
            recent = tuple(self._recent.get(location, ()))
        for item in recent:
            if item.unheard or now - item.since < _FRESH_S:
                self._restore(item)

    def look(self) -> float | None:
        """Check every commit whose time has come; seconds until the next one's, None when nothing is held."""
        while True:
            with self._lock:
                now = self._clock()
                if not self._queue:
                    return None
                if self._queue[0][0] > now:
                    return self._queue[0][0] - now
                _, _, item = heapq.heappop(self._queue)
            self._restore(item)
            age = now - item.since
            if age >= self._hold:
                self._forget(item)
            else:
                with self._lock:
                    self._put(item, now + (_UNHEARD_LOOK_S if item.unheard else max(_FIRST_LOOK_S, age)))

    def close(self) -> None:
        """Check everything once more and let go of it."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        self._wake.set()
        if thread is not None:
            thread.join()
        for _, _, item in self._queue:
            self._restore(item)
        self._queue.clear()
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.parent.rmdir()

    def inherit(self) -> None:
        """Go on with what a process held that is no more: its clients may still be about to delete their files."""
        now = self._clock()
        found = [Held("", frozenset(), pairs, now, True, index, True) for index, pairs in left(tuple(self._folders))]
        for item in found:
            self._restore(item)
        self.watch(found)

    def sweep(self) -> None:
        """Remove what a process that was killed left behind long ago."""
        for own in self._folders.values():
            with suppress(OSError):
                for folder in own.parent.iterdir():
                    if time.time() - folder.stat().st_mtime > _LEFT_S:
                        shutil.rmtree(folder, ignore_errors=True)

    def _folder_for(self, path: str) -> Path:
        """Where the second name of a file goes: under the innermost root around it, or else the outermost of all."""
        around = (folder for root, folder in self._folders.items() if path.startswith(root + "/"))
        return next(around, list(self._folders.values())[-1])

    def _put(self, item: Held, when: float) -> None:
        heapq.heappush(self._queue, (when, next(self._order), item))

    def _forget(self, item: Held) -> None:
        self.release((item,))
        with self._lock:
            recent = self._recent.get(item.location)
            if recent is not None and item in recent:
                recent.remove(item)
                if not recent:
                    del self._recent[item.location]

    def _run(self) -> None:
        while not self._closed:
            self._wake.clear()
            self._wake.wait(self.look())

    def _restore(self, item: Held) -> None:
        gone = [(path, link) for path, link in item.pairs if not Path(path).exists()]
        if gone and (item.inherited or self._alive(item.location, item.snapshots)):
            for path, link in gone:
                _put_back(path, link)


def left(roots: Iterable[str]) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """What is held under some roots, by any process: each index with the files and their second names."""
    for root in roots:
        for index in sorted((Path(root) / FOLDER).glob(f"*/*{_INDEX}")):
            with suppress(OSError, ValueError):
                yield str(index), tuple((str(path), str(link)) for path, link in json.loads(index.read_text()))


def recover(roots: Iterable[str]) -> tuple[str, ...]:
    """Put back the files that are gone and that some process held; those that no table names are orphans again."""
    gone = [pair for _, pairs in left(roots) for pair in pairs if not Path(pair[0]).exists()]
    return tuple(path for path, link in gone if _put_back(path, link))


def _put_back(path: str, link: str) -> bool:
    with suppress(OSError):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        os.link(link, path)
        files.fsync_files([path])
        return True
    return False


def _new_files(fresh: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Manifest lists, manifests and files that these snapshots brought."""
    for snapshot in fresh:
        yield files.local(snapshot["manifest-list"])
        for manifest in manifests.manifests(snapshot["manifest-list"]):
            if manifest.added_snapshot_id == snapshot["snapshot-id"]:
                yield files.local(manifest.path)
                for entry in manifests.entries(manifest):
                    if entry.status == manifests.ADDED:
                        yield files.local(entry.path)
