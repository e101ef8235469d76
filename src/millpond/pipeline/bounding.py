"""What bounds tell of the keys and groups of a step: which part of a table can hold them, whether all keys differ."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.schema import Schema
from millpond.engines.engine import Session
from millpond.sql.narrowing import MOST, bounds, condition, each_value, narrowing
from millpond.sql.staging import key_bounds, key_spread, whole_bounds, whole_numbers, within

_BOUNDED = ("TIMESTAMP", "DATE", "BIGINT", "INTEGER", "SMALLINT", "TINYINT", "DECIMAL")
"""Types of ordered key columns, those that tell old files from new ones first."""
_WHOLE = ("INTEGER", "BIGINT")
_SPREAD = 32
"""Most numbers in the range of a whole-number key for each row: with more, sorting hashes is as quick as its bits."""
_FAR = 1_000
"""From how many numbers in the range of a number key for each row on they count as far apart."""
_WIDEST = 1_000_000_000
"""Most numbers in such a range at all: DuckDB's own limit."""


def ordered_key(key: tuple[str, ...], schema: Schema) -> tuple[str, ...]:
    """The key column whose bounds tell most, or none."""
    plain = [column for column in schema.columns if not column.type.endswith("]") and "ZONE" not in column.type]
    columns = [column for column in plain if column.name in key]
    found = (column.name for kind in _BOUNDED for column in columns if column.type.startswith(kind))
    return tuple(found)[:1]


def searched(session: Session, columns: tuple[str, ...]) -> str:
    """The condition over the table's rows that all keys of the good staged rows keep to; empty for no condition."""
    if not columns:
        return ""
    low, high = session.rows(key_bounds(columns[0]))[0]
    return within(columns[0], low, high) if low is not None else ""


def scattered(session: Session, key: tuple[str, ...], schema: Schema, *, kept: bool) -> bool:
    """Whether bounds tell next to nothing of the good staged keys: no ordered column, or one of numbers far apart.

    `kept` says that the ordered column stands beside the judged rows; without it, only a whole-number key can be told.
    """
    columns, whole = ordered_key(key, schema), whole_key(key, schema)
    if not columns:
        return True
    kind = next(column.type for column in schema if column.name == columns[0])
    if kind.startswith(("TIMESTAMP", "DATE")) or not (whole or kept):
        return False
    low, high, number = session.rows(whole_bounds() if whole else key_spread(columns[0]))[0]
    return low is not None and high - low > number * _FAR


def whole_key(key: tuple[str, ...], schema: Schema) -> bool:
    """Whether the key is one whole number."""
    return [column.type in _WHOLE for column in schema.columns if column.name in key] == [True]


def all_apart(session: Session) -> bool:
    """Whether all good staged rows have different whole-number keys, where that is soon told (else False)."""
    low, high, number = session.rows(whole_bounds())[0]
    if not number:
        return True
    if not number <= high - low + 1 <= min(number * _SPREAD, _WIDEST):
        return False
    return bool(session.rows(whole_numbers(low, high))[0][0] == number)


def held_by(session: Session, relation: str, expressions: Sequence[str], columns: Schema) -> str:
    """The condition over an input's rows that those of the groups in a relation keep to; empty for no condition.

    The relation has the groups' values as _mp_g0, _mp_g1 and so on; `expressions` give them for a row of `columns`.
    """
    types = {column.name: column.type for column in columns}
    found = []
    for number, expression in enumerate(expressions):
        known = narrowing(expression, types)
        if known is not None:
            told = session.rows(each_value(known, relation, f"_mp_g{number}"))
            each = len(told) <= MOST
            told = told if each else session.rows(bounds(known, relation, f"_mp_g{number}"))
            found.append(condition(known, [(low, end) for low, end in told], each=each))
    return " AND ".join(filter(None, found))
