"""The `unique` check: judged over the rows that a step adds and the table together."""

from __future__ import annotations

from dataclasses import replace

from millpond.catalog.commits import Ledger, Verdict
from millpond.catalog.staging import Stage
from millpond.core.names import side_table
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.ingest.quarantine import put_rejects
from millpond.pipeline.staged import losing, stopped, such_as
from millpond.pipeline.target import ensure_quarantine, prepare_side
from millpond.pipeline.workbench import Workbench
from millpond.project.check import Check
from millpond.project.model import HISTORIES, Model
from millpond.quality.verdicts import outcome
from millpond.sql.staging import as_json, key_text
from millpond.sql.unique import (
    Contest,
    Unique,
    beaten,
    contested,
    create_arriving,
    create_weighed,
    delete_ousted,
    delete_returned,
    forget_aside,
    insert_aside,
    insert_staying,
    repeated,
    weighed_counts,
)
from millpond.sql.values import value


def rejects_repeats(model: Model) -> bool:
    """Whether a check of the model has rows stand aside that broke no rule by themselves."""
    return bool(_unique(model, "quarantine"))


def repeat_rules(model: Model) -> tuple[str, ...]:
    """The rules of these checks."""
    return tuple(check.rule for check in _unique(model, "quarantine"))


def prepare_aside(stage: Stage, model: Model, schema: Schema, *, filled: bool) -> None:
    """Make sure of the table of the rows that stand aside, empty unless it goes on from an earlier step.

    Raises CatalogError MP-3100 where it is gone.
    """
    columns = Schema(tuple(Column(column.name, column.type) for column in schema))
    prepare_side(stage, model, columns if rejects_repeats(model) else None, filled=filled)


def forget_replaced(session: Session, model: Model, gone: str) -> int:
    """Have the rows of some keys, given by a query, stand aside no longer, for others take their place; how many."""
    return session.execute(forget_aside(side_table(model.table), model.key, gone)) if rejects_repeats(model) else 0


@frozen
class Settled:
    """What came of the rows that were to be added, and of others.

    `added` stay, `renewed` of them in the place of a row of the table; `lost` do not. `ousted` left the table for one
    that is less by content, `back` are rows that stood aside and are in the table again. `failed` is for each check how
    many rows it newly rejects.
    """

    added: int
    renewed: int
    lost: int
    ousted: int
    back: int
    failed: tuple[int, ...]

    def ledger(self, before: Ledger) -> Ledger:
        """The ledger, given what it would be if all had been added.

        Rows met again beside those staged count as staged: those ousted, those back, and those whose successor stands
        aside.
        """
        left = before.updated - self.renewed
        return replace(
            before,
            staged=before.staged + self.ousted + self.back + left,
            inserted=self.added - self.renewed + self.back,
            updated=self.renewed,
            deleted=before.deleted + self.ousted + left,
            quarantined=before.quarantined + self.lost,
        )


def contest(
    model: Model, outputs: tuple[str, ...], arriving: str, replaced: str, carried: tuple[str, ...] = ()
) -> Contest:
    """What is contested when rows arrive; see `Contest`."""
    checks = tuple(Unique(check.rule, check.columns) for check in _unique(model, "quarantine"))
    return Contest(model.table, side_table(model.table), outputs, model.key, checks, arriving, replaced, carried)


def settle(bench: Workbench, session: Session, stage: Stage, model: Model, over: Contest) -> Settled | None:
    """Have the rows that are to be added contest, with all others, the values that are to be unique; move those that
    win and lose, and put these into quarantine. None where there is nothing to contest: then nothing is done.
    """
    settled = weigh(session, over)
    if settled is None:
        return None
    known = ensure_quarantine(bench, stage)
    for check in over.checks:
        rejects = losing(bench, model, beaten(check.rule), over.outputs, over.carried)
        same = rejects.same if model.kind == "append" or not model.key else as_json(model.key)
        reason = value(f"another row of the same {', '.join(check.columns)} stays, by content")
        told = replace(rejects, rule=value(check.rule), value=key_text(check.columns), reason=reason, same=same)
        put_rejects(session, told, known=known)
    move(session, over, settled)
    return settled


def weigh(session: Session, over: Contest) -> Settled | None:
    """Tell who wins and who loses, in the relation `weighed`. None where nothing is contested: all may be added."""
    session.execute(create_arriving(over))
    if not session.rows(contested(over))[0][0]:
        return None
    session.execute(create_weighed(over))
    added, renewed, lost, ousted, back, *failed = session.rows(weighed_counts(over))[0]
    return Settled(added, renewed, lost, ousted, back, tuple(failed))


def move(session: Session, over: Contest, settled: Settled) -> None:
    """Bring table and side table to what `weigh` told."""
    if settled.ousted:
        session.execute(delete_ousted(over))
    if settled.back:
        session.execute(delete_returned(over))
    if settled.added or settled.back:
        session.execute(insert_staying(over))
    if settled.lost or settled.ousted:
        session.execute(insert_aside(over))


def repeat_verdicts(model: Model, settled: Settled | None, judged: int) -> tuple[Verdict, ...]:
    """The verdicts of the checks that have rows stand aside. Raises QualityError MP-6001 when one stops the step."""
    verdicts = []
    checks = _unique(model, "quarantine")
    for check, failed in zip(checks, settled.failed if settled is not None else (0,) * len(checks), strict=True):
        come = outcome(check.severity, check.max_failed, failed, judged)
        if come == "stop":
            told = f"{failed:,} of {judged:,} rows share their {', '.join(check.columns)} with another"
            most = f", more than the {check.max_failed} that are borne"
            raise stopped(model, check.rule, told + most, (failed, judged))
        verdicts.append(Verdict(model.table, check.rule, come, failed, judged))
    return tuple(verdicts)


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
