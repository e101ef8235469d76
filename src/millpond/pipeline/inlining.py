"""The views of a project, whose queries take the place of their names before anything else is done with a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path

from millpond.core.errors import Location, ModelError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.project.model import Model
from millpond.sql.expansion import Library, expand, within
from millpond.sql.references import Reference
from millpond.sql.transpile import transpile
from millpond.sql.views import expand_views, in_circle
from millpond.sql.written import Written

Expanded = tuple[Written, tuple[Reference, ...]]


@frozen
class Views:
    """The views by name; the query of each is written out when it is first read."""

    models: dict[TableName, Model]
    library: Library
    _known: dict[TableName, Expanded] = field(default_factory=dict)

    @classmethod
    def of(cls, models: Sequence[Model], library: Library) -> Views:
        """Those among a project's models."""
        return cls({model.table: model for model in models if model.kind == "view"}, library)

    def query(self, model: Model) -> Expanded:
        """The query of a model that reads tables alone, as DuckDB's SQL, and the views that it read before.

        Raises ModelError and ProjectError as `compile_model` does, MP-2020 for views that read each other in a circle.
        """
        path = [Reference(model.table, Location(model.path))] if model.kind == "view" else []
        return self._query(model, path)

    def in_text(self, text: str, where: Location, *, query: bool) -> str:
        """A query or an expression that stands in YAML; as it is where it cannot be read."""

        def change(written: Written) -> Written:
            return self._expand(written, where.path, [])[0]

        return within(text, where, change, query=query)

    def refuse(self, reference: Reference, verb: str, step: str) -> None:
        """Raise ModelError MP-2111 where a view is named by what can look into tables only."""
        if reference.table in self.models:
            told = f"{reference.table} is a view, and {verb}"
            raise ModelError("MP-2111", told, next_step=step, where=reference.where)

    def _query(self, model: Model, path: list[Reference]) -> Expanded:
        if model.table not in self._known:
            written = expand(transpile(model.file, model.dialect), model.path, self.library)
            self._known[model.table] = self._expand(written, model.path, path)
        return self._known[model.table]

    def _expand(self, written: Written, file: Path, path: list[Reference]) -> Expanded:
        inner: list[Reference] = []

        def query_of(reference: Reference) -> Written:
            if any(step.table == reference.table for step in path):
                raise in_circle(path, reference)
            found, below = self._query(self.models[reference.table], [*path, reference])
            inner.extend(replace(view, where=reference.where) for view in below)
            return found

        whole, read = expand_views(written, file, self.models.keys(), query_of)
        return whole, (*read, *inner)
