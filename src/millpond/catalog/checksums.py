"""Checksums of the files that commits bring: taken when published, compared when files are read and examined."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from millpond.catalog.files import fsync_files, local
from millpond.catalog.relations import checksums
from millpond.core.errors import CatalogError
from millpond.core.records import frozen

LARGEST = 8 * 1024**2
"""Larger files are not read when they are published, in bytes: the next upkeep takes their checksums."""

_AT_ONCE = 500

_READ_AT_ONCE = 2


@frozen
class Checksum:
    """What a file held when its checksum was taken; `size` in bytes, `digest` BLAKE2b of 128 bits in hex."""

    path: str
    size: int
    digest: str


def of_file(path: str) -> Checksum:
    """The checksum of a file as it is now, read piece by piece. Raises OSError when it cannot be read."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        return Checksum(path, file.tell(), digest)


def taken(paths: Iterable[str]) -> tuple[Checksum, ...]:
    """The checksums of the files among `paths` that are small enough; one that cannot be read has none."""
    found = map(_of_small, dict.fromkeys(map(local, paths)))
    return tuple(one for one in found if one is not None)


def synced(paths: Sequence[str], root: str) -> tuple[Checksum, ...]:
    """Put new files on the disk, as `fsync_files` does, and take their checksums while the disk is busy.

    Raises CatalogError as `fsync_files` does.
    """
    begun = [_readers(os.getpid()).submit(_of_small, local(path)) for path in paths]
    try:
        fsync_files(paths, root)
    finally:
        found = [one.result() for one in begun]
    return tuple(one for one in found if one is not None)


@cache
def _readers(_process: int) -> ThreadPoolExecutor:
    """Threads that read, kept; a forked process has its own."""
    return ThreadPoolExecutor(_READ_AT_ONCE, "millpond-checksum")


def _of_small(path: str) -> Checksum | None:
    try:
        return of_file(path) if Path(path).stat().st_size <= LARGEST else None
    except OSError:
        return None


def record(connection: Connection, number: int, found: Sequence[Checksum]) -> None:
    """Keep checksums with the commit that brought the files, in the caller's transaction."""
    if found:
        forget(connection, [one.path for one in found])
        rows = [{"path": one.path, "size": one.size, "digest": one.digest, "commit": number} for one in found]
        connection.execute(insert(checksums), rows)


def forget(connection: Connection, paths: Sequence[str]) -> None:
    """Drop the checksums of files that are gone or written anew, in the caller's transaction."""
    for first in range(0, len(paths), _AT_ONCE):
        connection.execute(delete(checksums).where(checksums.c.path.in_(paths[first : first + _AT_ONCE])))


def lacking(connection: Connection, paths: Sequence[str]) -> list[str]:
    """Those of some paths that have no checksum, in their order."""
    have: set[str] = set()
    for first in range(0, len(paths), _AT_ONCE):
        have.update(
            connection.scalars(select(checksums.c.path).where(checksums.c.path.in_(paths[first : first + _AT_ONCE])))
        )
    return [path for path in paths if path not in have]


def known(connection: Connection) -> dict[str, Checksum]:
    """Every checksum, by path."""
    return {row.path: Checksum(row.path, row.size, row.digest) for row in connection.execute(select(checksums))}


def check(connection: Connection, paths: Sequence[str]) -> None:
    """Pass when none of some files differs from its checksum; those without one, or that are gone, pass too.

    Raises CatalogError MP-3192.
    """
    for first in range(0, len(paths), _AT_ONCE):
        wanted = checksums.c.path.in_(paths[first : first + _AT_ONCE])
        for row in connection.execute(select(checksums).where(wanted)):
            try:
                same = of_file(row.path).digest == row.digest
            except OSError:
                continue  # whoever reads the file tells of it
            if not same:
                raise CatalogError(
                    "MP-3192",
                    f"the file {row.path} is not what was written: its checksum differs",
                    next_step="restore the file from a backup; `millpond doctor` looks for more, --repair goes back",
                )
