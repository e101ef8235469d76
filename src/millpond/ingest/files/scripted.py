"""Sources whose contents a test scripts: read by the settings of the source, from no place outside the project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from millpond.core.errors import Finding
from millpond.ingest.files.looks import Look
from millpond.ingest.files.reader import FileReader
from millpond.project.model import Project, Source


def scripted_reader(source: Source, project: Project, contents: Mapping[str, bytes]) -> FileReader:
    """A reader that finds the contents, by their names, in place of what the paths of the source name."""

    def looks(_findings: list[Finding]) -> Iterator[Look]:
        for name, content in sorted(contents.items()):
            yield _look(name, project.state / "scripted" / source.name / name, content)

    return FileReader(source, project, looks)


def _look(name: str, file: Path, content: bytes) -> Look:
    if not file.exists() or file.read_bytes() != content:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    told = file.stat()
    return Look(name, file, told.st_size, told.st_mtime_ns, whole=True)
