"""Telling from a file's name and beginning what it is and how it is written. Pure: texts in, records out."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS
from millpond.ingest.files.problems import Problem
from millpond.project.source import CsvOptions

DELIMITERS = (",", ";", "\t", "|")
HEAD = 1 << 16
"""Uncompressed bytes of a file that are looked at."""
_RECORDS = 500
_JUNK = 50
"""Most records before a header."""

_SUFFIXES = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "csv",
    ".json": "json",
    ".geojson": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_PACKED = (".gz", ".gzip", ".zst", ".zstd")
_MARKUP = re.compile(r"\s*<(!doctype|\?xml|html|head|body|error|!--)", re.IGNORECASE)
_FOREIGN = (
    (b"PAR1", "a Parquet file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"\x1f\x8b", "gzip inside its compression"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"\x7fELF", "a program"),
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|\.\d+)([eE][+-]?\d+)?%?")
_MOMENT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2}.*)?")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")


@frozen
class Dialect:
    """How a delimited file is written.

    `first` holds the cells of the first record after the junk: the header where `header` says so. `skip` counts the
    lines before it; `odd_junk` says that some are empty or hold quotes, so that the engine would count them otherwise.
    """

    delimiter: str
    quote: str
    escape: str
    header: bool
    skip: int
    width: int
    first: tuple[str, ...]
    odd_junk: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names: those of the header, made usable, else column_1, column_2 and so on."""
        return column_names(self.first if self.header else (), self.width)


def column_names(cells: Sequence[str], width: int) -> tuple[str, ...]:
    """Usable names for the cells of a header: outer blanks off, empty ones column_3, repeated ones name_2."""
    taken = {name.lower() for name in ORIGIN_COLUMNS}
    wanted = [" ".join(cell.split()) for cell in cells[:width]]
    written = {name.lower() for name in wanted if name}
    names = []
    for index in range(width):
        name = wanted[index] if index < len(wanted) else ""
        unique, number = name or f"column_{index + 1}", 2
        while unique.lower() in taken or (unique != name and unique.lower() in written):
            unique, number = f"{name or f'column_{index + 1}'}_{number}", number + 1
        taken.add(unique.lower())
        names.append(unique)
    return tuple(names)


def format_of(name: str, head: bytes) -> str:
    """The format by a file's name, else by its first bytes: csv, tsv, json, ndjson or parquet."""
    stem = name.lower()
    for packed in _PACKED:
        stem = stem.removesuffix(packed)
    told = next((kind for suffix, kind in _SUFFIXES.items() if stem.endswith(suffix)), None)
    if told is not None and not stem.endswith(".txt"):
        return told
    if head.startswith(b"PAR1"):
        return "parquet"
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if beginning[:1] == b"{":
        return "ndjson" if json_layout(head.decode("utf-8", "replace")) == "lines" else "json"
    return "json" if beginning[:1] == b"[" else (told or "csv")


def json_layout(head: str) -> str:
    """How JSON is laid out: array, lines (an object on each line), or values (objects one after another)."""
    text = head.lstrip("\ufeff \t\r\n")
    if text[:1] == "[":
        return "array"
    first, _, rest = text.partition("\n")
    return "lines" if rest.strip() and _is_json(first) else "values"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def foreign(head: bytes, kind: str) -> Problem | None:
    """What else the bytes are, where they cannot be a file of this kind; `head` is uncompressed."""
    if kind == "parquet":
        return None if head.startswith(b"PAR1") else Problem("not_parquet", "it does not begin as a Parquet file")
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            return Problem("binary", f"it is {what}")
    return None


