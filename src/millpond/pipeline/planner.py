"""From the project and the state of the lake to a plan. Pure: it reads nothing and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Sized
from dataclasses import field, replace

from millpond.catalog.commits import ModelState, TableEntry
from millpond.core.errors import Location, RunError
from millpond.core.names import TableName, side_table
from millpond.core.records import frozen
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.contract import renames
from millpond.pipeline.evolution import Change, change
from millpond.pipeline.graph import Graph
from millpond.pipeline.plan import (
    BuildMode,
    BuildStep,
    DropStep,
    InputRange,
    LandStep,
    Plan,
    ReplayStep,
    Step,
    ViewStep,
)
from millpond.pipeline.unique import rejects_repeats
from millpond.project.model import ModelKind
from millpond.sql.evolution import UNCHANGED
from millpond.sql.lookback import Lookback

_KEEPS = "adds the changes to the states of their groups"
_TRIAL = "its circuit is open: tries one increment"


@frozen
class PublishedView:
    """A view of the catalog. `fingerprint` is that of the model that it was published for, None where another program
    made what it says; `stale` tells that its inputs have other columns since.
    """

    fingerprint: str | None
    stale: bool


@frozen
class LakeState:
    """What the planner must know of the lake, all as of commit `head`."""

    head: int
    tables: Mapping[TableName, TableEntry] = field(default_factory=dict)
    models: Mapping[TableName, ModelState] = field(default_factory=dict)
    cursors: Mapping[tuple[TableName, TableName], int] = field(default_factory=dict)
    held: frozenset[TableName] = frozenset()
    """Models whose circuit is open."""
    tried: frozenset[TableName] = frozenset()
    """Models whose circuit is open, and that are to try one increment."""
    still: frozenset[tuple[TableName, TableName]] = frozenset()
    """Consumers and inputs that moved since without another row or column."""
    views: Mapping[TableName, PublishedView] = field(default_factory=dict)
    """Views that have the names of models."""


@frozen
class Wishes:
    """What the user asked for: which tables, which of them from scratch, and which removed tables to drop."""

    selected: frozenset[TableName]
    rebuild: frozenset[TableName] = frozenset()
    drop: frozenset[TableName] = frozenset()


def plan(graph: Graph, state: LakeState, landings: Mapping[TableName, LandStep | ReplayStep], wishes: Wishes) -> Plan:
    """The steps that bring the selected tables up to date.

    `landings` holds a step for each source that has something to land, or to replay. Raises RunError MP-7010 when a
    model was changed, renamed or removed and the user has not said what to do about it.
    """
    _refuse_removed(graph, state, wishes)
    rebuilt = set(wishes.rebuild)
    for table in wishes.rebuild:
        rebuilt |= graph.downstream(table)
    _refuse_changed(graph, state, wishes, frozenset(rebuilt))
    steps: list[Step] = [DropStep(table, "its model is gone and --drop names it") for table in sorted(wishes.drop)]
    steps += [landings[s.table] for s in graph.sources if s.table in landings and s.table in wishes.selected]
    moving = {step.table for step in steps}
    waiting: list[tuple[TableName, TableName]] = []
    held: list[TableName] = []
    reshaped: set[TableName] = set()
    for model in graph.models:
        if model.table not in wishes.selected and model.table not in rebuilt:
            continue
        absent = next((name for name in model.needs if name not in state.tables and name not in moving), None)
        if absent is not None:
            waiting.append((model.table, absent))
            continue
        if model.model.kind == "view":
            shown = _view(model, state, reshaped, rebuild=model.table in wishes.rebuild)
            steps += [] if shown is None else [shown]
            continue
        step = _build(model, graph, state, moving, model.table in rebuilt)
        if step is not None and step.mode not in ("create", "rebuild", "alter"):
            if model.table in state.held:
                held.append(model.table)
                continue
            if model.table in state.tried:
                step = replace(step, trial=True, note=_TRIAL)
        if step is not None:
            steps.append(step)
            if step.moves:
                moving.add(model.table)
            if step.mode in ("create", "rebuild") or _change(model, graph, state).columns != UNCHANGED:
                reshaped.add(model.table)
    return Plan(state.head, tuple(steps), tuple(waiting), open=tuple(held))


def _build(
    model: CompiledModel, graph: Graph, state: LakeState, moving: set[TableName], rebuild: bool
) -> BuildStep | None:
    kind = model.model.kind
    keeps = side_table(model.table) in state.tables and not rejects_repeats(model.model)
    note = _KEEPS if kind == "aggregate" and model.incremental and keeps else _note(model)
    every = tuple(InputRange(name, None) for name in model.inputs)
    if model.table not in state.models:
        foreign = model.table in state.tables or model.table in state.views
        if foreign and not rebuild:
            raise _not_ours(model, "table" if model.table in state.tables else "view")
        because = "--rebuild replaces a table of others" if foreign else "there is no table yet"
        return BuildStep(model.table, kind, "rebuild" if foreign else "create", every, because, _first_note(model))
    if rebuild and kind == "snapshot" and model.table in state.tables:
        return BuildStep(model.table, kind, "whole", every, "asked for by --rebuild", "its history stays as it is")
    if rebuild:
        return BuildStep(model.table, kind, "rebuild", every, "asked for by --rebuild", _first_note(model))
    ranges = tuple(InputRange(name, state.cursors.get((model.table, name))) for name in model.inputs)
    news = [r.table for r in ranges if r.table in moving or _has_news(state, model.table, r)]
    changed = _change(model, graph, state)
    if changed.columns.added and kind != "append":
        # What a new column holds is computed for all rows; the table's files are not all written again.
        because = f"{changed.told()}, and is computed for all rows"
        return BuildStep(model.table, kind, "whole", every, because, note)
    if not news:
        return _altering(model, changed, ranges)
    because = ", ".join(filter(None, (f"{', '.join(map(str, news))} changed", changed.told())))
    if not model.incremental:
        return BuildStep(model.table, kind, "whole", every, because, note)
    if (joined := model.everywhere(news)) is not None:
        return BuildStep(model.table, kind, "whole", every, because, bears_on_all(joined))
    mode: BuildMode = "groups" if kind in ("aggregate", "replace") else "increment"
    return BuildStep(model.table, kind, mode, ranges, because, note)


def _not_ours(model: CompiledModel, holder: str) -> RunError:
    return RunError(
        "MP-7012",
        f"there is a {holder} {model.table} that this project did not make",
        next_step=f"`millpond run --rebuild {model.table}` replaces it; or give the model another name",
        where=model.model.place(),
    )


def _view(model: CompiledModel, state: LakeState, reshaped: set[TableName], *, rebuild: bool) -> ViewStep | None:
    """The step that publishes a view where what is published is not what it says now."""
    built, there = state.models.get(model.table), state.views.get(model.table)
    now = model.state
    if built is None and not rebuild and (model.table in state.tables or (there and there.fingerprint is None)):
        raise _not_ours(model, "view" if there else "table")
    others = [str(name) for name in model.inputs if name in reshaped]
    if there is None:
        because = "there is no view yet" if model.table not in state.tables else "takes the place of the table"
    elif there.fingerprint is None:
        because = "another program changed it"
    elif there.fingerprint != now.fingerprint or built is None or built.fingerprint != now.fingerprint:
        because = f"its {_differs(built, now)} changed"
    elif there.stale or others:
        because = f"columns of {', '.join(others) or 'what it reads'} changed"
    elif rebuild:
        because = "asked for by --rebuild"
    else:
        return None
    return ViewStep(model.table, because)


def _differs(built: ModelState | None, now: ModelState) -> str:
    if built is None or json.loads(built.definition).get("sql") != json.loads(now.definition)["sql"]:
        return "query"
    return "description"


def _altering(model: CompiledModel, changed: Change, ranges: tuple[InputRange, ...]) -> BuildStep | None:
    """The step for a model that changed so that its rows may stay, and whose inputs bring nothing."""
    if not changed.any:
        return None
    only = changed.partition and changed == Change(partition=True)
    note = "files that are there stay as they are; --rebuild writes them anew" if changed.partition else ""
    if changed.columns.added:
        note = f"rows that are there have no {', '.join(changed.columns.added)}; --rebuild computes it"
    mode: BuildMode = "partition" if only else "alter"
    told = changed.told()
    moves = changed.partition or changed.columns != UNCHANGED
    return BuildStep(model.table, model.model.kind, mode, ranges, told, note, moves=moves)


def _change(model: CompiledModel, graph: Graph, state: LakeState) -> Change:
    """What became of a model since its table was built, its inputs' renamed columns being known."""
    inputs = {
        new: old for other in graph.models if other.table in model.inputs for new, old in renames(other.model).items()
    }
    return change(state.models[model.table], model, inputs)


