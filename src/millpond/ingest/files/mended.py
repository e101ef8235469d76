"""Kept files as a source finds them: under the name of their entry in quarantine, told by their own name and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from millpond.ingest.files.discovery import Discovery, FoundFile
from millpond.ingest.files.examine import examine
from millpond.ingest.source import Kept
from millpond.project.model import Source


def discovered(source: Source, files: Sequence[Kept], loaded: frozenset[str], folder: Path) -> Discovery:
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
            raise kept.unread(examined.problem.reason)
        if examined.content in loaded:
            raise kept.unread("the same bytes are in the table already")
        loaded |= {examined.content}
        found.append(FoundFile(kept.origin, link, told.st_size, told.st_mtime_ns, examined))
    return Discovery(new=tuple(found))
