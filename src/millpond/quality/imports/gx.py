"""Suites of Great Expectations: JSON files with a list of expectations, of versions 0.x and 1.x."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from millpond.core.errors import Location, QualityError
from millpond.project.text_file import line_and_column, read
from millpond.quality.imports.expectations import expectation
from millpond.quality.imports.translation import Left, Result, UntranslatableError, checked

_LIST = re.compile(r'"expectations"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")
_SEVERITIES = {"critical": "stop", "warning": "warn", "info": "warn"}


def read_suite(path: Path, model: str | None) -> tuple[Result, ...]:
    """Every expectation of a suite, as a check for a model or as what is left.

    Raises ProjectError MP-1002, MP-1003 and MP-1029 where the file cannot be read, QualityError MP-6402 where it is no
    suite.
    """
    text = read(path)
    try:
        suite = json.loads(text)
    except ValueError as wrong:
        line = wrong.lineno if isinstance(wrong, json.JSONDecodeError) else 0
        raise _no_suite(Location(path, line), f"it is not valid JSON: {wrong}") from wrong
    found = suite.get("expectations") if isinstance(suite, dict) else None
    if not isinstance(found, list):
        raise _no_suite(Location(path), "it has no list of expectations")
    places = _places(text, path, len(found))
    return tuple(_one(said, model, where) for said, where in zip(found, places, strict=True))


def _one(said: Any, model: str | None, where: Location) -> Result:
    if not isinstance(said, dict) or not isinstance(said.get("type") or said.get("expectation_type"), str):
        return Left(model, "an expectation", "it has no type", where)
    name, given = said.get("type") or said["expectation_type"], said.get("kwargs") or {}
    column = given.get("column") if isinstance(given, dict) else None
    origin = f"{name}({column})" if column else name
    if not isinstance(given, dict):
        return Left(model, origin, "its kwargs are no mapping", where)
    severity = _SEVERITIES.get(str(said.get("severity") or given.get("severity") or "critical"), "stop")
    try:
        entry, note = expectation(name, given, severity)
    except UntranslatableError as reason:
        return Left(model, origin, str(reason), where)
    return checked(model, entry, origin, where, note)


def _places(text: str, path: Path, count: int) -> Iterator[Location]:
    """Where each expectation of the list begins. JSON may say the word elsewhere too: then only the file is told."""
    decoder = json.JSONDecoder()
    for opening in _LIST.finditer(text):
        at, found = opening.end(), []
        for _ in range(count):
            gap = _BETWEEN.match(text, at)
            at = gap.end() if gap else at
            try:
                _, end = decoder.raw_decode(text, at)
            except ValueError:
                break
            line, column = line_and_column(text, at)
            found.append(Location(path, line, column))
            at = end
        if len(found) == count and text[at:].lstrip().startswith("]"):
            yield from found
            return
    yield from (Location(path) for _ in range(count))


def _no_suite(where: Location, told: str) -> QualityError:
    return QualityError(
        "MP-6402",
        f"this is no suite of Great Expectations: {told}",
        next_step="name the JSON files under `expectations/` of its project",
        where=where,
    )
