"""Doing one BuildStep: stage the rows, judge them, change the table, publish everything in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from millpond.catalog.commits import Commit, Cursor, Edge, Ledger, Verdict
from millpond.catalog.recording import micros
from millpond.catalog.staging import Stage
from millpond.core.errors import EngineError, QualityError
from millpond.core.names import TableName
from millpond.core.plugins import lookup
from millpond.core.schema import Schema
from millpond.engines.engine import Session
from millpond.ingest.quarantine import judged_anew
from millpond.pipeline.append import append_rows
from millpond.pipeline.building import Building, Work
from millpond.pipeline.circuit import circuit_after, stop, taken_until
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.contract import declared
from millpond.pipeline.healing import judged_scope
from millpond.pipeline.inputs import InputChanges, read_changes
from millpond.pipeline.merging import has_states, merging_of
from millpond.pipeline.outcome import Outcome
from millpond.pipeline.plan import BuildStep, InputRange
from millpond.pipeline.planner import bears_on_all
from millpond.pipeline.recompute import recompute_groups, recompute_partitions, recompute_span, recompute_whole
from millpond.pipeline.roles import table_columns, table_lineage
from millpond.pipeline.table_checks import judge_table
from millpond.pipeline.taken import never_taken_in
from millpond.pipeline.target import described, evolve, output_schema, prepare
from millpond.pipeline.workbench import Workbench
from millpond.project.model import ModelKind
from millpond.sql.groups import GroupKey
from millpond.sql.lineage import lineage
from millpond.sql.lookback import Lookback
from millpond.sql.merging import Merging
from millpond.sql.partitioned import of_partitions
from millpond.sql.quarantine import either, of_ids

_RARE_KINDS: Mapping[ModelKind, str] = {
    "upsert": "millpond.pipeline.upsert:upsert_rows",
    "scd2": "millpond.pipeline.scd2:version_rows",
    "snapshot": "millpond.pipeline.snapshot:compare_states",
}
"""How rows of the kinds that few projects have are put into their table: loaded where a model is of one."""


def build(bench: Workbench, model: CompiledModel, step: BuildStep) -> Outcome:
    """Bring one model's table up to date and publish it. Raises ConflictError when another commit came first."""
    key = bench.step_key(step.table)
    known = bench.catalog.published(key)
    if known is not None:
        return Outcome(known, bench.catalog.ledger(known), bench.catalog.verdicts(known), "was published before")
    stage = bench.catalog.begin(key)
    try:
        absent = next((name for name in model.needs if bench.catalog.find(name, stage.base) is None), None)
        if absent is not None:
            return Outcome(None, note=f"waits: {absent} has no table yet")
        if step.mode in ("partition", "alter"):
            return _alter(bench, stage, model, step)
        if step.mode == "rebuild" and stage.views.find(step.table) is not None:
            stage.views.drop(step.table)
        until = taken_until(bench, model, step, stage.base)
        news = read_changes(bench, step.inputs, until) if reads_changes(model, step) else ()
        if step.mode in ("increment", "groups") and not any(change.any for change in news):
            moved = _changed(bench, stage, model) and _evolve(bench, stage, model)
            number = stage.publish(commit_of(bench, model, until, Ledger(0), ())).number
            return Outcome(number if moved else None, note="nothing new")
        mended = _mended(bench, stage, model, step, news)
        step, news = (step, news) if mended is not None else _fitting(bench, model, step, news, until)
        with bench.engine.session(bench.endpoint, stage.token) as session:
            merging = merging_of(session, model)
            if step.mode == "groups" and merging is not None and not has_states(stage, merging):
                step, news = replace(step, mode="whole", note="computes all groups, to keep a state of each"), ()
            building = begun(bench, session, stage, model, step, news, merging)
            try:
                with session.transaction():
                    work = done(building, step)
                    ledger = work.ledger
                    scope = work.scope if mended is None else either(work.scope, of_ids(mended))
                    lives = judged_anew(bench.catalog, session, stage, model.table, scope)
            except EngineError as failed:
                raise lookup("millpond.pipeline.blame:blamed")(building, failed) from failed.__cause__
            if work.deletes:
                stage_deletes = lookup("millpond.pipeline.positions:stage_deletes")
                stage_deletes(stage, model.table, work.deletes, micros(bench.clock.now()) // 1000)
            verdicts = work.verdicts + judge_table(building, ledger.staged)
        circuits = circuit_after(bench, model, step, ledger, stage.base)
        commit = replace(commit_of(bench, model, until, ledger, verdicts), lives=lives, circuits=circuits)
        number = stage.publish(commit).number
    except QualityError as stopped:
        stop(bench, model, stopped)
        raise
    finally:
        stage.discard()
    return Outcome(number, ledger, verdicts, step.note if work.note is None else work.note)


def begun(
    bench: Workbench,
    session: Session,
    stage: Stage,
    model: CompiledModel,
    step: BuildStep,
    news: tuple[InputChanges, ...],
    merging: Merging | None = None,
) -> Building:
    """The build of a model, with its table made ready, and where it is a function's, with the rows that this gave."""
    if model.model.function is not None:
        model = cast("CompiledModel", lookup("millpond.pipeline.function:computed")(bench, session, model))
    given = described(session, stage, model)
    schema = output_schema(given, model)
    kept = declared(model.model, table_columns(model.model, schema))
    filled = prepare(bench, session, stage, model, kept, afresh=_afresh(model, step))
    widened = tuple(now for was, now in zip(given, schema, strict=True) if was.type != now.type)
    whole = step.mode not in ("increment", "groups")
    return Building(bench, session, stage, model, news, schema, widened, whole, filled, merging)


def _alter(bench: Workbench, stage: Stage, model: CompiledModel, step: BuildStep) -> Outcome:
    """Have the table say and take what the model now says, while its rows stay. No input is read: cursors stay."""
    _evolve(bench, stage, model)
    commit = replace(commit_of(bench, model, stage.base, Ledger(0), ()), cursors=())
    return Outcome(stage.publish(commit).number, Ledger(0), (), step.note)


def _changed(bench: Workbench, stage: Stage, model: CompiledModel) -> bool:
    """Whether the model is another one than its table was built by."""
    built = bench.catalog.model_states(stage.base).get(model.table)
    there = stage.find(model.table) is not None
    return there and built is not None and built.fingerprint != model.state.fingerprint


def _evolve(bench: Workbench, stage: Stage, model: CompiledModel) -> bool:
    with bench.engine.session(bench.endpoint, stage.token) as session:
        schema = output_schema(described(session, stage, model), model)
        return evolve(session, stage, model, declared(model.model, table_columns(model.model, schema)))


def reads_changes(model: CompiledModel, step: BuildStep) -> bool:
    """Whether the step takes its input row by row (else the query reads the tables themselves)."""
    if model.model.kind in ("append", "upsert", "scd2", "snapshot"):
        return model.shape.row_preserving
    return step.mode == "groups"


def _mended(
    bench: Workbench, stage: Stage, model: CompiledModel, step: BuildStep, news: tuple[InputChanges, ...]
) -> tuple[str, ...] | None:
    """The records in quarantine that gave way in the input, where no other row of it went; else None."""
    if step.mode != "increment" or step.kind != "append" or any(change.whole for change in news):
        return None
    gone = [change for change in news if change.deleted]
    return never_taken_in(bench, stage, model, gone[0]) if gone else None


def _fitting(
    bench: Workbench, model: CompiledModel, step: BuildStep, news: tuple[InputChanges, ...], until: int
) -> tuple[BuildStep, tuple[InputChanges, ...]]:
    """A step whose input lost rows that it cannot take back, or was made anew, is done over all of its input.

    So is one of groups where a table changed of which every row bears on all of them.
    """
    joined = model.everywhere([change.table for change in news if change.any]) if step.mode == "groups" else None
    made_anew = any(change.whole for change in news) and step.mode in ("increment", "groups")
    lost = step.mode == "increment" and step.kind == "append" and any(change.deleted for change in news)
    if not made_anew and not lost and joined is None:
        return step, news
    every = tuple(InputRange(given.table, None) for given in step.inputs)
    if step.mode == "groups":
        note = "the input was made anew: recomputes all" if joined is None else bears_on_all(joined)
        return replace(step, mode="whole", inputs=every, note=note), ()
    if step.kind != "append":
        note = "the input was made anew: takes in all of it, changes what differs"
        return replace(step, mode="whole", inputs=every, note=note), read_changes(bench, every, until)
    note = "rows of the input were deleted: builds everything anew"
    return replace(step, mode="rebuild", inputs=every, note=note), read_changes(bench, every, until)


def _afresh(model: CompiledModel, step: BuildStep) -> bool:
    """Whether the table's rows are to be replaced: a rebuild, or a whole that has no key to compare by."""
    return step.mode in ("create", "rebuild") or (step.mode == "whole" and not model.model.key)


def done(building: Building, step: BuildStep) -> Work:
    """Stage the rows, judge them one by one and change the table; to be called in a transaction."""
    bench, session, stage = building.bench, building.session, building.stage
    model, news, schema, filled = building.model, building.news, building.schema, building.filled
    if model.model.kind in _RARE_KINDS:
        return cast("Work", lookup(_RARE_KINDS[model.model.kind])(building))
    scope = judged_scope(model, step, filled=filled)
    if model.model.kind == "append":
        other = building.widened
        return Work(*append_rows(bench, session, stage, model, news, schema, filled=filled, other=other), scope)
    if step.mode == "groups" and filled:
        return _recomputed(building, scope)
    return Work(*recompute_whole(building), scope)


def _recomputed(building: Building, scope: str | None) -> Work:
    """What the changed rows bear on, computed again."""
    model = building.model
    if isinstance(model.lookback, Lookback):
        return Work(*recompute_span(building, model.lookback), scope)
    assert isinstance(model.groups, GroupKey)  # noqa: S101 - else the planner plans no such step
    if model.model.kind == "replace" and model.partitions is not None:
        fields = model.partitions
        return Work(*recompute_partitions(building, model.groups, fields), of_partitions(fields, building.schema))
    return Work(*recompute_groups(building, model.groups), scope)


def commit_of(
    bench: Workbench, model: CompiledModel, base: int, ledger: Ledger, verdicts: tuple[Verdict, ...]
) -> Commit:
    """The commit of a model's step: what it was made of, and up to which commit."""
    tables = {name: bench.catalog.find(name, base) for name in model.inputs}
    schemas = {name: bench.catalog.metadata(entry).schema() for name, entry in tables.items() if entry is not None}
    return Commit(
        step_key=bench.step_key(model.table),
        kind=model.model.kind,
        principal=bench.principal,
        run=bench.run,
        table=model.table,
        cursors=tuple(Cursor(model.table, name, base) for name in model.inputs),
        ledger=ledger,
        verdicts=verdicts,
        lineage=table_lineage(model.model, (Edge(model.table, *edge) for edge in _lineage(model, schemas))),
        models=(model.state,),
    )


def _lineage(model: CompiledModel, schemas: Mapping[TableName, Schema]) -> tuple[tuple[str, TableName, str], ...]:
    """From which columns each column was made; a function's may be made of all that it reads."""
    if model.model.function is None:
        return lineage(model.query, schemas)
    return tuple((name, table, "*") for name in model.model.columns for table in model.inputs)
