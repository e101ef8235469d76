"""Landing a batch of files in one transaction: rows into bronze, unreadable records into quarantine, all counted.

The first attempt takes the files as they are. What it teaches (records that the engine refused, so that the good ones
behind them have other numbers; quotes that are never closed; a file that turns out damaged) goes into the next
attempt, after a rollback. Files without such trouble, nearly all, are read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from millpond.core.errors import EngineError, IngestError
from millpond.core.names import TableName, literal, quote
from millpond.core.schema import Column
from millpond.engines.engine import Session
from millpond.ingest.files.discovery import FoundFile
from millpond.ingest.files.problems import Problem
from millpond.ingest.files.repair import Written, keep_lines, split_records
from millpond.ingest.files.schema import Readable, landing
from millpond.sql.files import (
    CsvScan,
    JsonScan,
    drop_temporary,
    insert_files,
    json_unreadable,
    kept_records,
    numbered_lines,
    probe,
    refused_lines,
    refused_records,
    scans_of,
    shift_table,
)
from millpond.sql.quarantine import Rejects, insert_rejects

_ATTEMPTS = 6
_REJECTS = "landing_rejects"
_NUMBERED = "landing_numbered"
_RAW_LIMIT = 10_000
"""Characters after which the engine cuts a refused line."""
_SPLIT_AFTER = frozenset({"UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM", "INVALID ENCODING", "INVALID UNICODE"})


@dataclass(frozen=True)
class Target:
    """Where the records go: the table's own columns, the load's identity, its moment (UTC, naive), scratch space."""

    session: Session
    table: TableName
    columns: tuple[Column, ...]
    load: str
    at: datetime
    scratch: Path


@dataclass(frozen=True)
class Taken:
    """What came of one file: how many records landed and how many went to quarantine, or why it was refused."""

    file: FoundFile
    records: int = 0
    quarantined: int = 0
    problem: Problem | None = None
    later: bool = False


@dataclass
class _Item:
    """One file in a batch, with what the attempts have taught about it."""

    readable: Readable
    shifts: str | None = None
    refused: tuple[int, ...] = ()
    """Numbers of the records known to be bad, counted over all records of the file."""
    cut: tuple[int, ...] = ()
    """Those of them that are in `kept`, no more in the bytes that the engine reads."""
    kept: Path | None = None
    good: int | None = None
    lines: dict[int, int] = field(default_factory=dict)
    """Record number by line, of the records that the engine refused in this attempt."""

    @property
    def scan(self) -> CsvScan | JsonScan | None:
        scan = self.readable.scan
        return scan if isinstance(scan, CsvScan | JsonScan) else None

    @property
    def path(self) -> str:
        return str(self.readable.file.bytes_at)

    @property
    def before(self) -> int:
        """Lines before the first record, as the engine counts them."""
        scan = self.readable.scan
        return scan.skip + scan.header if isinstance(scan, CsvScan) else 0

    @property
    def expected(self) -> int:
        """Records that the engine should see, if each stands on one line."""
        if self.good is not None:
            return self.good
        if self.readable.records is not None:
            return self.readable.records
        dialect = self.readable.file.examined.dialect
        head = sum(cell.count("\n") for cell in dialect.first) if dialect and dialect.header else 0
        return max(self.readable.file.examined.lines - self.before - head, 0)


class _Again(IngestError):
    """Roll back: the batch must be read again with what was learned."""

    def __init__(self) -> None:
        super().__init__(
            "MP-5008",
            "files could not be read twice with the same result",
            next_step="run again when nothing writes to the files",
        )


def land_batch(target: Target, readables: Sequence[Readable]) -> list[Taken]:
    """Land files of one format. Raises IngestError MP-5008 where they keep changing, EngineError where the lake fails."""
    items = [_Item(readable) for readable in readables]
    done: list[Taken] = []
    for item in list(items):
        _keep_bad_json(target, item)
    for attempt in range(_ATTEMPTS):
        if not items:
            return done
        try:
            with target.session.transaction():
                return done + _attempt(target, items)
        except _Again:
            if attempt == _ATTEMPTS - 1:
                raise
        except EngineError:
            if not _blame(target, items):
                raise
        finally:
            _forget(target, items)
        done += _set_aside(items)
        _renumber(target, items)
    return done


def _set_aside(items: list[_Item]) -> list[Taken]:
    """Take files out of the batch that turned out damaged or changed meanwhile."""
    out: list[Taken] = []
    for item in list(items):
        file = item.readable.file
        if not file.unchanged_on_disk():
            out.append(Taken(file, later=True))
        elif item.problem:
            out.append(Taken(file, problem=item.problem))
        else:
            continue
        items.remove(item)
    return out
