"""Checks on rows as rules: an SQL expression that is true for the rows that fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime

from millpond.core.clock import naive_utc
from millpond.core.names import literal, quote
from millpond.core.schema import Schema
from millpond.project.check import Check, CheckSeverity, Target
from millpond.project.model import Model, ModelKind
from millpond.sql.casts import SoftCast
from millpond.sql.lake import in_lake
from millpond.sql.row_expression import broken
from millpond.sql.staging import GONE, Rule
from millpond.sql.values import value

NULL_KEY = "null_key"
NULL_ORDER = "null_order"
NULL_EVENT_TIME = "null_event_time"
DELETE_WHEN = "delete_when"
KEY_CONFLICT = "key_conflict"

KEYED: tuple[ModelKind, ...] = ("append", "upsert", "scd2", "snapshot")
"""Kinds whose rows need a key; of the others a key may be a group of NULL."""

_UNKNOWN = Schema(())
_WHOLE = re.compile(r"U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?\d*\Z|LONG\Z|SHORT\Z", re.IGNORECASE)
_PLAIN_PATTERN = re.compile(r"[^\\.+*?()|\[\]{}^$]*\Z")
_PART_OF_PATTERN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]|[()]", re.DOTALL)


def row_rules(model: Model, casts: tuple[SoftCast, ...], schema: Schema = _UNKNOWN) -> tuple[Rule, ...]:
    """The rules that judge each staged row by itself: failed casts, NULL where none may be, then the checks.

    The first rule that a row breaks is the one that quarantine names. Rows that delete their key need not keep to the
    checks: often they have nothing but the key. `schema` has the staged columns; values of a column that is not in it
    are compared as they are.
    """
    keyed = (_null(NULL_KEY, "key", model.key),) if model.key and model.kind in KEYED else ()
    ordered = (_null(NULL_ORDER, "order", model.order),) if model.order else ()
    timed = (_null(NULL_EVENT_TIME, "event time", (model.event_time,)),) if model.event_time is not None else ()
    marked = (_unmarked(),) if model.delete_when is not None else ()
    declared = tuple(_row_rule(check, schema) for check in model.checks if check.on_rows)
    declared = (*_required(model), *declared)
    if model.deletes:
        declared = tuple(replace(rule, failing=f"(NOT {GONE} AND ({rule.failing}))") for rule in declared)
    return tuple(_cast_rule(cast) for cast in casts) + keyed + ordered + timed + marked + declared


def _cast_rule(cast: SoftCast) -> Rule:
    output = quote(cast.output)
    return Rule(
        name=f"cast:{cast.column}" if cast.column else "cast",
        failing=f"{output} IS NOT NULL",
        value=output,
        reason=f"cannot be read as {cast.type}",
        severity="quarantine",
    )


def _null(rule: str, role: str, names: tuple[str, ...]) -> Rule:
    return Rule(
        name=rule,
        failing=" OR ".join(f"{quote(name)} IS NULL" for name in names),
        value="NULL",
        reason=f"NULL in the {role} ({', '.join(names)})",
        severity="quarantine",
    )


def _unmarked() -> Rule:
    return Rule(DELETE_WHEN, f"{GONE} IS NULL", "NULL", "delete_when cannot be told of this row", "quarantine")


def _required(model: Model) -> Iterator[Rule]:
    """The rules of columns that are declared as not nullable: their NULLs never reach the table."""
    severity: CheckSeverity = "stop" if model.on_fail == "stop" else "quarantine"
    for name, notes in model.columns.items():
        if notes.nullable is False and not (model.kind in KEYED and name in model.key):
            yield Rule(f"nullable:{name}", f"{quote(name)} IS NULL", "NULL", f"{name} is missing", severity)


def _row_rule(check: Check, schema: Schema) -> Rule:
    shown = f"{quote(check.columns[0])}::VARCHAR" if check.columns and check.kind != "not_null" else "NULL"
    failing, reason = _failing(check, schema)
    return Rule(check.rule, failing, shown, reason, check.severity, check.max_failed)


def _failing(check: Check, schema: Schema) -> tuple[str, str]:
    """The condition of a row that fails (NULL where nothing can be said: no failure), and what it means."""
    if check.kind == "sql":
        expression = str(check.values[0])
        return broken(expression), f"does not hold: {expression}"
    name = check.columns[0]
    found = schema.get(name)
    kind = found.type if found is not None else ""
    column = quote(name)
    if check.kind == "not_null":
        return f"{column} IS NULL", f"{name} is missing"
    if check.kind == "in":
        return _not_in(column, kind, check.values), f"{name} is none of {', '.join(map(str, check.values))}"
    if check.kind == "between":
        low, high = check.values
        return _not_between(column, kind, low, high), f"{name} is not {_range(low, high)}"
    if check.kind == "length":
        low, high = check.values
        wanted = str(low) if low == high else _range(low, high)
        return (
            _outside(f"length({column}::VARCHAR)", value(low), value(high)),
            f"the length of {name} is not {wanted}",
        )
    if check.kind == "type":
        return _no_type(column, kind, str(check.values[0])), f"{name} cannot be read as {check.values[0]}"
    if check.kind == "relationship":
        return _nowhere(column, check.target), f"{name} does not stand in {check.target}"
    return _no_match(f"{column}::VARCHAR", str(check.values[0])), f"{name} does not match {check.values[0]}"


def _not_in(column: str, kind: str, members: tuple[object, ...]) -> str:
    if kind == "VARCHAR":
        members = tuple(_as_text(member) for member in members)
    elif any(isinstance(member, str) for member in members):
        return f"{column} NOT IN ({_literals(members, kind)})"
    # Other than IN, which joins from six members on, this is answered once for each entry of a file's dictionary.
    return f"NOT list_contains([{_literals(members, kind)}], {column})"


def _literals(members: Iterable[object], kind: str) -> str:
    return ", ".join(_literal(member, kind) for member in members)


def _literal(given: object, kind: str) -> str:
    if isinstance(given, datetime) and "TIME ZONE" in kind:
        moment = naive_utc(given) if given.tzinfo else given
        return f"TIMESTAMPTZ {literal(moment.isoformat(sep=' ') + '+00')}"
    return value(given)


def _as_text(given: object) -> str:
    """A member of YAML as the text that a file would have it in."""
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, datetime):
        return given.isoformat(sep=" ")
    return given.isoformat() if isinstance(given, date) else str(given)


def _not_between(column: str, kind: str, low: object, high: object) -> str:
    bound = low if low is not None else high
    if kind != "VARCHAR" or isinstance(bound, str):
        return _outside(column, _literal(low, kind), _literal(high, kind))
    # Text is read as what the bounds are; what cannot be read so is not between them.
    read = f"TRY_CAST({column} AS {_type_of(bound)})"
    outside = _outside(read, _literal(low, ""), _literal(high, ""))
    return f"{column} IS NOT NULL AND coalesce({outside}, TRUE)"


def _type_of(bound: object) -> str:
    if isinstance(bound, datetime):
        return "TIMESTAMP"
    return "DATE" if isinstance(bound, date) else "DOUBLE"


def _outside(expression: str, low: str, high: str) -> str:
    bounds = [f"{expression} {sign} {bound}" for sign, bound in (("<", low), (">", high)) if bound != "NULL"]
    return " OR ".join(bounds)


def _no_type(column: str, kind: str, wanted: str) -> str:
    read = f"TRY_CAST({column} AS {wanted})"
    failed = f"{column} IS NOT NULL AND {read} IS NULL"
    if not _WHOLE.match(wanted) or _WHOLE.match(kind):
        return failed
    # The engine rounds 1.5 to an integer; a value that is no whole number cannot be read as one.
    return f"{failed} OR TRY_CAST({column} AS DOUBLE) <> trunc(TRY_CAST({column} AS DOUBLE))"


def _nowhere(column: str, target: Target | None) -> str:
    assert target is not None  # noqa: S101 - every relationship has one
    # Named with its table: alone, a column that the other table lacks would mean the row's own.
    key = f"other.{quote(target.column)}"
    return (
        f"{column} IS NOT NULL AND {column} NOT IN "
        f"(SELECT {key} FROM {in_lake(target.table)} AS other WHERE {key} IS NOT NULL)"
    )


def _no_match(text: str, pattern: str) -> str:
    """Matching the whole text is answered once for each entry of a file's dictionary, finding in it is not."""
    if _PLAIN_PATTERN.match(pattern) or not _closed(pattern):
        return f"NOT regexp_matches({text}, {literal(pattern)})"
    return f"NOT regexp_full_match({text}, {literal(f'(?s:.*)(?:{pattern})(?s:.*)')})"


def _closed(pattern: str) -> bool:
    """Whether every bracket and quotation of the pattern is closed, so that it means the same inside another one."""
    depth = -1 if "\\Q" in pattern else 0
    for part in _PART_OF_PATTERN.findall(pattern):
        depth += {"(": 1, ")": -1}.get(part, 0)
        if depth < 0:
            break
    return depth == 0


def _range(low: object, high: object) -> str:
    if low is None or high is None:
        return f"at most {high}" if low is None else f"at least {low}"
    return f"between {low} and {high}"
