"""What a person says a quarantined record should be: columns set by hand, computed, or a file of edited records."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from millpond.core.encoding import decoded, encoded
from millpond.core.errors import Location, QualityError
from millpond.core.names import closest
from millpond.core.records import frozen

Record = dict[str, Any]
"""A record's fields by column: text, numbers, true and false, None, or what is nested."""

ID, PART = "_id", "_part"
KEPT = "_rescued"
"""The one column that begins with `_` and may be edited: what fitted no column."""

_BEGIN = "begin with what `millpond quarantine show --raw` prints"


@frozen
class Assignments:
    """Columns set to a text (None: NULL), or computed by an SQL expression over the record's columns."""

    values: Mapping[str, str | None] = field(default_factory=dict)
    expressions: Mapping[str, str] = field(default_factory=dict)


@frozen
class Line:
    """One edited record: whose it is, which part of it, what it says, and where."""

    id: str
    part: int
    fields: Record
    where: Location


def assignments(given: Sequence[str], nulls: Sequence[str], computed: Sequence[str]) -> Assignments:
    """What `--set NAME=VALUE`, `--unset NAME` and `--sql NAME=EXPRESSION` say.

    Raises QualityError MP-6126 for one without `=`, or a column that is named twice.
    """
    values: dict[str, str | None] = dict(map(_pair, given))
    expressions = dict(map(_pair, computed))
    names = [_pair(word)[0].lower() for word in (*given, *computed)] + [name.lower() for name in nulls]
    for name in names:
        if names.count(name) > 1:
            raise _wrong(f"the column {name!r} is set twice", "say once what it should be")
    return Assignments(values | dict.fromkeys(nulls), expressions)


def _pair(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or not name.strip():
        raise _wrong(f"{word!r} sets nothing", "write it as NAME=VALUE")
    return name.strip(), value


def edited(path: Path) -> tuple[Line, ...]:
    """The records of an edited file, NDJSON or CSV with a header.

    Raises QualityError MP-6126 with the place of what cannot be read, or of a record that is there twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as failed:
        raise _wrong(f"{path} is not written in UTF-8", "save it in UTF-8", Location(path)) from failed
    lines = tuple(_json_lines(text, path) if text.lstrip()[:1] == "{" else _csv_lines(text, path))
    if not lines:
        raise _wrong(f"{path} holds no record", _BEGIN, Location(path))
    seen: set[tuple[str, int]] = set()
    for line in lines:
        if (line.id, line.part) in seen:
            raise _wrong(f"the record {line.id} is in the file twice", "leave one of them out", line.where)
        seen.add((line.id, line.part))
    return lines


def _json_lines(text: str, path: Path) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = Location(path, number)
        try:
            said = decoded(line)
            encoded(said).encode()
        except (ValueError, RecursionError) as failed:
            raise _wrong(f"this line is no JSON: {failed}", "write one object a line", where) from failed
        if not isinstance(said, dict):
            raise _wrong("this line is no JSON object", "write one object a line", where)
        yield _line(said, where)


def _csv_lines(text: str, path: Path) -> Iterator[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            where = Location(path, reader.line_num)
            if header is None:
                header = row
            elif row:
                if len(row) != len(header):
                    raise _wrong(
                        f"{len(header)} fields are expected here, not {len(row)}", "put in what is missing", where
                    )
                yield _line({name: value or None for name, value in zip(header, row, strict=True)}, where)
    except csv.Error as failed:
        raise _wrong(f"this is no CSV: {failed}", "correct the line", Location(path, reader.line_num)) from failed


def _line(said: Record, where: Location) -> Line:
    identity, part = said.get(ID), said.get(PART) or 1
    if not isinstance(identity, str) or not identity:
        raise _wrong(f"the record has no {ID}", _BEGIN, where)
    if not str(part).isdigit():
        raise _wrong(f"{PART} is no number: {part}", "leave it as it was", where)
    fields = {name: value for name, value in said.items() if not name.startswith("_") or name == KEPT}
    return Line(identity, int(part), fields, where)


def changed(record: Record, fields: Mapping[str, Any], columns: Sequence[str], where: Location | None = None) -> Record:
    """The record with some fields changed. Raises QualityError MP-6122 for what is no column of its bronze table."""
    known = {name.lower(): name for name in (*columns, KEPT)}
    made = dict(record)
    for name, value in fields.items():
        if name.lower() not in known:
            raise QualityError(
                "MP-6122",
                f"there is no column {name!r} in the record",
                next_step=f"the columns are {', '.join(columns)}",
                where=where,
                suggestion=closest(name, columns),
            )
        made[known[name.lower()]] = value
    return made


def _wrong(told: str, next_step: str, where: Location | None = None) -> QualityError:
    return QualityError("MP-6126", told, next_step=next_step, where=where)
