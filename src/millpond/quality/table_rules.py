"""Checks on tables: what each asks of the table, as SQL, and what follows from the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from millpond.core.clock import naive_utc
from millpond.core.names import TableName, literal, quote
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.project.check import Check, Limit, Target
from millpond.sql.lake import in_lake
from millpond.sql.values import value

TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "VARCHAR")
"""The types by which freshness can be told."""

EXACT = 5_000_000
"""Quantiles of more rows than this are estimated: an exact one keeps every value in memory."""

_FLOAT_NOISE = 1e-9


@frozen
class Judgement:
    """Whether a check on the table holds, what was measured, and that as a sentence."""

    holds: bool
    measured: float | None
    told: str


def expressions(check: Check, schema: Schema, rows: int | None = None) -> tuple[str, ...]:
    """The aggregates over the table's rows that a check asks for. All checks of a table share one scan."""
    if check.kind == "row_count":
        return ("count(*)",)
    column = quote(check.columns[0])
    if check.kind == "completeness":
        return ("count(*)", f"count({column})")
    if check.kind == "freshness":
        return (f"max({as_moment(column, schema, check.columns[0])})",)
    if check.kind == "sum_equals":
        other = check.values[0]
        return (f"sum({column})", f"sum({quote(other)})") if isinstance(other, str) else (f"sum({column})",)
    measure, argument = check.values[:2]
    if measure == "quantile":
        called = "approx_quantile" if rows is not None and rows > EXACT else "quantile_cont"
        return (f"{called}({column}, {value(argument)})",)
    if measure == "share":
        return (f"count(*) FILTER (WHERE {column}::VARCHAR = {literal(str(argument))})", f"count({column})")
    return (f"{'avg' if measure == 'mean' else 'stddev_samp'}({column})",)


def measured(table: TableName, asked: Sequence[str]) -> str:
    """SELECT of aggregates over a table; one row."""
    return f"SELECT {', '.join(asked)} FROM {in_lake(table)}"


def recent(check: Check, table: TableName, schema: Schema, now: datetime) -> str:
    """SELECT of the newest time that is young enough, NULL for none. Files whose bounds are older are not read."""
    name = check.columns[0]
    moment = as_moment(quote(name), schema, name)
    oldest = naive_utc(now) - timedelta(seconds=_seconds(check))
    bound = f"{quote(name)} >= {_of_type(oldest, _type(schema, name))}"
    if _type(schema, name) == "VARCHAR":
        bound = f"{moment} >= {value(oldest)}"
    return f"SELECT max({moment}) FROM {in_lake(table)} WHERE {bound}"


def total(target: Target) -> str:
    """SELECT of the sum that a check compares with."""
    return f"SELECT sum({quote(target.column)}) FROM {in_lake(target.table)}"


def failures(check: Check) -> str:
    """SELECT of how many rows an sql query gives; each is a failure."""
    return f"SELECT count(*) FROM ({check.values[0]}\n) AS failures"


def judge(check: Check, answer: Sequence[Any], now: datetime) -> Judgement:
    """What follows from the answer to `expressions`, for sum_equals followed by the other sum."""
    name = check.columns[0] if check.columns else ""
    if check.kind == "row_count":
        rows = answer[0]
        return _within(check, float(rows), f"the table has {rows:,} rows")
    if check.kind == "freshness":
        return _fresh(check, answer[0], now)
    if check.kind == "completeness":
        share = answer[1] / answer[0] if answer[0] else 1.0
        least = float(str(check.values[0]))
        told = f"{_percent(share)} of the rows have {name}, at least {_percent(least)} are asked for"
        return Judgement(share >= least, share, told)
    if check.kind == "sum_equals":
        return _equal(check, answer)
    measure, argument = check.values[:2]
    if measure == "share":
        share = answer[0] / answer[1] if answer[1] else None
        return _within(check, share, f"the share of {argument} in {name} is {_percent(share)}")
    found = None if answer[0] is None else float(answer[0])
    shown = "unknown" if found is None else f"{found:.6g}"
    which = f"quantile {argument}" if measure == "quantile" else str(measure)
    return _within(check, found, f"the {which} of {name} is {shown}")


def _within(check: Check, found: float | None, told: str) -> Judgement:
    """Nothing to measure is no failure."""
    low, high = check.values[-2:]
    if found is None:
        return Judgement(True, None, told)
    holds = (low is None or found >= float(str(low))) and (high is None or found <= float(str(high)))
    wanted = f"exactly {low}" if low == high else f"{_open(low)} to {_open(high)}"
    return Judgement(holds, found, f"{told}, asked for is {wanted}")


def _fresh(check: Check, newest: datetime | None, now: datetime) -> Judgement:
    name = check.columns[0]
    if newest is None:
        return Judgement(False, None, f"no row has a time in {name}")
    age = naive_utc(now) - newest
    told = f"the newest {name} is {newest:%Y-%m-%d %H:%M:%S}, {_age(age)} old"
    return Judgement(age.total_seconds() <= _seconds(check), age.total_seconds(), told)


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def _equal(check: Check, answer: Sequence[Any]) -> Judgement:
    name, (other, tolerance) = check.columns[0], check.values
    ours = 0 if answer[0] is None else answer[0]
    theirs = other if isinstance(other, float) else (0 if answer[-1] is None else answer[-1])
    assert isinstance(tolerance, Limit)  # noqa: S101 - every sum_equals has one
    borne = tolerance.of(abs(float(theirs)))
    if isinstance(ours, float) or isinstance(theirs, float):
        borne = max(borne, _FLOAT_NOISE * max(abs(float(ours)), abs(float(theirs))))
        difference = abs(float(ours) - float(theirs))
    else:
        difference = float(abs(ours - theirs))
    holds = difference <= borne and not math.isnan(difference)
    wanted = f"{theirs:.10g}" if other is theirs else f"that of {other}, {theirs}"
    return Judgement(holds, float(ours), f"the sum of {name} is {ours}, asked for is {wanted}")


def as_moment(column: str, schema: Schema, name: str) -> str:
    """The column (quoted, or an expression) as a TIMESTAMP in UTC, by the type that it has under its name."""
    kind = _type(schema, name)
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"({column} AT TIME ZONE 'UTC')"
    return f"TRY_CAST({column} AS TIMESTAMP)" if kind == "VARCHAR" else f"{column}::TIMESTAMP"


def _of_type(moment: datetime, kind: str) -> str:
    if kind == "DATE":
        # A date stands for its midnight: the first one not before the moment.
        return value(moment.date() if moment.time() == time() else moment.date() + timedelta(days=1))
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"TIMESTAMPTZ {literal(moment.isoformat(sep=' ') + '+00')}"
    return value(moment)


def _type(schema: Schema, name: str) -> str:
    column = schema.get(name)
    return column.type if column is not None else ""


def _seconds(check: Check) -> int:
    return int(str(check.values[0]))


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share * 100:.4g}%"


def _open(bound: object) -> str:
    return "anything" if bound is None else str(bound)
