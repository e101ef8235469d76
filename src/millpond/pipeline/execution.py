"""Doing a plan: each step once, in order, with retries after a conflict; a failure stops its descendants only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from millpond.catalog.commits import Commit
from millpond.core.errors import ConflictError, Finding, MillpondError, QualityError
from millpond.core.failures import as_ours
from millpond.core.names import TableName
from millpond.core.plugins import lookup
from millpond.core.records import frozen
from millpond.core.retry import Backoff, retry
from millpond.ingest.source import News
from millpond.pipeline.build import build
from millpond.pipeline.events import Event, Listener
from millpond.pipeline.graph import Graph
from millpond.pipeline.load import load_news
from millpond.pipeline.outcome import Outcome
from millpond.pipeline.plan import BuildStep, DropStep, LandStep, Plan, ReplayStep, Step, ViewStep
from millpond.pipeline.view import publish_view
from millpond.pipeline.workbench import Workbench

_BACKOFF = Backoff(tries=6, first=0.05, most=2.0)


@frozen
class Report:
    """What a run did: the outcome of each step that was done, the error of each that failed, and what was left.

    `notes` are those of the plan, and of what was landed; `waiting` are models whose input has no table.
    """

    outcomes: Mapping[TableName, Outcome]
    failures: Mapping[TableName, MillpondError]
    skipped: tuple[TableName, ...]
    notes: tuple[Finding, ...] = ()
    waiting: tuple[tuple[TableName, TableName], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every step was done."""
        return not self.failures and not self.skipped


def run_plan(bench: Workbench, graph: Graph, plan: Plan, news: Mapping[TableName, News], listen: Listener) -> Report:
    """Do the steps of a plan, which land the news; what happens is told to `listen` as it happens."""
    outcomes: dict[TableName, Outcome] = {}
    failures: dict[TableName, MillpondError] = {}
    skipped: list[TableName] = []
    blocked: set[TableName] = set()
    for step in plan.steps:
        if step.table in blocked:
            skipped.append(step.table)
            listen(Event("step_skipped", bench.clock.now(), {"table": str(step.table)}))
            continue
        listen(Event("step_started", bench.clock.now(), {"table": str(step.table), "work": step.work}))
        started = time.monotonic()
        try:
            outcome = _do(bench, graph, step, news)
        except Exception as raised:  # noqa: BLE001 - the runner's edge: one step's failure is not the others'
            failed = as_ours(raised)
            failures[step.table] = failed
            blocked |= graph.after(step.table)
            listen(Event("step_failed", bench.clock.now(), _failed(step, failed, time.monotonic() - started)))
            continue
        outcomes[step.table] = outcome
        listen(Event("step_finished", bench.clock.now(), _finished(step, outcome, time.monotonic() - started)))
    landed = tuple(finding for outcome in outcomes.values() for finding in outcome.findings)
    return Report(outcomes, failures, tuple(skipped), (*plan.notes, *landed), plan.waiting)


def _do(bench: Workbench, graph: Graph, step: Step, news: Mapping[TableName, News]) -> Outcome:
    """One step, done again from the start when another commit came first."""

    def once(_attempt: int) -> Outcome:
        if isinstance(step, LandStep | ReplayStep):
            source = next(source for source in graph.sources if source.table == step.table)
            if isinstance(step, LandStep):
                return load_news(bench, source, step, news[step.table])
            return cast("Outcome", lookup("millpond.pipeline.replay:replay")(bench, source, step))
        if isinstance(step, BuildStep):
            model = next(model for model in graph.models if model.table == step.table)
            return build(bench, model, step)
        if isinstance(step, ViewStep):
            model = next(model for model in graph.models if model.table == step.table)
            return publish_view(bench, model, step)
        return _drop(bench, step)

    return retry(once, on=ConflictError, backoff=_BACKOFF)


def _drop(bench: Workbench, step: DropStep) -> Outcome:
    key = bench.step_key(step.table)
    stage = bench.catalog.begin(key)
    try:
        drop = stage.drop_table if stage.views.find(step.table) is None else stage.views.drop
        drop(step.table)
        commit = Commit(step_key=key, kind="drop", principal=bench.principal, run=bench.run, table=step.table)
        return Outcome(stage.publish(commit).number)
    finally:
        stage.discard()


def _finished(step: Step, outcome: Outcome, seconds: float) -> dict[str, object]:
    return {
        "table": str(step.table),
        "work": step.work,
        "commit": outcome.number,
        "seconds": round(seconds, 3),
        "ledger": asdict(outcome.ledger) if outcome.ledger else None,
        "rejected_files": outcome.rejected_files,
        "warnings": [
            {"rule": verdict.rule, "failed": verdict.failed}
            for verdict in outcome.verdicts
            if verdict.outcome == "warn"
        ],
        "note": outcome.note,
    }


def _failed(step: Step, failed: MillpondError, seconds: float) -> dict[str, object]:
    return {
        "table": str(step.table),
        "work": step.work,
        "seconds": round(seconds, 3),
        "code": failed.code,
        "message": failed.finding.message,
        "next_step": failed.finding.next_step,
        "where": str(failed.finding.where) if failed.finding.where else None,
        "suggestion": failed.finding.suggestion,
        "verdict": failed.verdict if isinstance(failed, QualityError) else None,
    }