def _has_news(state: LakeState, consumer: TableName, given: InputRange) -> bool:
    entry = state.tables.get(given.table)
    if entry is None or (consumer, given.table) in state.still:
        return False
    return given.since is None or entry.commit > given.since


def _first_note(model: CompiledModel) -> str:
    """What is to be said where all of the input is taken in: not what becomes of rows that will have gone."""
    if model.model.kind == "replace" and not model.incremental:
        return "computes everything anew"
    return "" if model.incremental and model.model.kind in ("upsert", "scd2") else _note(model)


def _note(model: CompiledModel) -> str:
    if model.incremental and isinstance(model.lookback, Lookback):
        return f"recomputes from the earliest changed {model.lookback.column} on, as far as rows look back"
    if model.incremental and model.model.kind == "replace" and model.partitions is None:
        return "recomputes the rows of the keys that changed"
    if model.incremental:
        return _INCREMENTAL.get(model.model.kind, "")
    if model.model.kind in ("append", "upsert", "scd2"):
        return f"not row-preserving ({model.shape.reason}): reads its inputs whole"
    if model.model.kind == "aggregate":
        return f"{model.groups}: recomputes all, changes what differs"
    if model.model.kind == "snapshot":
        return "compares the whole state of its inputs with the versions that hold"
    return f"computes everything anew ({model.groups})" if model.groups else "computes everything anew"