def foreign_text(text: str, kind: str, whole: bool) -> Problem | None:
    """What else a text is, where it cannot be a file of this kind; `whole` says that it is all of the file."""
    if _MARKUP.match(text.lstrip("\ufeff")):
        return Problem("markup", "it is a web page or XML")
    if len(_CONTROL.findall(text)) > max(8, len(text) // 10):
        return Problem("binary", "it is not text")
    if kind in ("csv", "tsv"):
        beginning = text.lstrip("\ufeff \t\r\n")
        if whole and beginning[:1] in ("{", "[") and _is_json(beginning):
            return Problem("json", "it is JSON")
        return None
    if text.strip("\ufeff \t\r\n")[:1] not in ("{", "[") and not _begins_as_value(text):
        return Problem("not_json", "it does not begin as JSON")
    return None


def _begins_as_value(text: str) -> bool:
    return bool(re.match(r'\s*(["\-\d]|true\b|false\b|null\b|NaN\b)', text.lstrip("\ufeff")))


def sniff_csv(head: str, options: CsvOptions, *, whole: bool, tabs: bool = False) -> Dialect:
    """The dialect of a delimited file by its beginning; what `options` declares is not asked."""
    quote = '"' if options.quote is None else options.quote
    escape = options.escape if options.escape is not None else quote
    lines = io.StringIO(head.removeprefix("\ufeff"), newline="")
    junk = [lines.readline() for _ in range(options.skip or 0)]
    text = lines.read()
    candidates = (options.delimiter,) if options.delimiter else (("\t", *DELIMITERS) if tabs else DELIMITERS)
    parsed = [(delimiter, _records(text, delimiter, quote, escape, whole)) for delimiter in dict.fromkeys(candidates)]
    delimiter, (records, starts) = max(parsed, key=lambda pair: _regularity(pair[1][0]))
    at = 0 if options.skip is not None else _header_at(records, options.header)
    skip = len(junk) + (starts[at] if starts else 0)
    junk += io.StringIO(text, newline="").readlines()[: skip - len(junk)]
    odd = any(not line.strip("\r\n") or (quote and quote in line) for line in junk)
    return _dialect(Dialect(delimiter, quote, escape, True, skip, 1, (), odd), records[at:], options.header)


def _records(text: str, delimiter: str, quote: str, escape: str, whole: bool) -> tuple[list[list[str]], list[int]]:
    """The first records, and how many lines stand before each; the last is left out where the text ends inside it."""
    source = io.StringIO(text, newline="")
    rows: list[list[str]] = []
    starts: list[int] = []
    if len(delimiter) > 1:  # the csv module knows delimiters of one character only
        rows = [line.rstrip("\r\n").split(delimiter) for line in source]
        starts = list(range(len(rows)))
    else:
        reader = csv.reader(source, **_reader_options(delimiter, quote, escape))
        before = 0
        with contextlib.suppress(csv.Error):  # a field over the module's limit: what was read so far tells enough
            for row in reader:
                rows.append(row)
                starts.append(before)
                before = reader.line_num
    if not whole and len(rows) > 1:
        rows.pop()
    full = [(row, start) for row, start in zip(rows, starts, strict=False) if row and row != [""]]
    return [row for row, _ in full[:_RECORDS]], [start for _, start in full[:_RECORDS]]


def _reader_options(delimiter: str, quote: str, escape: str) -> dict[str, Any]:
    if not quote:
        return {"delimiter": delimiter, "quoting": csv.QUOTE_NONE}
    doubled = escape in (quote, "")
    return {
        "delimiter": delimiter,
        "quotechar": quote,
        "doublequote": doubled,
        "escapechar": None if doubled else escape,
    }


def _regularity(records: list[list[str]]) -> tuple[float, float, int]:
    """How evenly records are divided (0 where they are not), how exactly, then into how many fields.

    Decimal commas divide every line of numbers alike, and its header not.
    """
    widths = Counter(len(record) for record in records)
    width, count = _usual_width(widths)
    if width < 2:
        return (0.0, 0.0, width)
    return (round(count / len(records), 2), round(widths[width] / len(records), 2), width)


def _usual_width(widths: Counter[int]) -> tuple[int, int]:
    """The width that most records have, and how many have it or one empty field more."""
    if not widths:
        return (0, 0)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    return (width, count + widths[width + 1] + widths[width - 1])


def _header_at(records: list[list[str]], header: bool | None) -> int:
    """How many records stand before the header (or the first data): those of another width, or all but empty."""
    width, _ = _usual_width(Counter(len(record) for record in records))
    if width < 2:
        return 0
    for index, record in enumerate(records[:_JUNK]):
        filled = sum(bool(cell.strip()) for cell in record)
        if _fits(record, records, width) and (filled > 1 or (width == 2 and filled)):
            return index if header is True or _is_header(record, records[index + 1 :]) else 0
    return 0


def _fits(record: list[str], records: list[list[str]], width: int) -> bool:
    """Whether a record is as wide as the data, whose lines may all end with a delimiter that the header lacks."""
    if len(record) == width:
        return True
    usual = [other for other in records if len(other) == width]
    return len(record) == width - 1 and all(not other[-1].strip() for other in usual)


def _dialect(found: Dialect, records: list[list[str]], header: bool | None) -> Dialect:
    """The dialect completed by its records, which begin with the header or with data."""
    first = records[0] if records else []
    named = (_is_header(first, records[1:]) if records else True) if header is None else header
    data = records[1:] if named and len(records) > 1 else records
    width, _ = _usual_width(Counter(len(record) for record in data))
    if named and len(first) != width and len(records) > 1:
        width = len(first) if _fits(first, data, width) else max(width, len(first))
    return replace(found, header=named, width=max(width, 1), first=tuple(first))


def _is_header(first: list[str], rest: list[list[str]]) -> bool:
    """Whether a record names the columns: no value in it, and best where the columns below hold values."""
    cells = [cell.strip() for cell in first]
    score = 0
    for index, cell in enumerate(cells):
        below = [row[index].strip() for row in rest if index < len(row) and row[index].strip()]
        values = sum(_is_value(text) for text in below)
        if below and values * 2 > len(below):
            score += -1 if _is_value(cell) else 1
    if score:
        return score > 0
    names = [cell.lower() for cell in cells if cell]
    return not any(map(_is_value, names)) and len(set(names)) == len(names)


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _MOMENT.fullmatch(cell)) or cell.lower() in ("true", "false", "null")
