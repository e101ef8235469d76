"""Checks as rules: an SQL expression that is true for the rows that fail."""

from __future__ import annotations

from dataclasses import replace

from millpond.core.names import quote
from millpond.project.check import Check
from millpond.project.model import Model, ModelKind
from millpond.sql.casts import SoftCast
from millpond.sql.staging import GONE, Rule
from millpond.sql.values import value

NULL_KEY = "null_key"
NULL_ORDER = "null_order"
NULL_EVENT_TIME = "null_event_time"
DELETE_WHEN = "delete_when"
KEY_CONFLICT = "key_conflict"

KEYED: tuple[ModelKind, ...] = ("append", "upsert", "scd2", "snapshot")
"""Kinds whose rows need a key; of the others a key may be a group of NULL."""


def row_rules(model: Model, casts: tuple[SoftCast, ...]) -> tuple[Rule, ...]:
    """The rules that judge each staged row by itself: failed casts, NULL in a key, then the checks as declared.

    The first rule that a row breaks is the one that quarantine names. Rows that delete their key need not keep to the
    checks: often they have nothing but the key.
    """
    keyed = (_null(NULL_KEY, "key", model.key),) if model.key and model.kind in KEYED else ()
    ordered = (_null(NULL_ORDER, "order", model.order),) if model.order else ()
    timed = (_null(NULL_EVENT_TIME, "event time", (model.event_time,)),) if model.event_time is not None else ()
    marked = (_unmarked(),) if model.delete_when is not None else ()
    declared = tuple(_row_rule(check) for check in model.checks if check.on_rows)
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


def _row_rule(check: Check) -> Rule:
    column = quote(check.columns[0]) if check.columns else ""
    if check.kind == "not_null":
        return Rule(check.rule, f"{column} IS NULL", "NULL", f"{check.columns[0]} is missing", check.severity)
    if check.kind == "sql":
        expression = str(check.values[0])
        return Rule(check.rule, _fails(f"({expression}\n)"), "NULL", f"does not hold: {expression}", check.severity)
    condition, meaning = _condition(check, column)
    return Rule(check.rule, _fails(condition), f"{column}::VARCHAR", meaning, check.severity)


def _condition(check: Check, column: str) -> tuple[str, str]:
    name = check.columns[0]
    if check.kind == "in":
        members = ", ".join(value(member) for member in check.values)
        return f"{column} IN ({members})", f"{name} is none of {', '.join(map(str, check.values))}"
    if check.kind == "between":
        low, high = check.values
        bounds = [f"{column} >= {value(low)}"] if low is not None else []
        bounds += [f"{column} <= {value(high)}"] if high is not None else []
        return f"({' AND '.join(bounds)})", f"{name} is not between {_bound(low)} and {_bound(high)}"
    pattern = str(check.values[0])
    return f"regexp_matches({column}::VARCHAR, {value(pattern)})", f"{name} does not match {pattern}"


def _bound(given: object) -> str:
    return "anything" if given is None else str(given)


def _fails(condition: str) -> str:
    """NULL is no failure: a missing value is the business of not_null."""
    return f"coalesce(NOT ({condition}), FALSE)"
