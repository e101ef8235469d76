"""Folders for what is needed only while a process works; what a process that was killed left behind is removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class ScratchFolder:
    """A new folder under `root`, whose name begins with `prefix`; folders of dead processes beside it are removed.

    The folder is locked while it is in use, and the operating system lets go of the lock when the process dies.
    Raises OSError when the disk refuses.
    """

    def __init__(self, root: Path, prefix: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(f"{prefix}*"):
            _remove_unused(left)
        self._lock: int | None = None
        while self._lock is None:
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
            self._lock = _locked(self.path)

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def scratch_folder(root: Path, prefix: str) -> Iterator[Path]:
    """A scratch folder that is gone when the block ends."""
    folder = ScratchFolder(root, prefix)
    try:
        yield folder.path
    finally:
        folder.close()


def _locked(path: Path) -> int | None:
    """A descriptor that holds the folder; None when another process holds it or has removed it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists():
            return descriptor
    except BlockingIOError:
        pass
    os.close(descriptor)
    return None


def _remove_unused(path: Path) -> None:
    descriptor = _locked(path)
    if descriptor is not None:
        with suppress(OSError):
            shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)
