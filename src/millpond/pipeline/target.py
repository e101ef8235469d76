"""The table that a build writes: made, emptied or widened in the step's stage before rows go in."""

from __future__ import annotations

from millpond.catalog.staging import Stage
from millpond.catalog.types import storable
from millpond.core.errors import CatalogError, ModelError
from millpond.core.names import RESERVED, TableName, side_table
from millpond.core.schema import Column, Schema
from millpond.ingest.quarantine import open_quarantine
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Model


def output_schema(described: Schema, model: Model) -> Schema:
    """The columns that the model's query gives, with their types as tables hold them, and the author's descriptions."""
    columns = []
    for column in described:
        if column.name.lower().startswith(RESERVED):
            raise ModelError(
                "MP-2006",
                f"the column name {column.name!r} of {model.table} is reserved",
                next_step=f"give the column a name that does not begin with {RESERVED}",
                where=model.place(),
            )
        notes = model.columns.get(column.name)
        columns.append(Column(column.name, storable(column.type), doc=notes.description if notes else None))
    return Schema(tuple(columns))


def prepare(bench: Workbench, stage: Stage, model: Model, schema: Schema, *, afresh: bool) -> bool:
    """Make sure that the table is there, empty when `afresh`; whether it may hold rows."""
    entry = bench.catalog.find(model.table, stage.base)
    if entry is None:
        stage.create_table(model.table, schema, model.partition)
        return False
    present = bench.catalog.metadata(entry).schema()
    if not afresh:
        _widen(stage, model, present, schema)
        stage.repartition(model.table, model.partition)
        return True
    if [(c.name, c.type) for c in present] == [(c.name, c.type) for c in schema]:
        stage.truncate(model.table)
        stage.repartition(model.table, model.partition)
    else:
        stage.drop_table(model.table)
        stage.create_table(model.table, schema, model.partition)
    return False


def prepare_side(stage: Stage, model: Model, schema: Schema | None, *, filled: bool) -> None:
    """Make sure that the model's side table is there, empty unless the table was filled; with None, that it is not.

    Raises CatalogError MP-3100 when the table is there and what was to be remembered beside it is gone.
    """
    side = side_table(model.table)
    there = stage.find(side) is not None
    if filled and schema is not None:
        if not there:
            raise CatalogError(
                "MP-3100",
                f"the side table of {model.table}, {side}, is gone",
                next_step=f"`millpond run --rebuild {model.table}` makes both anew from the inputs",
            )
        _add_columns(stage, side, schema)
        return
    if there:
        stage.drop_table(side)
    if schema is not None:
        stage.create_table(side, schema)


def _widen(stage: Stage, model: Model, present: Schema, schema: Schema) -> None:
    """Add the columns that the query gives and the table lacks, as a star does when its input grew.

    Raises ModelError MP-2042 where the table cannot be brought to the query's columns without building it anew, and
    MP-2105 where it cannot be built anew either.
    """
    gone = [column.name for column in present if schema.get(column.name) is None]
    other = [c.name for c in schema if (there := present.get(c.name)) is not None and there.type != c.type]
    if (gone or other) and model.kind == "snapshot":
        raise ModelError(
            "MP-2105",
            f"the query of {model.table} no longer gives the columns of its history: {', '.join((*gone, *other))}",
            next_step="give them again, of the same type; or give the model another name, and a new history begins",
            where=model.place(),
        )
    if gone or other:
        told = [f"{', '.join(gone)} is gone" if gone else "", f"{', '.join(other)} has another type" if other else ""]
        raise ModelError(
            "MP-2042",
            f"the columns of {model.table} are no longer those of its table: {'; '.join(filter(None, told))}",
            next_step=f"`millpond run --rebuild {model.table}` builds it and what depends on it anew",
            where=model.place(),
        )
    _add_columns(stage, model.table, schema)


def _add_columns(stage: Stage, table: TableName, schema: Schema) -> None:
    present = stage.metadata(table).schema()
    added = tuple(column for column in schema if present.get(column.name) is None)
    if added:
        stage.add_columns(table, added)


def ensure_quarantine(bench: Workbench, stage: Stage) -> bool:
    """Make the quarantine table when this is the first record that needs it; whether it may hold records."""
    return open_quarantine(bench.catalog, stage)
