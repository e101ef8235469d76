"""Checks that a profile suggests: what holds of every row that there is, and may be meant to hold of all to come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS
from millpond.project.check import Check, CheckKind
from millpond.project.model import HISTORIES, Model
from millpond.quality.profile import ColumnProfile, Profile

MEMBERS = 20
"""A column with more distinct values than this is no list of words."""

ROWS_PER_MEMBER = 10
"""A list of words is only believed when each stands for that many rows on average."""

_HISTORY = ("valid_from", "valid_to", "is_current")
"""Columns that the kinds with a history add: no query gives them, so no check on rows can name them."""

_NEAR = 0.7
_KEYS = ("VARCHAR", "UUID", "BIGINT", "INTEGER", "HUGEINT")


@frozen
class Suggestion:
    """A check as front matter writes it, and what was seen."""

    entry: Mapping[str, Any]
    because: str


def unique_candidates(profile: Profile) -> tuple[str, ...]:
    """The columns that may name a row by themselves, by an estimate: their distinct values have to be counted."""
    return tuple(
        column.name
        for column in profile.columns
        if column.type in _KEYS and not column.nulls and _maybe_unique(column, profile.rows)
    )


def suggest(profile: Profile, model: Model | None, distinct: Mapping[str, int]) -> tuple[Suggestion, ...]:
    """The checks that every row of the profile passes, without those that the model has already.

    `distinct` says how many distinct values the candidates for `unique` have.
    """
    if not profile.rows:
        return ()
    had = {(check.kind, name) for check in (model.checks if model else ()) for name in _names(check)}
    key = model.row_key if model is not None else ()
    made = (*ORIGIN_COLUMNS, *(_HISTORY if model is not None and model.kind in HISTORIES else ()))
    columns = [column for column in profile.columns if column.name not in made]
    found = [*_not_null(columns, model, had, key), *_unique(columns, profile.rows, had, key, distinct)]
    for column in columns:
        found += [
            suggestion
            for kind, suggestion in _of_column(column, profile.rows)
            if (kind, column.name.lower()) not in had
        ]
    if ("row_count", "") not in had:
        found.append(Suggestion({"row_count": [1, None]}, f"{profile.rows:,} rows"))
    return tuple(found)


def _not_null(
    columns: Sequence[ColumnProfile], model: Model | None, had: set[tuple[CheckKind, str]], key: Sequence[str]
) -> Iterator[Suggestion]:
    """One check for all columns that always have a value; those of the key have one anyway."""
    notes = model.columns if model is not None else {}
    names = [
        column.name
        for column in columns
        if not column.nulls
        and column.name not in key
        and ("not_null", column.name.lower()) not in had
        and not (column.name in notes and notes[column.name].nullable is False)
    ]
    if names:
        yield Suggestion({"not_null": names}, "no row lacks a value")


def _unique(
    columns: Sequence[ColumnProfile],
    rows: int,
    had: set[tuple[CheckKind, str]],
    key: Sequence[str],
    distinct: Mapping[str, int],
) -> Iterator[Suggestion]:
    for column in columns:
        if tuple(key) == (column.name,) or ("unique", column.name.lower()) in had or rows < 2:
            continue
        if distinct.get(column.name) == rows:
            yield Suggestion({"unique": column.name}, f"{rows:,} values, each once")


def _of_column(column: ColumnProfile, rows: int) -> Iterator[tuple[CheckKind, Suggestion]]:
    """What is said of one column's values. Bounds of numbers are those that were seen, so they only warn."""
    name, known = column.name, rows - column.nulls
    distinct = column.distinct or 0
    whole = column.exact and 0 < distinct <= min(MEMBERS, len(column.top))
    if column.type == "VARCHAR" and whole and known >= distinct * ROWS_PER_MEMBER and not _cut(column):
        members = sorted(value for value, _ in column.top)
        yield "in", Suggestion({"in": {name: members}}, f"{distinct} distinct values in {known:,}")
    elif column.type == "VARCHAR" and column.longest and column.longest == column.shortest:
        yield "length", Suggestion({"length": {name: column.longest}}, "every value is that long")
    if _is_number(column.least) and _is_number(column.most):
        seen = f"from {column.least} to {column.most}"
        if column.least >= 0:
            yield "between", Suggestion({"between": {name: [0, None]}}, seen)
        else:
            bounds = [column.least, column.most]
            yield "between", Suggestion({"between": {name: bounds}, "severity": "warn"}, seen)


def _names(check: Check) -> tuple[str, ...]:
    return tuple(name.lower() for name in check.columns) if len(check.columns) == 1 else ("",)


def _maybe_unique(column: ColumnProfile, rows: int) -> bool:
    distinct = column.distinct or 0
    return distinct == rows if column.exact else distinct >= rows * _NEAR


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _cut(column: ColumnProfile) -> bool:
    return any(value.endswith("…") for value, _ in column.top)
