"""Taking single unreadable records out of text files, so that the engine reads all others.

The engine's CSV reader loses everything behind a quote that is never closed, gives refused records cut to 10,000
characters, and stops at a file whose lines end in different ways. Files in which it met such a thing are split here,
line by line, into a clean copy and the records that cannot be in it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

from millpond.core.records import frozen
from millpond.ingest.files.compression import Contents

_LONGEST = 2_097_152
"""Bytes in one record, as the engine's own limit (`max_line_size`)."""


@frozen
class Written:
    """How records are told apart: `quote` and `escape` are empty where there are none; `width` fields are expected."""

    delimiter: bytes
    quote: bytes
    escape: bytes
    width: int


@frozen
class Split:
    """What a split gave: the number of good records, and those of the others (from 1, counted over all of them)."""

    good: int
    cut: tuple[int, ...]


def text_lines(path: Path, compression: str) -> Iterator[bytes]:
    """The lines of a file without their ends; a file without any line feed is split at carriage returns."""
    with path.open("rb", buffering=0) as stream:
        rest, end = b"", b"\n"
        for piece in Contents(stream, compression):
            if not rest and b"\n" not in piece and b"\r" in piece:
                end = b"\r"
            *lines, rest = (rest + piece).split(end)
            yield from (line.removesuffix(b"\r") for line in lines)
        if rest:
            yield rest.removesuffix(b"\r")


def keep_lines(path: Path, compression: str, numbers: Collection[int], kept: Path, rule: str, reason: str) -> None:
    """Write the non-empty lines with these numbers (from 1) to `kept`, a JSON object each."""
    wanted = frozenset(numbers)
    with kept.open("w", encoding="utf-8") as out:
        number = 0
        for line in text_lines(path, compression):
            number += bool(line.strip())
            if number in wanted and line.strip():
                out.write(_kept(number, line, rule, reason))


def split_records(
    path: Path, compression: str, written: Written, skip: int, also: Collection[int], clean: Path, kept: Path
) -> Split:
    """Split a delimited file behind its first `skip` records (which go into the clean copy as they are).

    Records whose quotes are wrong go to `kept`, as do those that `also` names by number, empty lines counted.
    """
    good, cut, number, counted = 0, [], 0, 0
    with clean.open("wb") as out, kept.open("w", encoding="utf-8") as rejected:
        for record, fault in _records(text_lines(path, compression), written):
            if skip:
                skip -= 1
                out.write(record + b"\n")
                continue
            counted += 1
            if not record:
                continue
            number += 1
            rule, reason = fault or ("unreadable", "the engine could not read the record")
            if fault is None and counted not in also:
                good += 1
                out.write(record + b"\n")
                continue
            cut.append(number)
            rejected.write(_kept(number, record, rule, reason))
    return Split(good, tuple(cut))


def _kept(number: int, record: bytes, rule: str, reason: str) -> str:
    raw = record.decode("utf-8", "backslashreplace")
    return json.dumps({"number": number, "raw": raw, "rule": rule, "reason": reason}) + "\n"


def _records(lines: Iterator[bytes], written: Written) -> Iterator[tuple[bytes, tuple[str, str] | None]]:
    """Records that may span lines, with what is wrong with their quotes."""
    waiting: list[bytes] = []
    while True:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            return
        state = _quotes(line, written)
        if state != "open":
            yield line, _FAULTS.get(state)
            continue
        more, joined = _closed(line, lines, waiting, written)
        if joined is None:
            waiting.extend(reversed(more))
            yield line, _FAULTS["open"]
        else:
            yield joined, _FAULTS.get(_quotes(joined, written))


def _closed(
    first: bytes, lines: Iterator[bytes], waiting: list[bytes], written: Written
) -> tuple[list[bytes], bytes | None]:
    """The lines read on from an open quote, and the whole record, None where the quote is never closed."""
    more: list[bytes] = []
    size = len(first)
    while size < _LONGEST:
        line = waiting.pop() if waiting else next(lines, None)
        if line is None:
            break
        more.append(line)
        size += len(line) + 1
        if written.quote in line:
            joined = b"\n".join((first, *more))
            state = _quotes(joined, written)
            if state == "wrong" and _alone(line, written):
                break
            if state != "open":
                return more, joined
    return more, None


def _alone(line: bytes, written: Written) -> bool:
    """Whether a line looks like a record of its own: the quote before it was never closed."""
    if written.width < 2 or _quotes(line, written) != "fine":
        return False
    return sum(1 for _ in _fields(line, written)) == written.width


_FAULTS = {
    "open": ("unclosed_quote", "a quote is opened and never closed"),
    "wrong": ("unquoted_value", "text follows a closing quote"),
}


def _quotes(record: bytes, written: Written) -> str:
    """fine, open (a quoted field does not end) or wrong (something other than a delimiter follows a quoted field)."""
    if not written.quote or written.quote not in record:
        return "fine"
    return next((state for state in _fields(record, written) if state != "fine"), "fine")


def _fields(record: bytes, written: Written) -> Iterator[str]:
    """The state of each field, up to the first that is not fine."""
    quote, delimiter = written.quote, written.delimiter
    position, more = 0, True
    while more:
        start = _behind_blanks(record, position)
        if quote and record.startswith(quote, start):
            end = _end_of_quoted(record, start + 1, written)
            if end < 0:
                yield "open"
                return
            position = _behind_blanks(record, end + 1)
            more = position < len(record)
            if more and not record.startswith(delimiter, position):
                yield "wrong"
                return
        else:
            position = record.find(delimiter, position)
            more = position >= 0
        yield "fine"
        position += len(delimiter)


def _behind_blanks(record: bytes, position: int) -> int:
    while record.startswith(b" ", position):
        position += 1
    return position


def _end_of_quoted(record: bytes, position: int, written: Written) -> int:
    quote, escape = written.quote, written.escape
    while True:
        end = record.find(quote, position)
        if end < 0:
            return -1
        if escape in (quote, b""):
            if record[end + 1 : end + 2] != quote:
                return end
            position = end + 2
        else:
            escapes = end - len(record[:end].rstrip(escape))
            if escapes % 2 == 0:
                return end
            position = end + 1
