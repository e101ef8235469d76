"""Commands that are killed at a chosen moment, and power cuts: what was never synced is gone."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

Manner = Literal["before", "torn", "after", "full", "read-only", "broken"]
MANNERS: tuple[Manner, ...] = ("before", "torn", "after", "full", "read-only", "broken")
"""Killed before, inside or after a call; or the disk is full or read-only from then on, or fails this once."""

T = TypeVar("T")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def dealt(moments: Sequence[T], share: int, shares: int) -> Sequence[T]:
    """One of so many shares of the moments, and of it a quarter: in each run another, by the seed that pytest prints.

    All of it where MILLPOND_MOMENTS is `all`, which takes all tests together some hours.
    """
    mine = moments[share::shares]
    return mine if os.environ.get("MILLPOND_MOMENTS") == "all" else mine[random.randrange(4) :: 4]


@dataclass(frozen=True)
class Call:
    """A call that changed something under the project folder. `size` is the file's afterwards; 1 for one just made."""

    number: int
    name: str
    size: int
    path: Path
    second: Path


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (negative: the signal), what it printed, and its calls when they were counted."""

    code: int
    out: str
    calls: tuple[Call, ...] = ()

    @property
    def killed(self) -> bool:
        """Whether it was killed."""
        return self.code == -9

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """The errors that it told of, when it was run with --json: each with `code`, `message` and `next_step`."""
        return [told for told in self._told() if told.get("code") is not None]

    def published(self) -> list[int]:
        """The commits that it told of, when it was run with --json."""
        return [told["commit"] for told in self._told() if told.get("event") == "step_finished" and told["commit"]]

    def check_clear(self) -> None:
        """It ended well, or with an error that has a code and a next step, and never with a traceback."""
        assert self.code in (0, 1, 2), self.out
        assert "Traceback" not in self.out
        assert bool(self.code) == bool(self.complaints), self.out
        for told in self.complaints:
            assert told["code"].startswith("MP-"), told
            assert told["code"] != "MP-9999", told
            assert told["message"], told
            assert told["next_step"], told

    def _told(self) -> list[dict[str, Any]]:
        lines = [line for line in self.out.splitlines() if line.startswith("{") and line.endswith("}")]
        return [json.loads(line) for line in lines]


class Nursery:
    """Where doomed commands are born: they start without loading anything, which takes most of a short command."""

    def __init__(self, process: subprocess.Popen[str], scratch: Path) -> None:
        self._process = process
        self._scratch = scratch

    def command(
        self,
        folder: Path,
        *words: str,
        at: int | None = None,
        manner: Manner = "before",
        seconds: float | None = None,
        user: int | None = None,
        program: str = "millpond.cli.main:app",
    ) -> Ended:
        """Run `millpond` in a project, or another `program` there. `at`: count its calls and do harm at that one (0:
        only count). `seconds`: kill it after that time. `user`: as whom it runs.
        """
        log, out = self._scratch / "calls.log", self._scratch / "out.txt"
        log.unlink(missing_ok=True)
        order = {
            "words": [*words, "--project", str(folder)],
            "folder": str(folder),
            "at": at,
            "manner": MANNERS.index(manner),
            "seconds": seconds,
            "user": user,
            "program": program,
            "log": str(log) if at is not None else "",
            "out": str(out),
        }
        stdin, stdout = _pipes(self._process)
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        code = json.loads(stdout.readline())["code"]
        return Ended(code, out.read_text(errors="replace"), _calls(log))


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the nursery was started without pipes")
    return process.stdin, process.stdout


def _calls(log: Path) -> tuple[Call, ...]:
    if not log.exists():
        return ()
    fields = (line.split("\t") for line in log.read_text().splitlines())
    return tuple(Call(int(f[0]), f[1], int(f[2]), Path(f[3]), Path(f[4])) for f in fields)


def compile_shim(folder: Path, source: str = "doom.c") -> Path | None:
    """The shim that counts and kills, or another one, made by the machine's C compiler; None where there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    shim = folder / Path(source).with_suffix(".so")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(HERE / source)], check=True)
    return shim


@contextmanager
def nursery(
    scratch: Path, shim: Path | None, words: Mapping[str, str] | None = None, modules: Sequence[str] = ()
) -> Iterator[Nursery]:
    """A nursery, gone when the block ends. Without a shim its commands can be killed by time alone.

    `words` are further words of its environment, `modules` what else is loaded once.
    """
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.update(words or {})
    if shim is not None:
        environment["LD_PRELOAD"] = str(shim)
    with subprocess.Popen(
        [sys.executable, str(HERE / "nursery.py"), *modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=scratch,
    ) as process:
        yield Nursery(process, scratch)
        _pipes(process)[0].close()


@dataclass
class _Disk:
    """What of a command's work the disk must hold: names that may vanish, and lengths that files had when synced."""

    unnamed: dict[Path, None] = field(default_factory=dict)
    synced: dict[Path, int] = field(default_factory=dict)
    dirty: set[Path] = field(default_factory=set)

    def note(self, call: Call) -> None:
        """Take a call in."""
        path = call.path
        if call.name == "mkdir":
            self.unnamed[path] = None
        elif call.name == "link":
            self.unnamed[call.second] = None
        elif call.name == "create":
            self.unnamed[path] = None
            self.synced[path] = 0
        elif call.name in ("write", "truncate"):
            self.dirty.add(path)
            if path in self.synced:
                self.synced[path] = min(self.synced[path], call.size)
        elif call.name == "fsync":
            self.unnamed = {entry: None for entry in self.unnamed if entry.parent != path}
            self.dirty.discard(path)
            self.synced[path] = call.size
        elif call.name == "rename":
            self._rename(path, call.second)
        elif call.name == "unlink":
            self._forget(path)

    def _rename(self, old: Path, new: Path) -> None:
        dirty, size = old in self.dirty, self.synced.get(old)
        self._forget(old)
        self.unnamed[new] = None
        if size is not None:
            self.synced[new] = size
        if dirty:
            self.dirty.add(new)

    def _forget(self, path: Path) -> None:
        self.unnamed.pop(path, None)
        self.synced.pop(path, None)
        self.dirty.discard(path)


def cut_power(folder: Path, calls: tuple[Call, ...]) -> None:
    """Leave of a command's work what the disk must still hold after a power loss, and nothing more.

    A file keeps the length that it had when it was last synced; a file or folder whose own folder was not synced since
    it got its name is gone. What was overwritten in place stays (SQLite alone does that, and guards itself).
    """
    disk = _Disk()
    for call in calls:
        disk.note(call)
    for path in sorted(disk.dirty & disk.synced.keys()):
        if path.exists() and path.stat().st_size > disk.synced[path]:
            os.truncate(path, disk.synced[path])
    for path in sorted(disk.unnamed):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in folder.rglob("*-shm"):
        path.unlink()
