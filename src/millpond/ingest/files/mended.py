"""Kept files as a source finds them: under the name of their entry in quarantine, told by their own name and bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from millpond.core.errors import QualityError
from millpond.ingest.files.discovery import Discovery, FoundFile
from millpond.ingest.files.examine import examine
from millpond.project.model import Source


@dataclass(frozen=True)
class KeptFile:
    """Bytes that were kept: `origin` is what their records' `_origin` shall say, `name` the name of the file."""

    origin: str
    name: str
    content: Path


def discovered(source: Source, files: tuple[KeptFile, ...], loaded: frozenset[str], folder: Path) -> Discovery:
    """The kept files as if they had been found; links to them, by their first names, are made in `folder`.

    Raises QualityError MP-6125 for one that still cannot be read, or whose bytes are loaded already.
    """
    found = []
    for number, kept in enumerate(files):
        place = folder / str(number)
        place.mkdir()
        link = place / PurePosixPath(kept.name).name
        link.symlink_to(kept.content.resolve())
        told = link.stat()
        examined = examine(link, source.settings)
        if examined.problem is not None:
            raise unread(kept.name, examined.problem.reason)
        if examined.content in loaded:
            raise unread(kept.name, "the same bytes are in the table already")
        loaded |= {examined.content}
        found.append(FoundFile(kept.origin, link, told.st_size, told.st_mtime_ns, examined))
    return Discovery(new=tuple(found))


def unread(name: str, reason: str) -> QualityError:
    """The error for a kept file that cannot be landed."""
    return QualityError(
        "MP-6125",
        f"the file {name!r} cannot be replayed: {reason}",
        next_step="mend it (`millpond quarantine fix ID --from FILE`), or correct how its source reads it",
    )
