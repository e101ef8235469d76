"""Commands and clients whose clock is wrong, or is set while they are at work."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bad_days.doom import Nursery, compile_shim, nursery

HOUR = 3600


@dataclass(frozen=True)
class Adrift:
    """Where commands are started that go by a clock of their own; `environment` gives it to other programs."""

    commands: Nursery
    environment: dict[str, str]
    _shared: mmap.mmap

    def set(self, seconds: int, at: int = 0, then: int = 0) -> None:
        """Let the clock be so many seconds fast (slow: below 0), and `then` from its reading number `at` on."""
        self._shared[:] = struct.pack("<4q", seconds, at, then, 0)

    @property
    def readings(self) -> int:
        """How often the clock was read since it was set."""
        return int(struct.unpack("<4q", self._shared[:])[3])


@contextmanager
def adrift(scratch: Path) -> Iterator[Adrift | None]:
    """A clock that can be set; None without a C compiler."""
    shim = compile_shim(scratch, "skew.c")
    if shim is None:
        yield None
        return
    place = scratch / "skew"
    place.write_bytes(bytes(32))
    words = {"SKEW_FILE": str(place)}
    with place.open("r+b") as file, mmap.mmap(file.fileno(), 32) as shared, nursery(scratch, shim, words) as born:
        yield Adrift(born, {**os.environ, **words, "LD_PRELOAD": str(shim)}, shared)
