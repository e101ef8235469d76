"""Looking for a source's files: what their paths name on disks and in object stores."""

from __future__ import annotations

import glob
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from millpond.core.errors import Finding
from millpond.core.records import frozen
from millpond.ingest.files.objects import is_url, split_options, stored
from millpond.project.model import Project, Source

_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".swp", "~")


@frozen
class Look:
    """One file as its place tells of it, before it is read.

    `path` is its name in `_origin`. An object of a store has a `url`, and `absolute` is where its copy will lie.
    `whole` says that nobody can be writing it still.
    """

    path: str
    absolute: Path
    size: int
    modified_ns: int
    url: str | None = None
    whole: bool = False


def looks_at(source: Source, project: Project, findings: list[Finding]) -> Iterator[Look]:
    """Every file behind the paths, once: those on disks in the order of their names, then objects.

    Raises IngestError MP-5001 for an address of an unknown kind, MP-5012 when a store does not answer.
    """
    yield from _on_disks(source, project, findings)
    yield from _in_stores(source, project, findings)


def copies(project: Project) -> Path:
    """The folder of the copies of objects."""
    return project.state / "objects"


def _on_disks(source: Source, project: Project, findings: list[Finding]) -> Iterator[Look]:
    names: dict[str, Path] = {}
    for index, pattern in enumerate(source.settings.paths):
        if is_url(pattern):
            continue
        # Only the author's own words are a pattern, not the name of the folder that the project lies in.
        absolute = Path(glob.escape(str(project.folder))) / Path(pattern).expanduser()
        matches = sorted(glob.glob(str(absolute), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        if not matches and not glob.has_magic(pattern):
            findings.append(_missing(source, pattern, index))
        for match in matches:
            path = Path(os.path.normpath(match))
            names.setdefault(_origin(path, project.folder), path)
    real: set[Path] = set()
    for name, path in sorted(names.items(), key=lambda item: (item[0].count("/"), item[0])):
        if _passed_over(path.name):
            continue
        try:
            told = path.stat()
            target = path.resolve()
        except OSError as failed:
            findings.append(unreadable(source, name, failed))
            continue
        if stat.S_ISREG(told.st_mode) and target not in real:
            real.add(target)
            yield Look(name, path, told.st_size, told.st_mtime_ns)


def _in_stores(source: Source, project: Project, findings: list[Finding]) -> Iterator[Look]:
    looks: dict[str, Look] = {}
    for index, pattern in enumerate(source.settings.paths):
        if not is_url(pattern):
            continue
        found = stored(pattern, source.place(f"paths.{index}"))
        address, options = split_options(pattern)
        if not found and not glob.has_magic(address):
            findings.append(_missing(source, address, index))
        for one in found:
            mark = hashlib.sha256(f"{one.name} {one.size} {one.modified_ns}".encode()).hexdigest()[:32]
            copy = copies(project) / f"{mark}-{Path(one.name).name}"
            looks.setdefault(one.name, Look(one.name, copy, one.size, one.modified_ns, one.name + options, whole=True))
    for name in sorted(looks):
        if not _passed_over(Path(name).name):
            yield looks[name]


def _passed_over(name: str) -> bool:
    """Whether a file is hidden, or named as programs name what they have not finished."""
    return name.startswith(".") or name.endswith(_UNFINISHED)


def _origin(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _missing(source: Source, pattern: str, index: int) -> Finding:
    return Finding(
        "MP-5002",
        f"source {source.name!r} names the file {pattern!r}, which does not exist",
        "put the file there, or correct the path",
        source.place(f"paths.{index}"),
        severity="warning",
    )


def unreadable(source: Source, path: str, failed: OSError) -> Finding:
    """The warning about a file that the system does not let us read."""
    return Finding(
        "MP-5003",
        f"source {source.name!r} cannot read the file {path!r}: {failed.strerror or failed}",
        "give the user that runs Millpond permission to read the file",
        source.place("paths"),
        severity="warning",
    )