def bears_on_all(joined: TableName) -> str:
    """What is said of a step that computes all rows because of a table that is joined by no equality."""
    return f"{joined} is joined by no equality: recomputes all, changes what differs"


_INCREMENTAL: Mapping[ModelKind, str] = {
    "aggregate": "recomputes the groups that changed",
    "replace": "replaces the partitions that changed",
    "upsert": "where input rows went, takes in all rows of their keys unless newer ones are there",
    "scd2": "where input rows went, takes in all rows of their keys",
}
"""What is to be said of steps that take in changes alone."""


def kind_of(state: ModelState) -> str | None:
    """The kind of the model that a table or view was made by."""
    kind: str | None = json.loads(state.definition).get("kind")
    return kind


def _refuse_changed(graph: Graph, state: LakeState, wishes: Wishes, rebuilt: frozenset[TableName]) -> None:
    told: dict[TableName, str] = {}
    first: CompiledModel | None = None
    for model in graph.models:
        built = state.models.get(model.table)
        if built is None or model.table in rebuilt or model.table not in wishes.selected:
            continue
        if model.model.kind == "view" and kind_of(built) == "view":
            continue  # nothing is kept that could not follow
        changed = _change(model, graph, state)
        if changed.rebuild:
            what = "view was published" if kind_of(built) == "view" else "table was built"
            read = ", ".join(sorted({str(view.table) for view in model.views})) if "sql" in changed.rebuild else ""
            through = f"; what it reads through {read} is part of it" if read else ""
            told[model.table] = f"{model.table} changed since its {what} ({', '.join(changed.rebuild)}){through}"
            first = first or model
    if first is None:
        return
    # What stands on a rebuilt model is built anew with it.
    along = frozenset().union(*(graph.downstream(table) for table in told))
    raise RunError(
        "MP-7010",
        _of_models(list(told.values())),
        next_step=f"`millpond run {_each('--rebuild', [table for table in told if table not in along])}` builds "
        f"{_it(told)} and what depends on {_it(told)} anew; or put the {'files' if len(told) > 1 else 'file'} back as "
        f"{'they were' if len(told) > 1 else 'it was'}",
        where=first.model.place(),
    )


def _refuse_removed(graph: Graph, state: LakeState, wishes: Wishes) -> None:
    known = {model.table for model in graph.models}
    told: dict[TableName, str] = {}
    place: Location | None = None
    for table, built in sorted(state.models.items()):
        if table in known or table in wishes.drop:
            continue
        twin = next(
            (m for m in graph.models if m.table not in state.models and m.state.fingerprint == built.fingerprint),
            None,
        )
        holder = "view" if kind_of(built) == "view" else "table"
        became = f"renamed to {twin.table}" if twin else "removed"
        told[table] = f"{table} was {became}, and its {holder} is still there"
        place = place or (twin.model.place() if twin else None)
    if told:
        raise RunError(
            "MP-7011",
            _of_models(list(told.values())),
            next_step=f"`millpond run {_each('--drop', list(told))}` removes {_it(told)}; or put "
            f"the {'files of the models' if len(told) > 1 else 'file of the model'} back",
            where=place,
        )


def _of_models(told: Sequence[str]) -> str:
    return f"the model{'s' if len(told) > 1 else ''} {'; '.join(told)}"


def _each(option: str, tables: Sequence[TableName]) -> str:
    return " ".join(f"{option} {table}" for table in tables)


def _it(tables: Sized) -> str:
    return "them" if len(tables) > 1 else "it"
