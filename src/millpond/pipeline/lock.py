"""One run at a time: the lock of a project."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from millpond.catalog.files import make_folder
from millpond.core.errors import RunError


@contextmanager
def project_lock(state: Path, *, run: str, since: str, wait: bool, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the project while the block runs; the operating system lets go of it if the process dies.

    Raises RunError MP-7020, naming who holds it, unless `wait`; then `tell` is called once with the same sentence.
    """
    make_folder(state)
    with (state / "run.lock").open("a+") as file:
        _take(file.fileno(), state / "run.lock", wait, tell)
        try:
            file.seek(0)
            file.truncate()
            file.write(json.dumps({"pid": os.getpid(), "run": run, "since": since}))
            file.flush()
            yield
        finally:
            with suppress(OSError):  # a disk in trouble must not hide what went wrong in the block
                os.ftruncate(file.fileno(), 0)
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)


def _take(descriptor: int, path: Path, wait: bool, tell: Callable[[str], None]) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sentence = f"the project is held by {_holder(path)}"
        if not wait:
            raise RunError(
                "MP-7020", sentence, next_step="wait for it to end, or say --wait to start when it has"
            ) from None
        tell(sentence)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _holder(path: Path) -> str:
    """Who holds the lock; the holder writes its name just after it has taken it."""
    for _ in range(20):
        with suppress(ValueError, KeyError, TypeError):  # not written yet, or by no run of ours
            held = json.loads(path.read_text(errors="replace"))
            return f"run {held['run']} (process {held['pid']}, since {held['since']})"
        time.sleep(0.01)
    return "another run"
