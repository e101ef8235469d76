"""A model's columns as a contract: what the author declared, what the query gives, and what the table has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from millpond.catalog.evolving import PREFIX, widens
from millpond.catalog.types import portable_problem, storable
from millpond.core.errors import CatalogError, Finding, Location, ModelError
from millpond.core.names import TableName, closest
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.roles import table_columns
from millpond.project.model import Model
from millpond.sql.columns import column_place
from millpond.tables.statistics import statistics

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog


@frozen
class Built:
    """A model's table as it is: its columns, the key that it was built by, and the NULLs of columns where known."""

    schema: Schema
    key: tuple[str, ...] | None = None
    nulls: Mapping[str, int] = field(default_factory=dict)


def built_tables(catalog: Catalog, models: tuple[Model, ...]) -> dict[TableName, Built]:
    """The tables that models have been built into."""
    states, entries = catalog.model_states(), {entry.name: entry for entry in catalog.tables()}
    found = {}
    for model in models:
        entry = entries.get(model.table)
        if entry is None or model.table not in states:
            continue
        metadata = catalog.metadata(entry)
        strict = any(notes.nullable is False for notes in model.columns.values())
        known = statistics(metadata) if strict else None
        key = tuple(json.loads(states[model.table].definition)["key"])
        found[model.table] = Built(metadata.schema(), key, known.nulls if known is not None else {})
    return found


def declared(model: Model, given: Schema) -> Schema:
    """The columns that the query gives, as the table is to have them: with what the author says of each."""
    columns = []
    for column in given:
        notes = model.columns.get(column.name)
        required = notes is not None and notes.nullable is False
        columns.append(replace(column, required=required, doc=notes.description if notes else None))
    return Schema(tuple(columns))


def properties(model: Model) -> dict[str, str]:
    """What the author says of the table and its columns, as table properties."""
    told = {"owner": model.owner, "comment": model.description, f"{PREFIX}tags": ",".join(model.tags)}
    for name, notes in sorted(model.columns.items()):
        told[f"{PREFIX}column.{name}.tags"] = ",".join(notes.tags)
        told[f"{PREFIX}column.{name}.pii"] = notes.pii
    return {name: text for name, text in told.items() if text}


def renames(model: Model) -> dict[str, str]:
    """The old names of columns that the author renamed, by their new ones."""
    return {name: notes.renamed_from for name, notes in model.columns.items() if notes.renamed_from}


def breaches(model: CompiledModel, given: Schema) -> Iterator[Finding]:
    """Where the query does not give what the author declared: MP-2140 types, MP-2141 columns that are not there."""
    kept = table_columns(model.model, given)
    for name, notes in model.model.columns.items():
        column = kept.get(name) or given.get(name)
        if column is None:
            told = f"{model.table} declares the column {name!r}, which its query does not give"
            where = model.model.place(f"columns.{name}")
            step = "add it to the query, or take it out of `columns`"
            yield Finding("MP-2141", told, step, where, closest(name, given.names))
        elif notes.type is not None:
            yield from _other_type(model, name, notes.type, column.type)


def _other_type(model: CompiledModel, name: str, written: str, given: str) -> Iterator[Finding]:
    where = model.model.place(f"columns.{name}.type")
    try:
        wanted = storable(written)
    except CatalogError as unknown:
        yield Finding("MP-2140", unknown.finding.message, unknown.finding.next_step, where)
        return
    if wanted != storable(given):
        told = f"the column {name!r} of {model.table} is declared as {wanted}, and the query gives {storable(given)}"
        yield Finding("MP-2140", told, f"cast it in the query: {name}::{wanted} AS {name}; or declare its type", where)


def incompatible(model: CompiledModel, built: Built, given: Schema) -> Iterator[Finding]:
    """Where the table cannot become what it is to have while its files stay: MP-2042, MP-2142, MP-2143.

    A history, which cannot be built anew, has MP-2105 for MP-2042.
    """
    names = {old.lower(): new for new, old in renames(model.model).items()}
    code, step = "MP-2042", f"keep it; or `millpond run --rebuild {model.table}` builds it and what depends on it anew"
    if model.model.kind == "snapshot":
        code, step = "MP-2105", "keep it; or give the model another name, and a new history begins"
    for column in built.schema:
        new = names.get(column.name.lower())
        name = new if new is not None and built.schema.get(new) is None else column.name
        there = given.get(name)
        if there is None:
            told = (
                f"the column {column.name!r} of the table {model.table} is no longer among those that its query gives"
            )
            where = model.model.place(f"columns.{column.name}") if column.name in model.model.columns else None
            yield Finding(code, told, f"name its new name's `renamed_from`, or {step}", where or _query(model))
        elif there.type != column.type and not widens(column.type, there.type):
            told = (
                f"the column {name!r} of the table {model.table} is a {column.type}, and the query gives {there.type}"
            )
            yield Finding(code, told, step, _place(model, name))
    yield from _nulls(model, built, given, step)
    yield from _no_rename(model, built)
    if built.key is not None and tuple(names.get(part.lower(), part) for part in built.key) != model.model.key:
        told = f"the key of {model.table} was ({', '.join(built.key)}) and is ({', '.join(model.model.key)}) now"
        yield Finding("MP-2142", told, step, model.model.place("key"))


def _nulls(model: CompiledModel, built: Built, given: Schema, step: str) -> Iterator[Finding]:
    for column in declared(model.model, given):
        old = renames(model.model).get(column.name, column.name)
        there = built.schema.get(column.name) or built.schema.get(old)
        if not column.required or (there is not None and there.required):
            continue
        nulls = built.nulls.get(there.name) if there is not None else None
        if there is None or nulls:
            rows = f"{nulls:,} rows have none" if nulls else "rows that are there have none"
            told = f"the column {column.name!r} of {model.table} is declared as not nullable, but {rows}"
            yield Finding("MP-2142", told, step, model.model.place(f"columns.{column.name}.nullable"))


def _no_rename(model: CompiledModel, built: Built) -> Iterator[Finding]:
    for new, old in renames(model.model).items():
        if built.schema.get(new) is None and built.schema.get(old) is None:
            told = f"the table {model.table} has no column {old!r} that could be renamed to {new!r}"
            where = model.model.place(f"columns.{new}.renamed_from")
            step = "correct the old name, or take `renamed_from` out"
            yield Finding("MP-2143", told, step, where, closest(old, built.schema.names))


def contract_findings(model: CompiledModel, given: Schema, built: Built | None) -> tuple[Finding, ...]:
    """What the query breaks of what the author declared, and of what the table is."""
    found = tuple(breaches(model, given))
    if built is None or any(portable_problem(column.type) for column in given):
        return found
    kept = Schema(tuple(Column(column.name, storable(column.type)) for column in given))
    return (*found, *incompatible(model, built, table_columns(model.model, kept)))


def refuse(findings: Iterator[Finding]) -> None:
    """Raise the first finding as a ModelError, or return."""
    for found in findings:
        raise ModelError(
            found.code, found.message, next_step=found.next_step, where=found.where, suggestion=found.suggestion
        )


def _place(model: CompiledModel, name: str) -> Location:
    """Where the query computes a column; where it begins when a star gives it."""
    where = column_place(model.query, name)
    return where if where is not None else _query(model)


def _query(model: CompiledModel) -> Location:
    return model.query.place(model.query.tree)
