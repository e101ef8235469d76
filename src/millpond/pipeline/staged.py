"""The first half of every build: the new rows staged and judged, before anything is visible."""

from __future__ import annotations

from dataclasses import replace

from millpond.catalog.commits import Verdict
from millpond.core.clock import naive_utc
from millpond.core.errors import QualityError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.engines.engine import Session
from millpond.ingest.quarantine import put_rejects
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Model
from millpond.quality.rules import KEY_CONFLICT
from millpond.quality.verdicts import outcome
from millpond.sql.append import losers
from millpond.sql.quarantine import Rejects, same_row
from millpond.sql.staging import (
    CARRIED,
    Rule,
    Staging,
    as_json,
    counts,
    create_judged,
    create_settled,
    create_staged,
    example,
    key_text,
    reject_field,
    rejected,
)
from millpond.sql.values import value


@frozen
class Judged:
    """Counts of staged and rejected rows, and the verdict of each rule."""

    staged: int
    rejected: int
    verdicts: tuple[Verdict, ...]


def stage_rows(session: Session, model: Model, staging: Staging) -> Judged:
    """Make the staged relation and judge it. Raises QualityError MP-6001 when a check stops the step."""
    session.execute(create_staged(staging))
    session.execute(create_judged(staging))
    staged, rejected, *failed = session.rows(counts(staging.rules))[0]
    outcomes = [
        outcome(rule.severity, rule.max_failed, count, staged)
        for rule, count in zip(staging.rules, failed, strict=True)
    ]
    if "stop" in outcomes:
        place = outcomes.index("stop")
        shown = session.rows(example(staging.rules, place))[0][0]
        raise _stopped_by(model, staging.rules[place], (failed[place], staged), shown)
    if staging.again:
        session.execute(create_settled(staging, failed))
    verdicts = tuple(
        Verdict(model.table, rule.name, come, count, staged)
        for rule, come, count in zip(staging.rules, outcomes, failed, strict=True)
    )
    return Judged(staged, rejected, verdicts)


def _stopped_by(model: Model, rule: Rule, counted: tuple[int, int], shown: object) -> QualityError:
    failed, judged = counted
    most = "" if rule.max_failed is None else f", more than the {rule.max_failed} that are borne"
    such = such_as(model, rule.name, shown)
    return stopped(model, rule.name, f"{failed:,} of {judged:,} rows: {rule.reason}{such}{most}", counted)


def such_as(model: Model, rule: str, shown: object) -> str:
    """What failed, for a message; nothing where a column of the rule holds what belongs to a person."""
    columns = next((check.columns for check in model.checks if check.rule == rule), (rule.removeprefix("cast:"),))
    private = any(name in model.columns and model.columns[name].pii for name in columns)
    return "" if shown is None or private else f", such as {shown}"


def stopped(model: Model, rule: str, told: str, counted: tuple[int, int]) -> QualityError:
    """The error of a check that stops the step; `counted` are the failures and what was judged."""
    where = next((check.where for check in model.checks if check.rule == rule), model.place())
    error = QualityError(
        "MP-6001",
        f"the check {rule} of {model.table} stopped the step: {told}",
        next_step="nothing was changed; mend the input or the model, or lower the check's severity",
        where=where,
    )
    error.verdict = {"rule": rule, "failed": counted[0], "judged": counted[1]}
    return error


def quarantine_rejected(bench: Workbench, session: Session, table: TableName, *, known: bool) -> None:
    """Put the staged rows that a rule rejected into quarantine."""
    put_rejects(session, rejects_of(bench, table), known=known)


def rejects_of(bench: Workbench, table: TableName) -> Rejects:
    """The staged rows that a rule rejected, as quarantine lists them."""
    return Rejects(
        relation=rejected(),
        model=table,
        kind="row",
        rule=reject_field("rule"),
        value=reject_field("value"),
        reason=reject_field("reason"),
        raw=reject_field("raw"),
        raw_of=f"coalesce({reject_field('raw_of')}, {value(str(table))})",
        content_path="NULL",
        origin=reject_field("origin"),
        position=reject_field("position", "BIGINT"),
        load=reject_field("load"),
        step=bench.step_key(table),
        at=value(naive_utc(bench.clock.now())),
        same=f"coalesce({reject_field('same')}, {same_row(reject_field('raw'))})",
    )


def quarantine_losers(
    bench: Workbench, session: Session, model: Model, outputs: tuple[str, ...], *, known: bool
) -> None:
    """Put the rows that lost a key conflict into quarantine."""
    rejects = losing(bench, model, losers(), outputs, CARRIED)
    reason = value("another row of the same key stays, by content")
    told = replace(rejects, rule=value(KEY_CONFLICT), value=key_text(model.key), reason=reason)
    put_rejects(session, told, known=known)


def losing(
    bench: Workbench, model: Model, relation: str, outputs: tuple[str, ...], carried: tuple[str, ...]
) -> Rejects:
    """Rows that broke no rule by themselves and lost to another, as quarantine lists them but for the rule.

    `carried` says that they bear where they came from.
    """
    origin, position, load = carried or ("NULL", "NULL", "NULL")
    return Rejects(
        relation=relation,
        model=model.table,
        kind="row",
        rule="NULL",
        value="NULL",
        reason="NULL",
        raw=as_json(outputs),
        raw_of=value(str(model.table)),
        content_path="NULL",
        origin=origin,
        position=position,
        load=load,
        step=bench.step_key(model.table),
        at=value(naive_utc(bench.clock.now())),
        same=same_row(as_json(outputs)),
        by_content=True,
    )
