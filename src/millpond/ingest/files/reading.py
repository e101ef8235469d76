"""From a found file to one whose fields are known and that the engine can scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from millpond.core.errors import EngineError
from millpond.engines.engine import Session
from millpond.ingest.files.discovery import FoundFile
from millpond.ingest.files.problems import Problem, blames_file
from millpond.ingest.files.recode import recoded
from millpond.ingest.files.schema import Readable
from millpond.ingest.files.sniff import column_names
from millpond.project.source import FilesSource
from millpond.sql.files import CsvScan, JsonScan, ParquetScan, json_keys, parquet_columns, parquet_count

_LONGEST_DOCUMENT = 1 << 27
"""Most bytes of one JSON value in a document; the engine keeps room for it in each thread."""


def read(file: FoundFile, settings: FilesSource, session: Session, scratch: Path) -> Readable | Problem:
    """Find out a file's fields. A copy is made in `scratch` where the engine cannot read the bytes as they are.

    Raises OSError where the file or the scratch folder fails.
    """
    if file.examined.empty or (file.examined.dialect and not file.examined.dialect.first):
        return Readable(file, CsvScan(file.absolute, "none", 1, ",", "", "", header=False, skip=0), (), (), records=0)
    if file.examined.recode:
        file = _copied(file, scratch)
    if file.examined.format in ("csv", "tsv"):
        return _delimited(file, settings)
    return _json(file, session) if file.examined.format != "parquet" else _parquet(file, session)


def _copied(file: FoundFile, scratch: Path) -> FoundFile:
    target = scratch / f"{file.examined.content}.copy"
    lines = recoded(file.absolute, file.examined, target)
    dialect = replace(file.examined.dialect, skip=0) if file.examined.dialect else None
    examined = replace(file.examined, compression="none", lines=lines, dialect=dialect)
    return replace(file, examined=examined, copy=target)


def _delimited(file: FoundFile, settings: FilesSource) -> Readable | Problem:
    dialect = file.examined.dialect
    if dialect is None:
        return Problem("no_dialect", "its fields cannot be told apart")
    scan = CsvScan(
        file.bytes_at,
        file.examined.compression,
        dialect.width,
        dialect.delimiter,
        dialect.quote,
        dialect.escape,
        dialect.header,
        dialect.skip,
        tuple(settings.csv.null),
    )
    declared = tuple(settings.columns or ())
    names = declared if not dialect.header and len(declared) == dialect.width else dialect.names
    return Readable(file, scan, names, ("VARCHAR",) * dialect.width)


def _json(file: FoundFile, session: Session) -> Readable | Problem:
    longest = min(max(file.examined.size, 1 << 24), _LONGEST_DOCUMENT)
    scan = JsonScan(file.bytes_at, file.examined.compression, file.examined.layout, longest=longest)
    try:
        rows = session.rows(json_keys(scan))
    except EngineError as failed:
        if not blames_file(failed):
            raise
        return Problem("not_json", f"it is no JSON: {failed.finding.message}")
    total, good = next(((row[2], row[3]) for row in rows if row[0] is None), (0, 0))
    if total and not good:
        return Problem("not_json", "not one of its lines is JSON")
    keys = tuple(row[0] for row in rows if row[0] is not None)
    names = column_names(keys, len(keys))
    return Readable(file, replace(scan, keys=keys), names, ("VARCHAR",) * len(keys), good, total - good)


def _parquet(file: FoundFile, session: Session) -> Readable | Problem:
    scan = ParquetScan(file.bytes_at)
    try:
        schema = session.describe(parquet_columns(scan))
        records, wide = session.rows(parquet_count(scan))[0]
    except EngineError as failed:
        if not blames_file(failed):
            raise
        return Problem("damaged_parquet", f"it is no readable Parquet file: {failed.finding.message}")
    if wide is not None:
        return Problem("wide_decimal", f"its column {wide!r} has decimals of more than 38 digits, which no table holds")
    types = tuple(column.type for column in schema)
    return Readable(file, replace(scan, names=schema.names), column_names(schema.names, len(types)), types, records)
