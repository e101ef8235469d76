"""How far each table is behind what has come, and what holds it back: a source, a step, a circuit, the quarantine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Literal

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import TABLE, VIEW
from millpond.catalog.lives import Open, next_change, open_records
from millpond.catalog.verdict_log import last_changes, moment_of
from millpond.core.errors import Finding, RunError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.pipeline.circuit import open_circuits
from millpond.pipeline.graph import Graph
from millpond.pipeline.plan import BuildStep, LandStep, Plan, ReplayStep, Step, ViewStep
from millpond.pipeline.runner import Runner
from millpond.pipeline.runs import StepEnd
from millpond.project.model import Project
from millpond.quality.breaker import OpenCircuit
from millpond.quality.review import Overdue, overdue

CauseKind = Literal["source", "step", "failure", "input", "model", "circuit", "quarantine"]
State = Literal["current", "incomplete", "behind", "not built"]


@frozen
class Cause:
    """Something that holds a table back.

    `table` is where it lies: the table itself, or one that it is made from. source: files have come that are not
    landed. step: the step has yet to run. failure: it failed. input: an input has no table. model: the model changed,
    so that no run begins. circuit: the model takes no new input. quarantine: records wait there. `attention` says that
    somebody has to look at it.
    """

    kind: CauseKind
    table: TableName
    told: str
    next_step: str
    since: datetime | None = None
    source: str | None = None
    code: str | None = None
    run: str | None = None
    records: int | None = None
    attention: bool = False

    def as_json(self) -> dict[str, object]:
        """The cause with plain values."""
        return {**vars(self), "table": str(self.table)}


@frozen
class Freshness:
    """How far a table is: `changed` is when its rows last changed, by commit `commit`. The roots of what holds it
    back come first."""

    table: TableName
    commit: int | None
    changed: datetime | None
    causes: tuple[Cause, ...] = ()

    @property
    def state(self) -> State:
        """current: all that came is in. incomplete: all but what waits in quarantine. behind: changes are not in."""
        if self.commit is None:
            return "not built"
        if any(cause.kind != "quarantine" for cause in self.causes):
            return "behind"
        return "incomplete" if self.causes else "current"

    @property
    def since(self) -> datetime | None:
        """Since when something holds it back, as far as that is known."""
        return min((cause.since for cause in self.causes if cause.since), default=None)

    @property
    def attention(self) -> bool:
        """Whether somebody has to look at what holds it back."""
        return any(cause.attention for cause in self.causes)


@frozen
class _Lake:
    """What is known of the lake when causes are looked for."""

    project: Project
    catalog: Catalog
    graph: Graph
    steps: Mapping[TableName, Step]
    waiting: Mapping[TableName, TableName]
    refused: Finding | None
    ends: Mapping[str, StepEnd]
    circuits: Mapping[TableName, OpenCircuit]
    held: Mapping[TableName, list[Open]]
    late: Mapping[TableName, Overdue]
    now: datetime
    head: int
    cursors: Mapping[tuple[TableName, TableName], int] = field(default_factory=dict)


def freshness(project: Project, catalog: Catalog, runner: Runner, now: datetime) -> tuple[Freshness, ...]:
    """The freshness of every table of the project, sources first. Looks at the sources as a plan does.

    Raises ModelError where the models cannot be put in order.
    """
    lake = _look(project, catalog, runner, now)
    tables = {entry.name for kind in (TABLE, VIEW) for entry in catalog.tables(None, kind)}
    changes = last_changes(catalog)
    own = {table: tuple(_causes(lake, table)) for table in lake.graph.tables}
    found = []
    for table in lake.graph.tables:
        above = lake.graph.upstream(table)
        roots = [cause for name in lake.graph.tables if name in above for cause in own[name]]
        last = changes.get(table) if table in tables else None
        causes = tuple(dict.fromkeys((*roots, *own[table])))
        found.append(Freshness(table, last.commit if last else None, last.at if last else None, causes))
    return tuple(found)


def _look(project: Project, catalog: Catalog, runner: Runner, now: datetime) -> _Lake:
    graph, head = runner.graph(), catalog.head()
    refused = None
    try:
        planned = runner.plan()
    except RunError as failed:
        planned, refused = Plan(head, ()), failed.finding
    held: dict[TableName, list[Open]] = {}
    for waiting in open_records(catalog):
        held.setdefault(waiting.table, []).append(waiting)
    return _Lake(
        project=project,
        catalog=catalog,
        graph=graph,
        steps={step.table: step for step in planned.steps},
        waiting=dict(planned.waiting),
        refused=refused,
        ends=runner.log.last_steps(catalog.environment),
        circuits=open_circuits(project.models, catalog),
        held=held,
        late={found.table: found for found in overdue(project, catalog, now)},
        now=now,
        head=head,
        cursors=catalog.cursors(head),
    )


def _causes(lake: _Lake, table: TableName) -> Iterator[Cause]:
    """What lies at the table itself."""
    model = lake.project.model(table)
    refused = lake.refused
    if refused is not None and model is not None and (refused.where is None or refused.where.path == model.path):
        yield Cause("model", table, refused.message, refused.next_step, code=refused.code, attention=True)
    step = lake.steps.get(table)
    if table in lake.circuits:
        open_ = lake.circuits[table]
        told = open_.finding(lake.now)
        yield Cause("circuit", table, told.message, told.next_step, open_.since, code=told.code, attention=True)
    elif step is not None:
        yield from _pending(lake, step)
    if table in lake.waiting:
        absent = lake.waiting[table]
        yield Cause(
            "input", table, f"it waits for {absent}, which has no table", f"`millpond run` once {absent} is fed"
        )
    if table in lake.held:
        yield _held(lake, table)


def _pending(lake: _Lake, step: Step) -> Iterator[Cause]:
    """Why a step has yet to run: it failed, or there is news. What only waits for another step has no cause here."""
    table = step.table
    end = lake.ends.get(str(table))
    if end is not None and end.failed:
        said = end.fields
        told = f"its step failed: {said.get('message')}"
        next_step = str(said.get("next_step") or "`millpond runs` shows what happened")
        source = step.source if isinstance(step, LandStep | ReplayStep) else None
        yield Cause("failure", table, told, next_step, end.at, source, str(said.get("code")), end.run)
    elif isinstance(step, LandStep):
        counts = ((step.new, "new"), (step.changed, "changed"), (step.rejected, "unreadable"))
        told = ", ".join(f"{count:,} {word}" for count, word in counts if count)
        yield Cause("source", table, f"files that are not loaded: {told}", "millpond run", source=step.source)
    elif isinstance(step, BuildStep | ViewStep):
        since = _since(lake, step) if isinstance(step, BuildStep) else None
        if since is not None or not lake.graph.upstream(table).intersection(lake.steps):
            yield Cause("step", table, f"its step has yet to run: {step.because}", "millpond run", since)


def _since(lake: _Lake, step: BuildStep) -> datetime | None:
    """When the first change came that the step has yet to take in; None where it waits for steps before it."""
    numbers = [
        next_change(lake.catalog, given.table, lake.cursors[step.table, given.table], lake.head)
        for given in step.inputs
        if (step.table, given.table) in lake.cursors
    ]
    oldest = min((number for number in numbers if number is not None), default=None)
    return None if oldest is None else moment_of(lake.catalog, oldest)


def _held(lake: _Lake, table: TableName) -> Cause:
    waiting = lake.held[table]
    records = sum(one.records for one in waiting)
    since = waiting[0].since
    told = f"{'1 record waits' if records == 1 else f'{records:,} records wait'} in quarantine"
    late = lake.late.get(table)
    if late is not None:
        told += f", {late.records:,} overdue for review"
    source = lake.project.source(table)
    return Cause(
        "quarantine",
        table,
        told,
        f"millpond quarantine list --model {table}",
        since,
        source.name if source else None,
        records=records,
        attention=late is not None,
    )
