"""The proof that the rows of a moment depend only on input rows of that moment and of a stated time before it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from millpond.core.errors import ModelError
from millpond.core.names import TableName, literal, quote
from millpond.core.records import frozen
from millpond.sql.dialect import render
from millpond.sql.difference import GROUPS
from millpond.sql.functions import called
from millpond.sql.groups import has_subqueries, keeps_groups, level_parts, partition_of
from millpond.sql.keys import names
from millpond.sql.lake import in_lake
from millpond.sql.levels import Level, levels
from millpond.sql.parse import Query
from millpond.sql.references import table_name
from millpond.sql.staging import STAGED
from millpond.sql.trace import Trace, folded

_CHANGED_CLOCKS = 86_400
"""Seconds by which no number of days in a row is longer than as many times 24 hours."""
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_SPOKEN = re.compile(r"(\d+)\s*(second|minute|hour|day|week)s?", re.IGNORECASE)
_BY_PLACE = frozenset(
    {"row_number", "rank", "rank_dense", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "fill"}
)
"""Window functions that look at the rows around without regard to the frame."""


@frozen
class Lookback:
    """`column` of the key is a time that `time` computes from one row of `input`, and rows reach back `seconds`."""

    input: TableName
    column: str
    time: str
    seconds: int


class _NotProvenError(Exception):
    """Why the proof fails, for the author."""


def find_lookback(query: Query, key: Sequence[str]) -> Lookback | str:
    """How far the rows of each moment look back, or the reason why that cannot be told.

    Windows must be frames such as ORDER BY day RANGE BETWEEN INTERVAL 27 DAYS PRECEDING AND CURRENT ROW, over a time
    that is in the key; windows over windows add up.
    """
    chain = levels(query.tree)
    if isinstance(chain, str):
        return chain
    if has_subqueries(chain):
        return "a subquery in an expression may look at other rows"
    try:
        name = table_name(query, chain[0].table or exp.Table())
    except ModelError:
        return "its input is not a table of the lake"
    trace = Trace(chain)
    reason = "no column of its key is a time that its windows are ordered by"
    for column in key:
        time = trace.output(len(chain) - 1, column)
        if time is None:
            continue
        try:
            seconds = sum(_reach(trace, index, level, time) for index, level in enumerate(chain))
        except _NotProvenError as failed:
            reason = str(failed)
            continue
        if seconds:
            return Lookback(name, column, render(time), seconds)
    return reason


def _reach(trace: Trace, index: int, level: Level, time: exp.Expr) -> int:
    """The seconds that the windows of a SELECT reach back. Raises _NotProvenError."""
    windows = [node for part in level_parts(level) for node in part.find_all(exp.Window)]
    over = [window for window in windows if not _within(trace, index, window, level, time)]
    if not keeps_groups(trace, index, level, [time], apart_from=over):
        raise _NotProvenError("rows of different times meet in it")
    return max((_frame(trace, index, window, level, time) for window in over), default=0)


def _within(trace: Trace, index: int, window: exp.Window, level: Level, time: exp.Expr) -> bool:
    """Whether a window holds rows of one moment only."""
    traced = [trace.expression(index, node) for node in partition_of(window, level.select) or ()]
    return any(node is not None and folded(node) == folded(time) for node in traced)


def _frame(trace: Trace, index: int, window: exp.Window, level: Level, time: exp.Expr) -> int:
    given = _specified(window, level.select)
    function = next((name for node in window.this.walk() if (name := called(node))), None)
    if function in _BY_PLACE:
        raise _NotProvenError(f"{function}() looks at rows by their place and not by their time")
    order = given.args.get("order")
    ordered = order.expressions if order is not None else []
    by = trace.expression(index, ordered[0].this) if len(ordered) == 1 else None
    if by is None or folded(by) != folded(time) or ordered[0].args.get("desc"):
        raise _NotProvenError("a window is not ordered by a time of the key alone, the earliest first")
    spec = given.args.get("spec")
    seconds = _seconds(spec) if spec is not None else None
    if seconds is None:
        raise _NotProvenError("a window has no frame such as RANGE BETWEEN INTERVAL 27 DAYS PRECEDING AND CURRENT ROW")
    return seconds


def _specified(window: exp.Window, select: exp.Select) -> exp.Window:
    """The window, or the one that it names."""
    name = window.args.get("alias")
    if name is None or window.args.get("order") is not None:
        return window
    named = (node for node in select.args.get("windows") or () if node.this.name.lower() == name.name.lower())
    return next(named, window)


def _seconds(spec: exp.WindowSpec) -> int | None:
    """How far back a frame begins that does not reach beyond its own row; None where that is not so."""
    sides = {side: str(spec.args.get(side) or "").upper() for side in ("kind", "start_side", "end_side")}
    ends = sides["end_side"] == "PRECEDING" or str(spec.args.get("end") or "CURRENT ROW").upper() == "CURRENT ROW"
    start = spec.args.get("start")
    if sides["kind"] != "RANGE" or sides["start_side"] != "PRECEDING" or not ends or not isinstance(start, exp.Expr):
        return None
    text = start.name if isinstance(start, exp.Cast) else " ".join(_interval(start))
    spoken = _SPOKEN.fullmatch(text.strip())
    return int(spoken[1]) * _UNITS[spoken[2].lower()] if spoken else None


def _interval(node: exp.Expr) -> tuple[str, ...]:
    if not isinstance(node, exp.Interval) or node.this is None:
        return ()
    unit = node.args.get("unit")
    number = node.this.unnest() if isinstance(node.this, exp.Paren) else node.this
    return (number.name, unit.name) if unit is not None else (number.name,)


@frozen
class Span:
    """What a step looks at, as conditions: of the input's rows, and of the table's and the query's rows."""

    read: str
    compared: str


