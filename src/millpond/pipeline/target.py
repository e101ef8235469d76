"""The table that a build writes: made, emptied or widened in the step's stage before rows go in."""

from __future__ import annotations

from millpond.catalog.staging import Stage
from millpond.catalog.types import storable
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Model
from millpond.sql.quarantine import RECORDS, SCHEMA


def output_schema(session: Session, model: Model, query: str) -> Schema:
    """The columns of the model's table: the query's types as tables hold them, with the author's descriptions."""
    columns = []
    for column in session.describe(query):
        notes = model.columns.get(column.name)
        columns.append(Column(column.name, storable(column.type), doc=notes.description if notes else None))
    return Schema(tuple(columns))


def prepare(bench: Workbench, stage: Stage, model: Model, schema: Schema, *, afresh: bool) -> bool:
    """Make sure that the table is there, empty when `afresh`; whether it may hold rows."""
    entry = bench.catalog.find(model.table, stage.base)
    if entry is None:
        stage.create_table(model.table, schema, model.partition)
        return False
    if not afresh:
        return True
    present = bench.catalog.metadata(entry).schema()
    if [(c.name, c.type) for c in present] == [(c.name, c.type) for c in schema]:
        stage.truncate(model.table)
    else:
        stage.drop_table(model.table)
        stage.create_table(model.table, schema, model.partition)
    return False


def ensure_quarantine(bench: Workbench, stage: Stage) -> bool:
    """Make the quarantine table when this is the first record that needs it; whether it may hold records."""
    if bench.catalog.find(RECORDS, stage.base) is not None:
        return True
    if RECORDS not in stage.changed():
        stage.create_table(RECORDS, SCHEMA)
    return False
