"""Files that are no such files at all: their bytes are kept by content, and each path is a row in quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from millpond.ingest.files.batch import Target
from millpond.ingest.files.discovery import FoundFile
from millpond.ingest.files.problems import Problem
from millpond.ingest.keeping import keep_copy
from millpond.sql.files import refused_files

_REFUSED = "landing_refused"


def keep_bytes(file: FoundFile, warehouse: Path) -> Path | None:
    """Copy a file's bytes to `quarantine/files/<sha256>` and sync them; None where they are no more what was hashed."""
    target = warehouse / "quarantine" / "files" / file.examined.content
    if target.exists() and target.stat().st_size == file.size:
        return target
    return keep_copy(file.absolute, warehouse, file.examined.content)


def quarantine_files(target: Target, rejected: Sequence[tuple[FoundFile, Problem, Path]]) -> None:
    """Insert one quarantine row for each path, with where its bytes are kept."""
    if not rejected:
        return
    columns = [
        [file.path for file, _, _ in rejected],
        [problem.rule for _, problem, _ in rejected],
        [problem.reason for _, problem, _ in rejected],
        [str(kept) for _, _, kept in rejected],
        [file.examined.content for file, _, _ in rejected],
    ]
    target.session.execute(refused_files(_REFUSED), columns)
    target.reject(_REFUSED, "file", raw="NULL", content_path="content_path", position="NULL", same="content")
