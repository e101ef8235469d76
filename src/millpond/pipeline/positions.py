"""Taking rows out of a table by their places in files: the delete files that a step writes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from millpond.catalog import manifests
from millpond.catalog.deleting import DeleteFile, deletion
from millpond.catalog.files import local
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.staging import Stage, TableChange
from millpond.core.names import TableName
from millpond.engines.engine import Session
from millpond.sql.positions import create_files, write_places


def tell_places(session: Session, metadata: TableMetadata) -> None:
    """Make ready for queries that tell where a table's rows stand."""
    listed = manifests.of_snapshot(metadata.current_snapshot)
    session.execute(
        create_files([file.path for one in listed if one.content == "data" for file in manifests.files(one)])
    )


def write_deletes(session: Session, metadata: TableMetadata, counts: Mapping[str, int]) -> tuple[DeleteFile, ...]:
    """Write the delete files of the rows in the relation `places`; `counts` has how many there are of each file."""
    return tuple(_write(session, metadata.location, path, count) for path, count in counts.items())


def _write(session: Session, location: str, target: str, count: int) -> DeleteFile:
    folder = Path(local(target)).parent
    if not folder.is_relative_to(local(location)):
        folder = Path(local(location)) / "data"
    path = str(folder / f"{uuid.uuid4()}-deletes.parquet")
    session.execute(write_places(target, path))
    return DeleteFile(path, target, count, Path(path).stat().st_size)


def stage_deletes(stage: Stage, table: TableName, written: Sequence[DeleteFile], now_ms: int) -> None:
    """Stage the table without the rows that delete files name. Raises as `deletion` does."""
    if written:
        stage.commit((TableChange(table, (), deletion(stage.metadata(table), written, now_ms)),))
