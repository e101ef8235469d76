"""The table that a build writes: made, emptied or widened in the step's stage before rows go in."""

from __future__ import annotations

from millpond.catalog.evolving import updates
from millpond.catalog.metadata import FORMAT, TableMetadata
from millpond.catalog.staging import Stage, TableChange
from millpond.catalog.types import storable
from millpond.core.errors import CatalogError, EngineError, ModelError
from millpond.core.names import RESERVED, TableName, side_table
from millpond.core.plugins import lookup
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.ingest.quarantine import open_quarantine
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.contract import Built, breaches, incompatible, properties, refuse, renames
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Model
from millpond.sql.statements import count_nulls
from millpond.tables.statistics import statistics

_REFUSALS = ("MP-4001", "MP-4005")
"""What the engine says of a statement that it does not take."""


def described(session: Session, stage: Stage, model: CompiledModel) -> Schema:
    """The columns that a model's query gives. Raises ModelError MP-2011 at its place where the engine refuses it."""
    try:
        return session.describe(model.query.text())
    except EngineError as failed:
        if failed.code not in _REFUSALS:
            raise
        raise lookup("millpond.pipeline.refusal:refused")(session, stage, model, failed) from failed


def output_schema(given: Schema, model: CompiledModel) -> Schema:
    """The columns that the model's query gives, with their types as tables hold them.

    Raises ModelError MP-2140 or MP-2141 where the query does not give what the author declared.
    """
    for column in given:
        if column.name.lower().startswith(RESERVED):
            raise ModelError(
                "MP-2006",
                f"the column name {column.name!r} of {model.table} is reserved",
                next_step=f"give the column a name that does not begin with {RESERVED}",
                where=model.model.place(),
            )
    kept = Schema(tuple(Column(column.name, storable(column.type)) for column in given))
    refuse(breaches(model, kept))
    return kept


def prepare(
    bench: Workbench, session: Session, stage: Stage, model: CompiledModel, schema: Schema, *, afresh: bool
) -> bool:
    """Make sure that the table is there, empty when `afresh`; whether it may hold rows.

    Raises CatalogError MP-3184 when a client made it a table of a later format.
    """
    table = model.table
    entry = bench.catalog.find(table, stage.base)
    if entry is None:
        stage.create_table(table, schema, model.model.partition, properties(model.model))
        return False
    found = bench.catalog.metadata(entry)
    if not afresh:
        _check_format(table, found)
        evolve(session, stage, model, schema)
        return True
    described = [[(c.name, c.type, c.required) for c in columns] for columns in (found.schema(), schema)]
    if found.format_version == FORMAT and described[0] == described[1]:
        stage.truncate(table)
        _say(stage, model, schema)
    else:
        stage.drop_table(table)
        stage.create_table(table, schema, model.model.partition, properties(model.model))
    return False


def _check_format(table: TableName, found: TableMetadata) -> None:
    if found.format_version != FORMAT:
        raise CatalogError(
            "MP-3184",
            f"{table} was made a table of Iceberg's format {found.format_version} by a client: rows of it that a step "
            "takes out would stay",
            next_step=f"`millpond run --rebuild {table}` makes it anew, `millpond restore {table}` goes back",
        )


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
        made = updates(stage.metadata(side), schema, renames(model), {})
        if made:
            stage.commit((TableChange(side, (), made),))
        return
    if there:
        stage.drop_table(side)
    if schema is not None:
        stage.create_table(side, schema)


def evolve(session: Session, stage: Stage, model: CompiledModel, schema: Schema) -> bool:
    """Give the table the columns, words and partitioning of the model while its files stay; whether any was new.

    Raises ModelError MP-2042, MP-2142 or MP-2143 where that cannot be.
    """
    metadata = stage.metadata(model.table)
    present = metadata.schema()
    strict = [c for c in schema if c.required and (there := present.get(c.name)) is not None and not there.required]
    nulls = {column.name: _nulls(session, model, metadata, column.name) for column in strict}
    refuse(incompatible(model, Built(present, nulls=nulls), schema))
    return _say(stage, model, schema)


def _say(stage: Stage, model: CompiledModel, schema: Schema) -> bool:
    metadata = stage.metadata(model.table)
    made = updates(metadata, schema, renames(model.model), properties(model.model))
    if made:
        stage.commit((TableChange(model.table, (), made),))
        _say_beside(stage, model, schema)
    return stage.repartition(model.table, model.model.partition) or bool(made)


def _say_beside(stage: Stage, model: CompiledModel, schema: Schema) -> None:
    """Give the columns that the side table shares their new names and types: what stands there may come back."""
    side = side_table(model.table)
    if stage.find(side) is None:
        return
    metadata, old = stage.metadata(side), renames(model.model)
    present = {name.lower() for name in metadata.schema().names}
    shared = [column for column in schema if {column.name.lower(), old.get(column.name, "").lower()} & present]
    wanted = Schema(tuple(Column(column.name, column.type) for column in shared))
    if made := updates(metadata, wanted, old, {}):
        stage.commit((TableChange(side, (), made),))


def _nulls(session: Session, model: CompiledModel, metadata: TableMetadata, name: str) -> int:
    known = statistics(metadata)
    if known is not None and name in known.nulls:
        return known.nulls[name]
    return int(session.rows(count_nulls(model.table, name))[0][0])


def ensure_quarantine(bench: Workbench, stage: Stage) -> bool:
    """Make the quarantine table when this is the first record that needs it; whether it may hold records."""
    return open_quarantine(bench.catalog, stage)
