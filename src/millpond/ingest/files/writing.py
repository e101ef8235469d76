"""Telling whether a file is still being written."""

from __future__ import annotations

import fcntl
import os
import signal
from pathlib import Path

from millpond.ingest.files.examine import Examined


def being_written(
    path: Path, size: int, modified_ns: int, examined: Examined, settle_ns: int, now_ns: int
) -> str | None:
    """Why the file should be left for later, or None.

    It is left where it changed while it was read, and, when it was modified less than `settle_ns` before, where its
    end is missing (a cut gzip, a line without an end) or another process holds it open for writing. A whole file that
    was just moved here is taken at once.
    """
    try:
        now = path.stat()
    except OSError:
        return "it vanished while it was read"
    if (now.st_size, now.st_mtime_ns) != (size, modified_ns):
        return "it changed while it was read"
    if abs(now_ns - modified_ns) >= settle_ns:  # a time in the future says nothing about now
        return None
    if not examined.ended:
        return "it was written just now and has no end yet"
    return "another process is writing it" if open_for_writing(path) else None


def open_for_writing(path: Path) -> bool:
    """Whether some process has the file open for writing, where the system can tell; else False.

    Linux grants a read lease on a file only while nobody has it open for writing (fcntl(2), F_SETLEASE). A writer
    that opens the file in this moment waits until the lease is given back, and the signal about it is one that
    does nothing.
    """
    set_lease, set_signal = getattr(fcntl, "F_SETLEASE", None), getattr(fcntl, "F_SETSIG", None)
    if set_lease is None or set_signal is None:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, set_signal, signal.SIGURG)
        fcntl.fcntl(descriptor, set_lease, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, set_lease, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # not the owner, or a file system without leases
        return False
    finally:
        os.close(descriptor)
    return False
