"""The order in which models are built, and which of them a selection means."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import replace

from millpond.core.errors import FindingsError, ModelError, RequestError
from millpond.core.names import TableName, closest
from millpond.core.records import frozen
from millpond.governance.macros import library
from millpond.pipeline.compiled import CompiledModel, compile_model
from millpond.pipeline.inlining import Views
from millpond.project.model import Project, Source


@frozen
class Graph:
    """Sources and models of a project; `models` are in dependency order."""

    sources: tuple[Source, ...]
    models: tuple[CompiledModel, ...]

    @property
    def tables(self) -> tuple[TableName, ...]:
        """Every table of the project, sources first, in dependency order."""
        return tuple(source.table for source in self.sources) + tuple(model.table for model in self.models)

    def upstream(self, table: TableName) -> frozenset[TableName]:
        """Every table that must be there before the given one: what it is made from or checked against, or that is."""
        found: set[TableName] = set()
        reads = {model.table: model.follows for model in self.models}
        waiting = list(reads.get(table, ()))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(reads.get(name, ()))
        return frozenset(found)

    def downstream(self, table: TableName) -> frozenset[TableName]:
        """Every table that is made from the given one, directly or not."""
        found = {table}
        for model in self.models:
            if found.intersection(model.inputs) or any(view.table in found for view in model.views):
                found.add(model.table)
        return frozenset(found - {table})

    def after(self, table: TableName) -> frozenset[TableName]:
        """Every table that is made from the given one or checked against it, or from such a one."""
        found = {table}
        for model in self.models:
            if found.intersection(model.follows):
                found.add(model.table)
        return frozenset(found - {table})


def build_graph(project: Project) -> Graph:
    """Compile every model and put them in order.

    Raises ModelError, MP-2020 for a cycle, and FindingsError for what is wrong with macros.
    """
    macros = library(project.macros)
    if macros.findings:
        raise FindingsError(macros.findings)
    views = Views.of(project.models, macros)
    zone = project.settings.time_zone
    models = tuple(replace(compile_model(model, macros, views), zone=zone) for model in project.models)
    return Graph(project.sources, ordered(models))


def ordered(models: tuple[CompiledModel, ...]) -> tuple[CompiledModel, ...]:
    """The models so that each comes after all that it needs; by name where that leaves a choice."""
    done = unknotted(models)
    if len(done) < len(models):
        ends = {model.table for model in done}
        raise _cycle(tuple(sorted((m for m in models if m.table not in ends), key=lambda model: model.table)))
    return done


def unknotted(models: tuple[CompiledModel, ...]) -> tuple[CompiledModel, ...]:
    """The models in that order, without those in a circle and what comes after them."""
    waiting = {model.table: model for model in sorted(models, key=lambda model: model.table)}
    done: list[CompiledModel] = []
    while ready := [m for m in waiting.values() if not any(name in waiting for name in m.follows)]:
        done.extend(waiting.pop(model.table) for model in ready)
    return tuple(done)


def _cycle(models: tuple[CompiledModel, ...]) -> ModelError:
    by_table = {model.table: model for model in models}
    path = [models[0].table]
    while True:
        step = next(name for name in by_table[path[-1]].follows if name in by_table)
        if step in path:
            path = [*path[path.index(step) :], step]
            break
        path.append(step)
    closing = by_table[path[-2]]
    where = next(r.where for r in (*closing.views, *closing.references, *closing.compared) if r.table == path[-1])
    return ModelError(
        "MP-2020",
        f"models read each other in a circle: {' <- '.join(map(str, path))}",
        next_step="take one of these references out, or split a model in two",
        where=where,
    )


def select(graph: Graph, selectors: Iterable[str]) -> frozenset[TableName]:
    """The tables that the selectors name; all of them when there is no selector.

    `name` or `layer.name` (globs allowed), `+name` with everything upstream, `name+` with everything downstream,
    `tag:x`, `layer:gold`, `source:name`. Raises RequestError MP-7001 for a selector that names nothing.
    """
    chosen: set[TableName] = set()
    selectors = tuple(selectors)
    given = [part for selector in selectors for part in selector.split()]
    if selectors and not given:
        raise RequestError("MP-7001", "the selection is empty", next_step="see `millpond ls` for the names")
    if not given:
        return frozenset(graph.tables)
    for selector in given:
        core = selector.strip("+")
        found = _named(graph, core)
        if not found:
            names = [*map(str, graph.tables), *(table.name for table in graph.tables), *_methods(graph)]
            raise RequestError(
                "MP-7001",
                f"the selection {selector!r} names no source or model",
                next_step="see `millpond ls` for the names",
                suggestion=closest(core, names),
            )
        for table in found:
            chosen.add(table)
            if selector.startswith("+"):
                chosen |= graph.upstream(table)
            if selector.endswith("+"):
                chosen |= graph.downstream(table)
    return frozenset(chosen)


def _methods(graph: Graph) -> set[str]:
    """The selectors with a colon that name something."""
    tags = {tag for model in graph.models for tag in model.model.tags}
    tags |= {tag for source in graph.sources for tag in source.settings.tags}
    layers = {f"layer:{table.layer}" for table in graph.tables}
    return layers | {f"tag:{tag}" for tag in tags} | {f"source:{source.name}" for source in graph.sources}


def _named(graph: Graph, word: str) -> frozenset[TableName]:
    method, _, argument = word.partition(":")
    if method == "layer" and argument:
        return frozenset(table for table in graph.tables if table.layer == argument)
    if method == "tag" and argument:
        tagged = {model.table for model in graph.models if argument in model.model.tags}
        return frozenset(tagged | {source.table for source in graph.sources if argument in source.settings.tags})
    if method == "source" and argument:
        return frozenset(source.table for source in graph.sources if fnmatch.fnmatchcase(source.name, argument))
    return frozenset(
        table
        for table in graph.tables
        if fnmatch.fnmatchcase(str(table), word) or fnmatch.fnmatchcase(table.name, word)
    )