EVERYTHING = Span("TRUE", "TRUE")


def changed_span(lookback: Lookback, changed: Sequence[str]) -> str:
    """SELECT of one row: from when rows are read, from when and until when they may be others, each with its type.

    The last column says how many changed rows have no time at all.
    """
    union = " UNION ALL ".join(f"SELECT {lookback.time} AS _mp_t FROM ({rows}) AS changed_rows" for rows in changed)
    # Days of a place are longer or shorter where its clocks change: with a zone, all who may look back are looked at.
    more = f"CASE WHEN typeof(min(_mp_t)) = 'TIMESTAMP WITH TIME ZONE' THEN {_CHANGED_CLOCKS} ELSE 0 END"
    reach = f"to_seconds({lookback.seconds} + {more})"
    ends = (f"min(_mp_t) - {reach}", "min(_mp_t)", f"max(_mp_t) + {reach}")
    parts = ", ".join(f"({end})::VARCHAR, typeof({end})" for end in ends)
    return f"SELECT {parts}, count(*) FILTER (WHERE _mp_t IS NULL) FROM ({union}) AS times"


def span(lookback: Lookback, row: Sequence[object]) -> Span:
    """The span of a row that `changed_span` gave; everything where some rows have no time."""
    first, first_type, low, low_type, high, high_type, without = row
    if without or low is None:
        return EVERYTHING
    until = f"{literal(str(high))}::{high_type}"
    read = f"({lookback.time}) >= {literal(str(first))}::{first_type} AND ({lookback.time}) <= {until}"
    column = quote(lookback.column)
    return Span(read, f"{column} >= {literal(str(low))}::{low_type} AND {column} <= {until}")


def create_spanned(name: str, table: TableName, within: Span) -> str:
    """Temp view of the input's rows that are read."""
    return f"CREATE TEMP VIEW {quote(name)} AS SELECT * FROM {in_lake(table)} WHERE {within.read}"


def spanned_output(query: str, within: Span) -> str:
    """The query's rows that may be others, as a query."""
    return f"SELECT q.* FROM ({query}) AS q WHERE {within.compared}"


def create_spanned_groups(table: TableName, key: Sequence[str], within: Span) -> str:
    """Temp table GROUPS of the keys of all rows that are compared, on both sides."""
    named = ", ".join(f"{quote(name)} AS _mp_g{index}" for index, name in enumerate(key))
    present = f"SELECT {names(key)} FROM {in_lake(table)} WHERE {within.compared}"
    every = f"SELECT {names(key)} FROM {STAGED} UNION ALL {present}"
    return f"CREATE TEMP TABLE {GROUPS} AS SELECT DISTINCT {named} FROM ({every}) AS keys"
