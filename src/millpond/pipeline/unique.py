"""The `unique` check: judged over the staged rows and the table together."""

from __future__ import annotations

from dataclasses import replace

from millpond.catalog.commits import Verdict
from millpond.engines.engine import Session
from millpond.pipeline.staged import Judged, stopped, such_as
from millpond.project.check import Check
from millpond.project.model import HISTORIES, Model
from millpond.quality.verdicts import outcome
from millpond.sql.staging import Rule, Staging, reject_later
from millpond.sql.unique import reject_repeated, repeated


def rejects_repeats(model: Model) -> bool:
    """Whether a check of the model rejects staged rows that broke no rule by themselves."""
    return bool(_unique(model, "quarantine"))


def reject_repeats(session: Session, model: Model, judged: Judged, staging: Staging, *, filled: bool) -> Judged:
    """Reject the staged rows that repeat a value which is to be unique, where the check's severity is quarantine."""
    rejected, verdicts = judged.rejected, judged.verdicts
    for check in _unique(model, "quarantine"):
        rule = Rule(check.rule, "FALSE", "NULL", f"{', '.join(check.columns)} is not unique", "quarantine")
        table = model.table if filled else None
        failed = session.execute(reject_repeated(table, check.columns, staging.outputs, reject_later(staging, rule)))
        rejected += failed
        verdicts += (Verdict(model.table, check.rule, "quarantine" if failed else "pass", failed, judged.staged),)
    return replace(judged, rejected=rejected, verdicts=verdicts)


def judge_unique(session: Session, model: Model, staged: int, kept: frozenset[str]) -> tuple[Verdict, ...]:
    """Judge the table as the step leaves it, before anyone else sees it.

    `kept` are the rules that the table kept before the step. Raises QualityError MP-6001 when a check stops the step.
    """
    verdicts = []
    for check in _unique(model, "warn", "stop"):
        query = repeated(model.table, check.columns, staged=check.rule in kept, current=model.kind in HISTORIES)
        failed, shown = session.rows(query)[0]
        come = outcome(check.severity, check.max_failed, failed, staged)
        if come == "stop":
            such = such_as(model, check.rule, shown)
            raise stopped(model, check.rule, f"{failed:,} values stand in more than one row{such}", (failed, staged))
        verdicts.append(Verdict(model.table, check.rule, come, int(failed), staged))
    return tuple(verdicts)


def _unique(model: Model, *severities: str) -> tuple[Check, ...]:
    return tuple(check for check in model.checks if check.kind == "unique" and check.severity in severities)
