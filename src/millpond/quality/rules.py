"""Checks as rules: an SQL expression that is true for the rows that fail."""

from __future__ import annotations

from millpond.core.names import quote
from millpond.project.check import Check
from millpond.project.model import Model
from millpond.sql.casts import SoftCast
from millpond.sql.staging import Rule
from millpond.sql.values import value

NULL_KEY = "null_key"
KEY_CONFLICT = "key_conflict"


def row_rules(model: Model, casts: tuple[SoftCast, ...]) -> tuple[Rule, ...]:
    """The rules that judge each staged row by itself: failed casts, NULL in a key, then the checks as declared.

    The first rule that a row breaks is the one that quarantine names.
    """
    keyed = (_null_key(model),) if model.key and model.kind == "append" else ()
    declared = tuple(_row_rule(check) for check in model.checks if check.on_rows)
    return tuple(_cast_rule(cast) for cast in casts) + keyed + declared


def _cast_rule(cast: SoftCast) -> Rule:
    output = quote(cast.output)
    return Rule(
        name=f"cast:{cast.column}" if cast.column else "cast",
        failing=f"{output} IS NOT NULL",
        value=output,
        reason=f"cannot be read as {cast.type}",
        severity="quarantine",
    )


def _null_key(model: Model) -> Rule:
    columns = [quote(name) for name in model.key]
    names = ", ".join(model.key)
    return Rule(
        name=NULL_KEY,
        failing=" OR ".join(f"{column} IS NULL" for column in columns),
        value="NULL",
        reason=f"NULL in the key ({names})",
        severity="quarantine",
    )


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
