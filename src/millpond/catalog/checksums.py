"""Checksums of the files that commits bring, taken when they are published and compared when the lake is examined."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from millpond.catalog.files import local
from millpond.catalog.relations import checksums

LARGEST = 8 * 1024**2
"""Larger files are not read when they are published, in bytes: of them the size alone is known."""

_AT_ONCE = 500


@dataclass(frozen=True)
class Checksum:
    """What a file held when its commit was published; `size` in bytes, `digest` BLAKE2b of 128 bits in hex."""

    path: str
    size: int
    digest: str


def digest(content: bytes) -> str:
    """The checksum of a file's content."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def taken(paths: Iterable[str]) -> tuple[Checksum, ...]:
    """The checksums of the files among `paths` that are small enough; one that cannot be read has none."""
    found = []
    for path in dict.fromkeys(map(local, paths)):
        try:
            file = Path(path)
            if file.stat().st_size <= LARGEST:
                content = file.read_bytes()
                found.append(Checksum(path, len(content), digest(content)))
        except OSError:
            continue
    return tuple(found)


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


def known(connection: Connection) -> dict[str, Checksum]:
    """Every checksum, by path."""
    return {row.path: Checksum(row.path, row.size, row.digest) for row in connection.execute(select(checksums))}
