"""The table that a build writes: made, emptied or widened in the step's stage before rows go in."""

from __future__ import annotations

from millpond.catalog.staging import Stage
from millpond.catalog.types import storable
from millpond.core.errors import ModelError
from millpond.core.names import RESERVED
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.ingest.quarantine import open_quarantine
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Model


def output_schema(session: Session, model: Model, query: str) -> Schema:
    """The columns of the model's table: the query's types as tables hold them, with the author's descriptions."""
    columns = []
    for column in session.describe(query):
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


def _widen(stage: Stage, model: Model, present: Schema, schema: Schema) -> None:
    """Add the columns that the query gives and the table lacks, as a star does when its input grew.

    Raises ModelError MP-2042 where the table cannot be brought to the query's columns without building it anew.
    """
    gone = [column.name for column in present if schema.get(column.name) is None]
    other = [c.name for c in schema if (there := present.get(c.name)) is not None and there.type != c.type]
    if gone or other:
        told = [f"{', '.join(gone)} is gone" if gone else "", f"{', '.join(other)} has another type" if other else ""]
        raise ModelError(
            "MP-2042",
            f"the columns of {model.table} are no longer those of its table: {'; '.join(filter(None, told))}",
            next_step=f"`millpond run --rebuild {model.table}` builds it and what depends on it anew",
            where=model.place(),
        )
    added = tuple(column for column in schema if present.get(column.name) is None)
    if added:
        stage.add_columns(model.table, added)


def ensure_quarantine(bench: Workbench, stage: Stage) -> bool:
    """Make the quarantine table when this is the first record that needs it; whether it may hold records."""
    return open_quarantine(bench.catalog, stage)
