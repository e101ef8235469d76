"""Conditions over an input's columns that every row of some groups meets, so that files without such rows are skipped.

A group's value that is a column, or the column's time cut to units one after the other, tells where the column lies:
from the value itself to less than the units after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import exp

from millpond.core.names import literal
from millpond.core.records import frozen
from millpond.sql.dialect import Verbatim, render

MOST = 20
"""With more values than these, their bounds stand for all of them."""

_OF_DAYS = ("day", "week", "month", "quarter", "year")
_OF_A_DAY = ("second", "minute", "hour")
_TIMES = ("DATE", "TIMESTAMP")
_PLAIN = re.compile(r"(TINY|SMALL|BIG|U|UTINY|USMALL|UBIG)?INT(EGER)?|DATE|TIMESTAMP|DECIMAL\(\d+, ?\d+\)")


@frozen
class Narrowing:
    """A column, as SQL, of a type; each value of a group is the column's cut to the units, from the first on."""

    column: str
    kind: str
    units: tuple[str, ...] = ()


def narrowing(expression: str, types: Mapping[str, str]) -> Narrowing | None:
    """What a group's expression over one row tells; None where nothing is known. `types` are the row's columns'."""
    node = sqlglot.parse_one(expression, dialect=Verbatim)
    units: list[str] = []
    while not isinstance(node, exp.Column):
        unit, inner = _cut(node)
        if inner is None:
            return None
        units[:0] = unit
        node = inner
    kind = next((kind for name, kind in types.items() if name.lower() == node.name.lower()), "")
    if node.table or not _PLAIN.fullmatch(kind) or (units and kind not in _TIMES):
        return None
    if units and kind == "DATE":
        units = ["day", *(unit for unit in units if unit in _OF_DAYS)]
    return Narrowing(render(node), kind, tuple(units))


def _cut(node: exp.Expr) -> tuple[list[str], exp.Expr | None]:
    """The unit to which an expression cuts a time, and the time; no time where the expression does something else."""
    if isinstance(node, exp.Paren):
        return [], node.this
    if isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and node.to.sql(dialect=Verbatim) in _TIMES:
        # To a date it cuts to the day; to a timestamp it does nothing, and a day too many does no harm.
        return ["day"], node.this
    given = node.expressions if isinstance(node, exp.Anonymous) and node.name.lower() == "date_trunc" else []
    if len(given) == 2 and given[0].is_string and given[0].name.lower() in (*_OF_A_DAY, *_OF_DAYS):
        return [given[0].name.lower()], given[1]
    return [], None


def each_value(found: Narrowing, relation: str, column: str) -> str:
    """SELECT of the different values in a column of a relation, no more than MOST and one.

    As text: the value, NULL for NULL; and, which a row of the value does not reach, the end, NULL where there is none.
    """
    return _texts(found, f"SELECT DISTINCT {column} AS v FROM {relation} LIMIT {MOST + 1}")


def bounds(found: Narrowing, relation: str, column: str) -> str:
    """SELECT of the least and the greatest value and of NULL, as far as they are there, like `each_value`."""
    ends = f"SELECT min({column}), max({column}) FROM {relation}"
    nothing = f"SELECT {column} AS v FROM {relation} WHERE {column} IS NULL LIMIT 1"
    return _texts(found, f"SELECT unnest([least, most]) AS v FROM ({ends}) AS e(least, most) UNION ALL ({nothing})")


def _texts(found: Narrowing, rows: str) -> str:
    end = "v" + "".join(f" + INTERVAL 1 {unit}" for unit in found.units)
    end = f"CASE WHEN NOT isinf(v) THEN TRY(({end})::{found.kind}) END" if found.units else "v"
    return f"SELECT v::{found.kind}::VARCHAR, ({end})::VARCHAR FROM ({rows}) AS told ORDER BY v"


def condition(found: Narrowing, told: Sequence[tuple[str | None, str | None]], *, each: bool) -> str:
    """What holds for every row of a group with one of the values that were told; empty where nothing can be said.

    `each` says that these are all values, else they are bounds of them.
    """
    known = [(low, end) for low, end in told if low is not None]
    ends = [(_typed(found, low), _typed(found, end)) for low, end in known if end is not None]
    if len(ends) < len(known):
        return ""
    parts = [f"{found.column} IS NULL"] if len(known) < len(told) else []
    before = "<" if found.units else "<="
    if each and not found.units and ends:
        parts.append(f"{found.column} IN ({', '.join(low for low, _ in ends)})")
    else:
        ranges = ends if each else [(ends[0][0], ends[-1][1])] if ends else []
        parts += [f"({found.column} >= {low} AND {found.column} {before} {end})" for low, end in ranges]
    return f"({' OR '.join(parts)})" if parts else ""


def _typed(found: Narrowing, text: str) -> str:
    return f"{literal(text)}::{found.kind}"
