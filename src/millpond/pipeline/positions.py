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
from millpond.sql.lake import in_lake
from millpond.sql.positions import (
    ENGINES_OWN,
    count_places,
    create_files,
    find_places,
    placed,
    write_named,
    write_places,
)
from millpond.tables.changes import whole
from millpond.tables.reading import ORIGIN, POSITION, rows_sql
from millpond.tables.slices import FileSlice, Reading


def tell_places(session: Session, table: TableName, metadata: TableMetadata, columns: Sequence[str]) -> str:
    """The query of some columns of a table's rows, and of their places. Raises CatalogError MP-3038 and MP-3036."""
    session.execute(create_files(tuple(_told(metadata))))
    if {name.lower() for name in metadata.schema().names}.isdisjoint(ENGINES_OWN):
        return placed(columns, in_lake(table))
    return placed(columns, f"({rows_sql(whole(metadata), columns, with_origin=True)}) AS rows", (ORIGIN, POSITION))


def _told(metadata: TableMetadata) -> dict[str, str]:
    """The data files of a table by what the engine may call them: the path that the table names, or that alone."""
    listed = [one for one in manifests.of_snapshot(metadata.current_snapshot) if one.content == "data"]
    paths = [entry.path for manifest in listed for entry in manifests.files(manifest)]
    return {local(path): path for path in paths} | {path: path for path in paths}


def write_deletes(session: Session, metadata: TableMetadata, counts: Mapping[str, int]) -> tuple[DeleteFile, ...]:
    """Write the delete files of the rows in the relation `places`; `counts` has how many there are of each file."""
    paths = _told(metadata) if counts else {}
    return tuple(_write(session, metadata.location, told, paths[told], count) for told, count in counts.items())


def write_moved(session: Session, location: str, gone: Reading, there: Sequence[str]) -> tuple[DeleteFile, ...]:
    """Write the delete files that take from the files `there` rows that are the same as those that `gone` reads.

    What they name is fewer rows than `gone` has where not all of these are there.
    """
    names = gone.layout.schema.names
    slices = tuple(FileSlice(path) for path in there)
    rows = rows_sql(Reading(slices, gone.layout), names, with_origin=True)
    session.execute(find_places(rows_sql(gone, names), rows, len(names)))
    paths = {local(path): path for path in there}
    counts = session.rows(count_places())
    return tuple(_write(session, location, told, paths[told], count) for told, count in counts)


def write_gathered(session: Session, location: str, part: FileSlice) -> DeleteFile:
    """Write one delete file that names what all those of a slice name; they name rows of its data file alone."""
    path = _beside(location, part.path)
    count = session.execute(write_named([local(one) for one in part.deletes], part.path, path))
    return DeleteFile(path, part.path, count, Path(path).stat().st_size)


def _write(session: Session, location: str, told: str, target: str, count: int) -> DeleteFile:
    path = _beside(location, target)
    session.execute(write_places(told, target, path))
    return DeleteFile(path, target, count, Path(path).stat().st_size)


def _beside(location: str, target: str) -> str:
    """The path of a new delete file: in the folder of its data file, or in the table's where that lies elsewhere."""
    folder = Path(local(target)).parent
    if not folder.is_relative_to(local(location)):
        folder = Path(local(location)) / "data"
    return str(folder / f"{uuid.uuid4()}-deletes.parquet")


def stage_deletes(stage: Stage, table: TableName, written: Sequence[DeleteFile], now_ms: int) -> None:
    """Stage the table without the rows that delete files name. Raises as `deletion` does."""
    stage.commit((TableChange(table, (), deletion(stage.metadata(table), written, now_ms)),))
