"""Keeping bytes that no table can hold, by content, on stable storage."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from millpond.catalog.files import make_folder, sync

_CHUNK = 1 << 20


def keep_copy(content: Path, warehouse: Path, expected: str | None = None) -> Path | None:
    """Keep bytes under their hash, synced; None where it is not the expected one."""
    folder = warehouse / "quarantine" / "files"
    make_folder(folder)
    partial = folder / f".{expected or secrets.token_hex(8)}.{os.getpid()}"
    digest = hashlib.sha256()
    try:
        with content.open("rb", buffering=0) as source, partial.open("wb") as copy:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if expected not in (None, digest.hexdigest()):
            return None
        target = folder / digest.hexdigest()
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    sync(folder)
    return target
