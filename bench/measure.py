"""Measuring: run both sides in turn, print one line with both times and their ratio."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

BENCH = Path(__file__).parent
MILLPOND = Path(sys.executable).parent / "millpond"


def shared_data() -> Path:
    """The folder of real data."""
    folder = Path(os.environ.get("MILLPOND_SHARED_DATA", BENCH.parents[1] / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"no folder {folder}: set MILLPOND_SHARED_DATA to the folder of real data")
    return folder.resolve()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is removed at the end. BENCH_SCRATCH names a disk with more room."""
    folder = Path(tempfile.mkdtemp(prefix="millpond-bench.", dir=os.environ.get("BENCH_SCRATCH")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(words: Sequence[str | Path], folder: Path | None = None) -> str:
    """Run a command to its end; its standard output. Ends the benchmark when the command fails."""
    done = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr[-2000:] or done.stdout[-2000:]}")
    return done.stdout


def millpond(folder: Path, *words: str | Path) -> str:
    """Run `millpond` in a folder; its standard output."""
    return run([MILLPOND, *words], folder)


def declare(project: Path, files: dict[str, str]) -> None:
    """Write what an author would: sources, models, settings, by their paths in the project."""
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes, by the wall clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(sides: dict[str, Callable[[int], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each side, measured in turn so that a busy moment hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, work in sides.items():
            times[name].append(seconds(lambda work=work, number=number: work(number)))  # type: ignore[misc]
    return {name: statistics.median(taken) for name, taken in times.items()}


def verdict(name: str, ours: float, theirs: float, goal: float, *, rival: str) -> None:
    """Print the ratio, with both sides and the goal."""
    ratio = ours / theirs
    said = "met" if ratio <= goal else "MISSED"
    print(f"{name}: millpond {ours:.3g} s, {rival} {theirs:.3g} s, ratio {ratio:.2f}, goal {goal:.3g}: {said}")


def rounds_given(default: int) -> int:
    """The number of rounds: the first argument, or the default."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else default


class Peak:
    """The largest resident set of a process with all its children, sampled while it runs. Bytes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.bytes = 0
        self._process = psutil.Process(process.pid)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            try:
                tree = [self._process, *self._process.children(recursive=True)]
                self.bytes = max(self.bytes, sum(process.memory_info().rss for process in tree))
            except psutil.Error:
                continue
