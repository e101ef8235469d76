"""A model as the planner sees it: its parsed query, what it reads, and what can be proved of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, replace
from functools import cached_property

from millpond.catalog.commits import ModelState
from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.schema import Column
from millpond.pipeline.inlining import Views
from millpond.project.check import Check
from millpond.project.model import ColumnNotes, Function, Model
from millpond.sql.counting import with_plain_counts
from millpond.sql.expansion import NO_MACROS, Library, expand_text
from millpond.sql.fingerprint import canonical
from millpond.sql.given import promised
from millpond.sql.groups import GroupKey, group_expressions
from millpond.sql.lookback import Lookback, find_lookback
from millpond.sql.parse import Query, parse_written
from millpond.sql.partitioned import PartitionField, find_partitions, keyed, partition_fields
from millpond.sql.references import Reference, inputs
from millpond.sql.row_expression import tables_of
from millpond.sql.shape import Shape, shape


@frozen
class CompiledModel:
    """One model with its query. `groups` tells how an aggregate's groups, or what is replaced at a time, are found in
    the rows of one input and of what is joined to it, else why they are not.

    `lookback` is how far the rows of a moment look back where groups meet in windows only, else why that is not told.
    """

    model: Model
    query: Query
    references: tuple[Reference, ...]
    shape: Shape
    groups: GroupKey | str = ""
    compared: tuple[Reference, ...] = ()
    """Tables that checks look into: they come first, but their changes are no reason to build the model again."""
    lookback: Lookback | str = ""
    zone: str = "UTC"
    """The time zone in which the query's days and hours are told."""
    views: tuple[Reference, ...] = ()
    """Views whose queries are part of this one, and where the author names them."""

    @property
    def table(self) -> TableName:
        """The table that the model makes."""
        return self.model.table

    @property
    def inputs(self) -> tuple[TableName, ...]:
        """The tables that the query reads, each once, in order of appearance."""
        return tuple(dict.fromkeys(reference.table for reference in self.references))

    @property
    def needs(self) -> tuple[TableName, ...]:
        """The tables that must be there first: the inputs, and those that checks look into."""
        return tuple(dict.fromkeys((*self.inputs, *(reference.table for reference in self.compared))))

    @property
    def follows(self) -> tuple[TableName, ...]:
        """All that comes first: what is needed, and the views."""
        return tuple(dict.fromkeys((*(view.table for view in self.views), *self.needs)))

    @property
    def incremental(self) -> bool:
        """Whether the model is brought up to date from its inputs' changes alone."""
        if self.model.kind in ("append", "upsert", "scd2"):
            return self.shape.row_preserving
        return isinstance(self.groups, GroupKey) or isinstance(self.lookback, Lookback)

    def everywhere(self, changed: Collection[TableName]) -> TableName | None:
        """One of the changed tables that is joined so that any of its rows bears on every group; None without one."""
        joins = self.groups.joins if isinstance(self.groups, GroupKey) else ()
        return next((join.table for join in joins if not join.pairs and join.table in changed), None)

    @property
    def partitions(self) -> tuple[PartitionField, ...] | None:
        """The partition fields whose values can be told from a row; None where there are others, or none."""
        return partition_fields([(field.transform, field.column) for field in self.model.partition])

    @cached_property
    def state(self) -> ModelState:
        """The definition that a build of this model is recorded with."""
        parts: dict[str, object] = {
            "kind": self.model.kind,
            "key": self.model.key,
            "partition": [asdict(field) for field in self.model.partition],
            "checks": [_check_definition(check) for check in self.model.checks],
            "sql": canonical(self.query),
        }
        # What a kind alone has is no part of the others' definitions, so that a new one changes none of them.
        parts |= {name: said for name in OF_SOME_KINDS if (said := getattr(self.model, name))}
        parts |= {"function": self.model.function.text} if self.model.function is not None else {}
        parts |= {"zone": self.zone} if self.zone != "UTC" else {}
        about = _about(self.model)
        parts |= {"about": about} if about != nothing_said() else {}
        definition = json.dumps(parts, sort_keys=True, default=str)
        return ModelState(self.table, hashlib.sha256(definition.encode()).hexdigest(), definition)


