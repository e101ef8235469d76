"""Partition fields as text: `day(ts)`, `bucket(16, id)`, or a column's name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from millpond.core.errors import Location
from millpond.core.names import closest
from millpond.project.findings import Findings
from millpond.project.model import Partition
from millpond.project.yaml_file import Document

_TIMES = ("year", "month", "day", "hour")
_COUNTED = ("bucket", "truncate")
_CALL = re.compile(r"\s*([^\s()]+)\s*\(([^()]*)\)\s*\Z")
_COLUMN = re.compile(r'\s*(?:"([^"]+)"|([^\s",()]+))\s*\Z')


def partitions(texts: tuple[str, ...], document: Document, findings: Findings) -> tuple[Partition, ...]:
    """Read what stands under `partition`; problems are noted as MP-1024, and as MP-1039 what stands there twice."""
    made: list[Partition] = []
    for position, text in _whole_calls(texts):
        where = document.value_place(("partition", position))
        field = partition(text, where, findings)
        if field is not None and field in made:
            findings.add("MP-1039", f'"{text}" is a partition field twice', next_step="name it once", where=where)
        elif field is not None:
            made.append(field)
    return tuple(made)


def _whole_calls(texts: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The entries, with `bucket(16, id)` put together again where YAML's brackets took its comma for their own."""
    open_at, call = 0, ""
    for position, text in enumerate(texts):
        open_at, call = (open_at, f"{call}, {text}") if call else (position, text)
        if call.count("(") <= call.count(")"):
            yield open_at, call
            call = ""
    if call:
        yield open_at, call


def partition(text: str, where: Location, findings: Findings) -> Partition | None:
    """Read one partition field; a problem is noted as MP-1024."""
    call = _CALL.match(text)
    if call is None:
        column = _column(text)
        if column:
            return Partition(column, "identity")
        _refuse(f'"{text}" is not a partition field', where, findings)
        return None
    transform, arguments = call[1].lower(), call[2].split(",")
    if transform not in (*_TIMES, *_COUNTED):
        near = closest(transform, (*_TIMES, *_COUNTED))
        _refuse(f'"{call[1]}" is not a partition transform', where, findings, near)
        return None
    if transform in _TIMES:
        column = _column(arguments[0]) if len(arguments) == 1 else None
        if column:
            return Partition(column, transform)
        _refuse(f"{transform} takes one column, as in {transform}(ts)", where, findings)
        return None
    column = _column(arguments[1]) if len(arguments) == 2 else None
    count = arguments[0].strip()
    if column and count.isascii() and count.isdigit() and 0 < int(count) < 2**31:
        return Partition(column, transform, int(count))
    _refuse(f"{transform} takes a number and a column, as in {transform}(16, id)", where, findings)
    return None


def _column(text: str) -> str | None:
    match = _COLUMN.match(text)
    return (match[1] or match[2]) if match else None


def _refuse(message: str, where: Location, findings: Findings, suggestion: str | None = None) -> None:
    findings.add(
        "MP-1024",
        message,
        next_step="write year(c), month(c), day(c), hour(c), bucket(n, c), truncate(n, c) or a column's name",
        where=where,
        suggestion=suggestion,
    )
