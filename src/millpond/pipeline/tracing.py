"""The way back: from quarantined records to the bronze rows that they were made of, through the models between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millpond.catalog.staging import Stage
from millpond.core.errors import QualityError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS, Column
from millpond.engines.engine import Session
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.graph import Graph
from millpond.pipeline.inputs import row_view
from millpond.quality.entries import Entry
from millpond.sql.casts import soften
from millpond.sql.lake import in_lake
from millpond.sql.mending import create_wanted, wanted_inputs, wanted_rows
from millpond.sql.rewrite import add_columns, replace_inputs
from millpond.sql.staging import CARRIED, ROW

_READ = "traced_input"


@frozen
class Place:
    """Where a record lies in bronze, and the record. `load` is None for one that never got there."""

    table: TableName
    origin: str
    position: int | None
    load: str | None
    raw: str


@frozen
class _Sought:
    """A row that is looked for: of which entry it is, as JSON, and where it came from if that is known."""

    id: str
    raw: str
    origin: str | None = None
    position: int | None = None


def trace(session: Session, stage: Stage, graph: Graph, entries: Sequence[Entry]) -> dict[str, tuple[Place, ...]]:
    """The bronze rows that each record was made of, by the record's id; none where they are there no more.

    Raises QualityError MP-6121 for a record that was made of many, or by no model.
    """
    found: dict[str, list[Place]] = {entry.id: [] for entry in entries}
    sought: dict[TableName, list[_Sought]] = {}
    for entry in entries:
        if entry.kind == "row" and entry.raw is not None:
            row = _Sought(entry.id, entry.raw, entry.origin, entry.position)
            sought.setdefault(entry.raw_of, []).append(row)
        elif entry.kind == "record":
            found[entry.id].append(Place(entry.raw_of, entry.origin or "", entry.position, None, "{}"))
    landings = {source.table for source in graph.sources}
    while sought:
        table = next(iter(sought))
        rows = sought.pop(table)
        if table in landings:
            for identity, place in _in_bronze(session, stage, table, rows):
                found[identity].append(place)
            continue
        model = _model(graph, table)
        before = model.inputs[0]
        for identity, origin, position, load, raw in _made_of(session, stage, model, rows):
            if before in landings:
                found[identity].append(Place(before, origin, position, load, raw))
            else:
                sought.setdefault(before, []).append(_Sought(identity, raw))
    return {identity: _distinct(places) for identity, places in found.items()}


def _distinct(places: Sequence[Place]) -> tuple[Place, ...]:
    """Each place once, in order: two of a record's rows may be made of one."""
    known: Mapping[tuple[object, ...], Place] = {
        (place.table, place.origin, place.position, place.load): place for place in places
    }
    return tuple(sorted(known.values(), key=lambda place: (place.origin, place.position or 0, place.load or "")))


def _model(graph: Graph, table: TableName) -> CompiledModel:
    model = next((model for model in graph.models if model.table == table), None)
    if model is None:
        reason = "no model of the project makes it"
    elif not model.shape.row_preserving:
        reason = f"{table} is made of many rows: {model.shape.reason}"
    elif model.model.kind not in ("append", "upsert", "replace"):
        reason = f"{table} is of kind {model.model.kind}, and a row of it may stand for many"
    else:
        return model
    raise QualityError(
        "MP-6121",
        f"a row of {table} cannot be traced to one record: {reason}",
        next_step=f"mend what {table} is made of, or its model; the record heals when the table is built anew",
        where=model.model.place() if model is not None else None,
    )


def record_columns(stage: Stage, table: TableName) -> tuple[Column, ...]:
    """The columns of a bronze table that come from its records."""
    return tuple(column for column in stage.metadata(table).schema() if column.name not in ORIGIN_COLUMNS)


def _in_bronze(session: Session, stage: Stage, table: TableName, rows: Sequence[_Sought]) -> list[tuple[str, Place]]:
    _want(session, rows)
    columns = (*(column.name for column in record_columns(stage, table)), "_rescued")
    origins = sorted({row.origin for row in rows if row.origin is not None})
    if stage.find(table) is None or not origins:
        return []
    return [(row[0], Place(table, *row[1:])) for row in session.rows(wanted_rows(table, columns, origins))]


def _made_of(session: Session, stage: Stage, model: CompiledModel, rows: Sequence[_Sought]) -> list[tuple[Any, ...]]:
    """The input rows of which the model makes the rows that are sought."""
    before = model.inputs[0]
    if stage.find(before) is None or stage.find(model.table) is None:
        return []
    _want(session, rows)
    session.execute(row_view(_READ, before, stage.metadata(before).schema().names, f"FROM {in_lake(before)}"))
    query = replace_inputs(add_columns(soften(model.query).query, (*CARRIED, ROW)), {before: _READ}).text()
    given = {name.lower() for name in session.describe(query).names}
    columns = tuple(column for column in stage.metadata(model.table).schema() if column.name.lower() in given)
    return session.rows(wanted_inputs(query, columns, model.model.key))


def _want(session: Session, rows: Sequence[_Sought]) -> None:
    lists = [[getattr(row, name) for row in rows] for name in ("id", "raw", "origin", "position")]
    session.execute(create_wanted(), lists)