OF_SOME_KINDS = ("order", "event_time", "delete_when", "tombstones", "exclude")


def compile_model(model: Model, library: Library = NO_MACROS, views: Views | None = None) -> CompiledModel:
    """Parse a model's SQL, translated to DuckDB's, with its macros expanded and the queries of `views` in the place of
    their names, and prove what can be proved.

    Raises ModelError at the author's line and column, ProjectError MP-1311 for what cannot be translated, MP-1309 and
    MP-1310 for calls of macros.
    """
    known = views or Views.of((), library)
    if model.function is not None:
        return _of_function(_written_out(model, known), model.function, known)
    written, read = known.query(model)
    query = with_plain_counts(parse_written(written, model.path))
    references = inputs(query)
    model = _written_out(model, known)
    found = CompiledModel(model, query, references, shape(query), compared=_compared(model, known), views=read)
    if model.kind == "replace" and found.partitions is not None and not _stands_aside(model):
        return replace(found, groups=find_partitions(query, found.partitions))
    if model.kind == "replace" and found.partitions is None and model.key:
        return replace(found, groups=find_partitions(query, keyed(model.key)))
    if model.kind != "aggregate" or not model.key:
        return found
    groups = group_expressions(query, model.key)
    return replace(found, groups=groups, lookback=find_lookback(query, model.key) if isinstance(groups, str) else "")


def _stands_aside(model: Model) -> bool:
    """Whether rows may give way to others of the whole table."""
    return any(check.kind == "unique" and check.severity == "quarantine" for check in model.checks)


def _of_function(model: Model, function: Function, views: Views) -> CompiledModel:
    """A Python model: all that is known of its rows is declared."""
    query = promised(declared_columns(model), model.path)
    references = tuple(Reference(table, model.place(f"inputs.{name}")) for name, table in function.inputs)
    for reference in references:
        views.refuse(reference, "a function reads tables", "read the tables that the view reads, or make a model of it")
    unknown = Shape(False, "a function may look at all rows", None)
    return CompiledModel(model, query, references, unknown, compared=_compared(model, views))


def declared_columns(model: Model) -> tuple[tuple[Column, Location], ...]:
    """The columns that a model declares with a type, and where it says so."""
    return tuple(
        (Column(name, notes.type), model.place(f"columns.{name}.type"))
        for name, notes in model.columns.items()
        if notes.type is not None
    )


def _written_out(model: Model, views: Views) -> Model:
    """The model with macros and views expanded in the expressions of its front matter."""

    def told(text: str, where: Location, *, query: bool) -> str:
        return views.in_text(expand_text(text, where, views.library, query=query), where, query=query)

    checks = tuple(
        replace(check, values=(told(str(check.values[0]), check.where, query=check.is_query),))
        if check.kind == "sql"
        else check
        for check in model.checks
    )
    marked = model.delete_when
    if marked is not None:
        marked = told(marked, model.place("delete_when"), query=False)
    return replace(model, checks=checks, delete_when=marked)


def nothing_said() -> dict[str, object]:
    """What a definition says of a table and its columns where the author said nothing."""
    return {"columns": {}, "description": None, "owner": None, "tags": []}


def _about(model: Model) -> dict[str, object]:
    notes = {name: replace(said, renamed_from=None) for name, said in model.columns.items()}
    told = {name: asdict(said) for name, said in notes.items() if said != ColumnNotes()}
    return json.loads(  # type: ignore[no-any-return]
        json.dumps(
            {"columns": told, "description": model.description, "owner": model.owner, "tags": model.tags}, default=str
        )
    )


def _compared(model: Model, views: Views) -> tuple[Reference, ...]:
    found = []
    for check in model.checks:
        tables = tables_of(str(check.values[0])) if check.kind == "sql" else ()
        if check.target is not None:
            tables = (check.target.table,)
            step = "name the table that the view reads, or write the check as sql"
            views.refuse(Reference(check.target.table, check.where), "a relationship looks into a table", step)
        found += [Reference(table, check.where) for table in tables if table != model.table]
    return tuple(found)


def _check_definition(check: Check) -> dict[str, object]:
    fields = dict(vars(check))
    fields.pop("where")
    if check.max_failed is None:
        fields.pop("max_failed")
    return fields
