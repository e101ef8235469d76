"""Checks bound against the columns of the query and of the tables that they look into, without any data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from millpond.core.errors import EngineError, Finding
from millpond.core.names import TableName, closest
from millpond.core.schema import Schema
from millpond.engines.engine import Session
from millpond.pipeline.compiled import CompiledModel
from millpond.project.check import Check
from millpond.project.model import Model
from millpond.quality.rules import row_rules
from millpond.quality.table_rules import TIMES, expressions, failures, total
from millpond.sql.binding import probe, probe_aggregates, probe_pattern, probe_value
from millpond.sql.marks import marked
from millpond.sql.row_expression import tables_of


def check_findings(
    session: Session, compiled: CompiledModel, schema: Schema, bound: Mapping[TableName, Schema]
) -> tuple[Finding, ...]:
    """What is wrong with the checks of a model whose query gives `schema`, and whose table is bound.

    A check that looks into a table whose columns are not known is left out.
    """
    findings: list[Finding] = []
    model, query = compiled.model, compiled.query.text()
    query, given = (marked(query, "FALSE") if model.deletes else query), schema
    for check in model.checks:
        schema = given if check.on_rows else bound[model.table]
        absent = [_missing(model.table, model.table, schema, check, name) for name in _columns(check)]
        if check.target is not None and check.target.table in bound:
            theirs = bound[check.target.table]
            absent.append(_missing(model.table, check.target.table, theirs, check, check.target.column))
        missing = [finding for finding in absent if finding is not None]
        findings += missing
        if missing or not all(table in bound for table in _tables(check)):
            continue
        if (unfit := _no_time(check, schema)) is not None:
            findings.append(_unjudgeable(check, model, unfit))
            continue
        try:
            for asked in _probes(check, model, query, schema):
                session.describe(asked)
            for asked in _values(check, schema):
                session.rows(asked)
        except EngineError as wrong:
            findings.append(_unjudgeable(check, model, wrong.finding.message.splitlines()[0]))
    return tuple(findings)


def _unjudgeable(check: Check, model: Model, reason: str) -> Finding:
    told = f"the check {check.rule} of {model.table} cannot be judged: {reason}"
    return Finding("MP-2035", told, "correct the check", check.where)


def _no_time(check: Check, schema: Schema) -> str | None:
    """Why freshness cannot be told by the column; the engine finds that out only when it has rows."""
    column = schema.get(check.columns[0]) if check.kind == "freshness" else None
    if column is None or column.type in TIMES:
        return None
    return f"{column.name} is a {column.type} and holds no time"


def _columns(check: Check) -> tuple[str, ...]:
    """The columns of its own table that a check names."""
    other = check.values[0] if check.kind == "sum_equals" else None
    return (*check.columns, other) if isinstance(other, str) else check.columns


def _tables(check: Check) -> tuple[TableName, ...]:
    if check.target is not None:
        return (check.target.table,)
    return tables_of(str(check.values[0])) if check.kind == "sql" else ()


def _missing(owner: TableName, table: TableName, schema: Schema, check: Check, name: str) -> Finding | None:
    if schema.get(name) is not None:
        return None
    told = f"the check {check.rule} of {owner} names {name!r}, which is not among the columns of {table}"
    step = "name a column that the query gives" if table == owner else f"name a column of {table}"
    return Finding("MP-2032", told, step, check.where, closest(name, schema.names))


def _values(check: Check, schema: Schema) -> Iterator[str]:
    """Queries that run only where the texts of a check can be compared with a column that is no text."""
    column = schema.get(check.columns[0]) if check.kind in ("in", "between") else None
    for given in check.values if column is not None else ():
        if column is not None and column.type != "VARCHAR" and isinstance(given, str):
            yield probe_value(given, column.type)


def _probes(check: Check, model: Model, query: str, schema: Schema) -> Iterator[str]:
    """Queries that bind only where the check can be judged."""
    if check.on_rows:
        (rule,) = (rule for rule in row_rules(model, (), schema) if rule.name == check.rule)
        if check.kind == "regex":
            yield probe_pattern(str(check.values[0]))
        yield probe(query, rule.failing)
    elif check.is_query:
        yield failures(check)
    elif check.kind != "unique":
        yield probe_aggregates(model.table, expressions(check, schema))
    if check.kind == "sum_equals" and check.target is not None:
        yield total(check.target)
