"""Sorted runs of key hashes in a local folder: which of some keys a table may hold, told without reading the table.

A run is a file of 64-bit hashes in ascending order, in pages with a checksum each, behind which stand the first hash of
each page, the checksums and a description. Looking for a key touches one page of each run, however long that is. Small
runs are merged into larger ones, so that their number grows with the logarithm of the keys' (O'Neil et al., "The
log-structured merge-tree", 1996). A folder is a cache: where anything is torn, changed or missing, it counts as empty.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import struct
import uuid
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from typing import Any

from millpond.core.records import frozen

PAGE = 512
"""Hashes in a page: 4 KiB."""
FANOUT = 4
"""So many runs of about one size become one."""
MERGED_MOST = 4_000_000
"""Runs of more hashes stay as they are."""
_END = struct.Struct("<IQ8s")
"""CRC-32 of the description, its length, and what ends a whole run."""
_WHOLE = b"millkeys"
_STATE = "state.json"


class _DamagedError(ValueError):
    """A file of the folder is not what was written: nothing in the folder can be relied on."""


@frozen
class _Run:
    """An open run: its hashes, the first of each page, and the checksums of the pages."""

    hashes: memoryview
    fences: memoryview
    sums: memoryview


class KeyRuns:
    """The runs of one table in `folder`. One process at a time may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: list[str] = []
        self._sound = True

    def state(self) -> Mapping[str, Any] | None:
        """What `keep` was told last; None where there is nothing, or nothing that can be relied on."""
        try:
            checksum, _, text = (self._folder / _STATE).read_bytes().partition(b"\n")
            whole = int(checksum) == zlib.crc32(text)
            told = json.loads(text) if whole else {}
            runs = list(told.get("runs", ()))
        except (FileNotFoundError, ValueError):
            return None
        if not whole or not all((self._folder / run).is_file() for run in runs):
            return None
        self._runs = runs
        return dict(told["state"])

    def keep(self, state: Mapping[str, Any]) -> None:
        """Remember what the runs cover now, and remove those that were merged; forget all where one was damaged."""
        if not self._sound:
            self.clear()
            return
        text = json.dumps({"runs": self._runs, "state": dict(state)}).encode()
        self._write(_STATE, [b"%d\n" % zlib.crc32(text), text])
        for path in self._folder.glob("*.keys*"):
            if path.name not in self._runs:
                path.unlink()

    def clear(self) -> None:
        """Forget everything."""
        self._runs, self._sound = [], True
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, hashes: Iterable[memoryview]) -> None:
        """One more run, of parts that go on from one another in ascending order; then those of one size are merged."""
        self._runs.append(self._run(_laid_out(hashes)))
        try:
            self._merge()
        except _DamagedError:
            self._sound = False

    def among(self, wanted: Sequence[int]) -> list[int] | None:
        """Those of some hashes, in ascending order, that a run holds; None where one is not what was written."""
        found: set[int] = set()
        if not self._sound:
            return None
        try:
            with ExitStack() as stack:
                for run in self._runs:
                    found.update(_held(_opened(stack, self._folder / run), wanted))
        except _DamagedError:
            return None
        return sorted(found)

    def _merge(self) -> None:
        sizes = {run: (self._folder / run).stat().st_size // 8 for run in self._runs}
        for tier in _tiers(sizes):
            with ExitStack() as stack:
                runs = [_opened(stack, self._folder / run) for run in tier]
                for run in runs:
                    _check_pages(run, range(len(run.fences)))
                merged = self._run(_laid_out(_parts(merge(*(run.hashes for run in runs)))))
            self._runs = [run for run in self._runs if run not in tier] + [merged]

    def _run(self, parts: Iterable[bytes | memoryview]) -> str:
        name = f"{uuid.uuid4().hex}.keys"
        self._write(name, parts)
        return name

    def _write(self, name: str, parts: Iterable[bytes | memoryview]) -> None:
        """A file that is there whole, and on the disk, or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        partial = self._folder / f"{name}.partial"
        with partial.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / name)


def _tiers(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Groups of runs, each of about one size and not too large, that are to become one."""
    tiers: dict[int, list[str]] = {}
    for run, size in sorted(sizes.items()):
        if size <= MERGED_MOST:
            tiers.setdefault(max(size, 1).bit_length() // 2, []).append(run)
    yield from (runs for runs in tiers.values() if len(runs) >= FANOUT)


def _laid_out(hashes: Iterable[memoryview]) -> Iterator[bytes | memoryview]:
    """A run's file in parts."""
    fences, sums, count = bytearray(), bytearray(), 0
    rest = b""
    for part in hashes:
        held = rest + part.cast("B").tobytes()
        whole = len(held) - len(held) % (PAGE * 8)
        for page in (held[at : at + PAGE * 8] for at in range(0, whole, PAGE * 8)):
            fences += page[:8]
            sums += struct.pack("<I", zlib.crc32(page))
            yield page
        rest, count = held[whole:], count + len(part.cast("B")) // 8
    if rest:
        fences += rest[:8]
        sums += struct.pack("<I", zlib.crc32(rest))
        yield rest
    yield bytes(fences)
    yield bytes(sums)
    told = json.dumps({"count": count, "pages": len(fences) // 8, "crc": zlib.crc32(sums, zlib.crc32(fences))}).encode()
    yield told
    yield _END.pack(zlib.crc32(told), len(told), _WHOLE)


def _opened(stack: ExitStack, path: Path) -> _Run:
    """A run as it lies on the disk, its own description checked."""
    with path.open("rb") as file:
        mapped = stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    whole = stack.enter_context(memoryview(mapped))
    if len(whole) < _END.size:
        raise _DamagedError(path.name)
    checksum, length, end = _END.unpack(whole[-_END.size :])
    begin = len(whole) - _END.size - length
    if end != _WHOLE or begin < 0 or zlib.crc32(whole[begin : begin + length]) != checksum:
        raise _DamagedError(path.name)
    told = json.loads(whole[begin : begin + length].tobytes())
    count, pages = told["count"], told["pages"]
    if zlib.crc32(whole[count * 8 : count * 8 + pages * 12]) != told["crc"]:
        raise _DamagedError(path.name)
    cut = (whole[: count * 8], whole[count * 8 : (count + pages) * 8], whole[(count + pages) * 8 : begin])
    hashes, fences, sums = (stack.enter_context(part) for part in cut)
    return _Run(
        stack.enter_context(hashes.cast("Q")),
        stack.enter_context(fences.cast("Q")),
        stack.enter_context(sums.cast("I")),
    )


def _held(run: _Run, wanted: Sequence[int]) -> Iterator[int]:
    """Those of the hashes, in ascending order, that are in the run."""
    checked = -1
    for one in wanted:
        page = bisect_right(run.fences, one) - 1
        if page < 0:
            continue
        if page != checked:
            _check_pages(run, (page,))
            checked = page
        low = page * PAGE
        at = bisect_left(run.hashes, one, low, min(low + PAGE, len(run.hashes)))
        if at < len(run.hashes) and run.hashes[at] == one:
            yield one


def _check_pages(run: _Run, pages: Iterable[int]) -> None:
    for page in pages:
        if zlib.crc32(run.hashes[page * PAGE : (page + 1) * PAGE]) != run.sums[page]:
            raise _DamagedError(f"page {page}")


def _parts(hashes: Iterator[int]) -> Iterator[memoryview]:
    """Single hashes in parts of some thousand pages."""
    part = array("Q")
    for one in hashes:
        part.append(one)
        if len(part) == PAGE * 2048:
            yield memoryview(part)
            part = array("Q")
    yield memoryview(part)
