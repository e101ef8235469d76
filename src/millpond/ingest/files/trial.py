"""One file in a batch, and what the attempts to land it have taught about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from millpond.core.records import frozen
from millpond.ingest.files.problems import Problem
from millpond.ingest.files.repair import Written, keep_lines, split_records
from millpond.ingest.files.schema import Readable
from millpond.sql.files import CsvScan

RAW_LIMIT = 10_000
"""Characters after which the engine cuts a refused line."""
_UNCLEAR = frozenset({"LINE SIZE OVER MAXIMUM", "INVALID ENCODING", "INVALID UNICODE"})
_QUOTES = "UNQUOTED VALUE"


@frozen
class RefusedLine:
    """A record that the engine refused: its line as the engine counts, the error's kind, the length of what it kept."""

    line: int
    error: str
    length: int


@dataclass
class Trial:
    """A file on its way into bronze.

    `refused` holds the numbers of all its bad records, counted over all records; `cut` those of them that were taken
    out into `kept`, so that the engine does not meet them; `present` the number of those it does, where it was counted.
    """

    readable: Readable
    refused: tuple[int, ...] = ()
    cut: tuple[int, ...] = ()
    kept: Path | None = None
    split: bool = False
    present: int | None = None
    problem: Problem | None = None

    @property
    def scan(self) -> CsvScan | None:
        """Its scan, if it is a delimited file."""
        return self.readable.scan if isinstance(self.readable.scan, CsvScan) else None

    @property
    def read_at(self) -> str:
        """Where the engine reads it."""
        return str(self.readable.scan.path)

    @property
    def lines(self) -> int:
        """Lines that hold records."""
        dialect = self.readable.file.examined.dialect
        head = sum(cell.count("\n") for cell in dialect.first) if dialect and dialect.header else 0
        return max(self.readable.file.examined.lines - self.before - head, 0)

    @property
    def before(self) -> int:
        """Records before the first one with data, as the engine counts them."""
        return self.scan.skip + self.scan.header if self.scan else 0

    @property
    def engine_sees(self) -> int:
        """Records that the engine should meet, good and bad."""
        if self.present is not None:
            return self.present
        return self.lines if self.readable.records is None else self.readable.records

    def number(self, line: int) -> int:
        """Which record of the file a line is, cut ones counted."""
        number = line - self.before
        for missing in self.cut:
            if missing > number:
                break
            number += 1
        return number

    def learn(self, lines: Iterable[RefusedLine], scratch: Path) -> bool:
        """Take in what the engine refused; whether the file must be read again."""
        told = list(lines)
        if not self.split and any(line.error == _QUOTES or _unclear(line) for line in told):
            self.take_apart(scratch, [line.line - self.before for line in told if _unclear(line)])
            return True
        refused = tuple(sorted({*self.cut, *(self.number(line.line) for line in told)}))
        if refused == self.refused:
            return False
        self.refused = refused
        return bool(refused) and refused[0] <= self.engine_sees - len(told)  # else no good one stands behind a bad one

    def take_apart(self, scratch: Path, also: Iterable[int] = ()) -> None:
        """Split a delimited file into a clean copy and the records that cannot be in it, which go to `kept`."""
        scan = self.scan
        if scan is None:
            return
        stem = self.readable.file.examined.content
        clean, self.kept = scratch / f"{stem}.clean", scratch / f"{stem}.kept"
        written = Written(scan.delimiter.encode(), scan.quote.encode(), scan.escape.encode(), scan.width)
        result = split_records(scan.path, scan.compression, written, self.before, frozenset(also), clean, self.kept)
        self.split, self.present, self.cut, self.refused = True, result.good, result.cut, result.cut
        self.readable = replace(self.readable, scan=replace(scan, path=clean, compression="none"))

    def keep_bad_lines(self, numbers: Iterable[int], scratch: Path) -> None:
        """Keep the lines of a JSON file that are no JSON."""
        self.kept = scratch / f"{self.readable.file.examined.content}.kept"
        file = self.readable.file
        compression = "none" if file.copy else file.examined.compression
        keep_lines(file.bytes_at, compression, frozenset(numbers), self.kept, "not_json", "the line is no JSON")


def _unclear(line: RefusedLine) -> bool:
    return line.error in _UNCLEAR or line.length >= RAW_LIMIT
