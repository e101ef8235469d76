"""Checks on the table as a step leaves it: staged and visible to the step alone, each judged in the cheapest way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from millpond.catalog.commits import Verdict
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.staging import Stage
from millpond.core.schema import Schema
from millpond.engines.engine import Session
from millpond.pipeline.building import Building
from millpond.pipeline.roles import table_columns
from millpond.pipeline.staged import stopped
from millpond.pipeline.unique import judge_unique, rejects_repeats
from millpond.pipeline.workbench import Workbench
from millpond.project.check import COUNTED, Check, Target
from millpond.project.model import Model
from millpond.quality.table_rules import (
    Judgement,
    expressions,
    failures,
    judge,
    measured,
    recent,
    total,
)
from millpond.quality.verdicts import HOLDS, outcome
from millpond.tables.statistics import row_count, statistics

_ADDS_STAGED = ("append", "aggregate", "replace")
"""Kinds whose new rows are staged rows as they are."""


def judge_table(building: Building, staged: int) -> tuple[Verdict, ...]:
    """The verdicts of the checks on the table; rows are read only where the metadata leaves something open.

    Raises QualityError MP-6001 when a check stops the step.
    """
    bench, session, stage, model = building.bench, building.session, building.stage, building.model.model
    checks = tuple(check for check in model.checks if not check.on_rows)
    if not checks:
        return ()
    verdicts = list(judge_together(session, model, staged, _unique_before(bench, stage, model)))
    metering = tuple(check for check in checks if check.kind not in COUNTED)
    columns = table_columns(model, building.schema)
    answers = _answers(bench, session, stage.metadata(model.table), model, columns, metering)
    for check in metering:
        judgement = judge(check, answers[check.rule], bench.clock.now())
        verdicts.append(_verdict(model, check, judgement))
    order = {check.rule: place for place, check in enumerate(model.checks)}
    return tuple(sorted(verdicts, key=lambda verdict: order[verdict.rule]))


def judge_together(
    session: Session, model: Model, staged: int, kept: frozenset[str] = frozenset()
) -> tuple[Verdict, ...]:
    """The verdicts of the checks that name rows of the table as failures: unique, and queries.

    `kept` are the rules that the table kept before. Raises QualityError MP-6001 when a check stops the step.
    """
    queries = tuple(_judge_query(session, model, check, staged) for check in model.checks if check.is_query)
    return judge_unique(session, model, staged, kept) + queries


def _unique_before(bench: Workbench, stage: Stage, model: Model) -> frozenset[str]:
    """The rules that the table is known to keep as the step found it: the commit that left it so judged it.

    What is repeated now is then among the staged rows, unless rows that stood aside may be back.
    """
    entry = bench.catalog.find(model.table, stage.base)
    if entry is None or model.kind not in _ADDS_STAGED or rejects_repeats(model):
        return frozenset()
    return frozenset(
        verdict.rule
        for verdict in bench.catalog.verdicts(entry.commit)
        if verdict.table == model.table and verdict.outcome == HOLDS
    )


def _judge_query(session: Session, model: Model, check: Check, staged: int) -> Verdict:
    failed = int(session.rows(failures(check))[0][0])
    come = outcome(check.severity, check.max_failed, failed, staged)
    if come == "stop":
        raise stopped(model, check.rule, f"its query gives {failed:,} rows", (failed, staged))
    return Verdict(model.table, check.rule, come, failed, staged)


def _verdict(model: Model, check: Check, judgement: Judgement) -> Verdict:
    come = outcome(check.severity, None, int(not judgement.holds), 1)
    if come == "stop":
        raise stopped(model, check.rule, judgement.told, (1, 1))
    return Verdict(model.table, check.rule, come, int(not judgement.holds), 1, judgement.measured, judgement.told)


def _answers(
    bench: Workbench,
    session: Session,
    metadata: TableMetadata,
    model: Model,
    schema: Schema,
    checks: tuple[Check, ...],
) -> Mapping[str, tuple[Any, ...]]:
    """What each check asked for: from metadata, from the newest files, and the rest in one scan of the table."""
    found = _known(metadata, checks)
    rows = row_count(metadata)
    for check in checks:
        if check.kind == "freshness":
            newest = session.rows(recent(check, model.table, schema, bench.clock.now()))[0][0]
            if newest is not None:
                found[check.rule] = (newest,)
    asking = [(check, expressions(check, schema, rows)) for check in checks if check.rule not in found]
    if asking:
        asked = [expression for _, parts in asking for expression in parts]
        row = session.rows(measured(model.table, asked))[0]
        for check, parts in asking:
            found[check.rule], row = tuple(row[: len(parts)]), row[len(parts) :]
    for check in checks:
        if check.kind == "sum_equals" and isinstance(target := check.target, Target):
            found[check.rule] += (session.rows(total(target))[0][0],)
    return found


def _known(metadata: TableMetadata, checks: tuple[Check, ...]) -> dict[str, tuple[Any, ...]]:
    """The answers that the metadata gives."""
    found: dict[str, tuple[Any, ...]] = {}
    rows = row_count(metadata)
    if rows is not None:
        found |= {check.rule: (rows,) for check in checks if check.kind == "row_count"}
    complete = [check for check in checks if check.kind == "completeness"]
    known = statistics(metadata) if complete else None
    if known is not None:
        nulls = {name.lower(): count for name, count in known.nulls.items()}
        for check in complete:
            if check.columns[0].lower() in nulls:
                found[check.rule] = (known.rows, known.rows - nulls[check.columns[0].lower()])
    return found
