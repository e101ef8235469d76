"""The catalog's own files on a disk: metadata read with care, written so that a power loss cannot take them back."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from millpond.catalog import metadata as tables
from millpond.catalog.metadata import TableMetadata
from millpond.core.errors import CatalogError


def local(path: str) -> str:
    """The plain path of a local file that may be written as a `file:` URI."""
    if path.startswith("file:"):
        return "/" + path.removeprefix("file:").lstrip("/")
    return path


class Documented(Protocol):
    """Metadata that is a JSON document."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The document."""
        ...


def read(path: str) -> TableMetadata:
    """Read a table's metadata. Raises CatalogError MP-3032 when it is missing, MP-3033 when it is damaged."""
    return tables.of(document(path), path)


def document(path: str) -> dict[str, Any]:
    """The JSON of a metadata file. Raises CatalogError MP-3032 when it is missing, MP-3033 when it is damaged."""
    try:
        content = Path(local(path)).read_bytes()
    except OSError as missing:
        raise CatalogError(
            "MP-3032",
            f"Failed to open input stream for file: {path} ({missing.strerror})",
            next_step="restore the file from a backup, or point the table at an earlier commit",
        ) from missing
    try:
        parsed = json.loads(content)
    except ValueError as wrong:
        raise tables.damaged(path, f"it is no JSON ({wrong})") from wrong
    except RecursionError as deep:
        raise tables.damaged(path, "it is nested too deeply") from deep
    if not isinstance(parsed, dict):
        raise tables.damaged(path, "it is no JSON object")
    return parsed


def write(metadata: Documented, folder: str, version: int) -> str:
    """Write a metadata file of a table or view into a folder and return its path; it is on the disk on return.

    Raises CatalogError MP-3039 when the disk or the folder does not take it.
    """
    path = f"{folder.rstrip('/')}/{version:05d}-{uuid.uuid4()}.metadata.json"
    write_bytes(path, json.dumps(metadata.document, separators=(",", ":")).encode())
    return path


def write_bytes(path: str, content: bytes) -> None:
    """Write a file that is there whole or not at all, and is on the disk, with its folder's entry, on return.

    Raises CatalogError MP-3039 when the disk or the folder does not take it.
    """
    final = Path(local(path))
    draft = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        make_folder(final.parent)
        try:
            with draft.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(final)
        except OSError:
            with suppress(OSError):
                draft.unlink()
            raise
        sync(final.parent)
    except OSError as failure:
        raise unwritable(path, failure) from failure


def unwritable(path: str, failure: OSError) -> CatalogError:
    """The error for a file that the disk did not take."""
    return CatalogError(
        "MP-3039",
        f"{path} cannot be written: {failure.strerror or failure}",
        next_step="free space or give write permission on the folder, then run again: nothing was committed",
    )


def fsync_files(paths: Iterable[str], root: str | None = None) -> None:
    """Put files on the disk, then the folders that name them, each folder once.

    With `root`, the folders above each file are synced too, up to `root` and the folder that holds it: a partition's
    folder is itself only an entry in another. Raises CatalogError MP-3034 for a file that is missing, MP-3039 when
    the disk fails.
    """
    named = tuple(paths)
    # Syncs that wait together reach the disk together.
    list(_syncers(os.getpid()).map(_sync_file, named))
    for folder in _folders(named, None if root is None else Path(local(root))):
        try:
            sync(folder)
        except OSError as failure:
            raise unwritable(str(folder), failure) from failure


_SYNCS_AT_ONCE = 8


@cache
def _syncers(_process: int) -> ThreadPoolExecutor:
    """Threads that sync, kept: to start one takes longer than to sync a small file. A forked process has its own."""
    return ThreadPoolExecutor(_SYNCS_AT_ONCE, "millpond-sync")


def _sync_file(path: str) -> None:
    try:
        sync(Path(local(path)))
    except FileNotFoundError as missing:
        raise missing_file(path) from missing
    except OSError as failure:
        raise unwritable(path, failure) from failure


def _folders(paths: Iterable[str], root: Path | None) -> dict[Path, None]:
    """The folders whose entries must be on the disk for the files to be found, inner ones first."""
    folders: dict[Path, None] = {}
    for path in paths:
        for folder in Path(local(path)).parents:
            if folder in folders:
                break
            folders[folder] = None
            if root is None or folder == root.parent or not folder.is_relative_to(root):
                break
    return folders


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, so that a power loss cannot take them back.

    Raises OSError when the disk refuses.
    """
    missing = [folder, *folder.parents]
    missing = missing[: next(index for index, place in enumerate(missing) if place.exists())]
    folder.mkdir(parents=True, exist_ok=True)
    for place in missing:
        sync(place.parent)


def missing_file(path: str) -> CatalogError:
    """The error for a file that a commit names and that is not there."""
    return CatalogError(
        "MP-3034",
        f"the commit names a file that does not exist: {path}",
        next_step="write the file before committing it; nothing was changed",
    )


def sync(path: Path) -> None:
    """Put a file, or a folder's entries, on the disk. Raises OSError when the disk refuses."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
