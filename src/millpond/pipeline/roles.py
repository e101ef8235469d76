"""What the columns of a keyed model's query are for: key, order, marks of deletion, and what the table keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from millpond.catalog.commits import Edge
from millpond.core.errors import Finding, ModelError
from millpond.core.names import closest
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.project.model import HISTORIES, Model
from millpond.sql.marks import mark
from millpond.sql.scd2 import CURRENT, FROM, TO, VERSION_COLUMNS

_TIMES = ("DATE", "TIMESTAMP", "BIGINT", "INTEGER", "SMALLINT", "TINYINT")
"""How the names of types begin that can be an event time."""


@frozen
class Roles:
    """Column names as the query gives them.

    `outputs` are all of the query's, `kept` those that the table takes from them; `order` tells which of two rows of
    a key is later. `mark` is the expression that tells which rows delete their key, None where none does.
    """

    outputs: tuple[str, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    kept: tuple[str, ...]
    mark: str | None


def roles(model: Model, schema: Schema) -> Roles:
    """The roles of a query's columns.

    Raises ModelError MP-2031, MP-2100, MP-2102, MP-2103 or MP-2104 for a query that does not give what it must.
    """
    wrong = next(role_problems(model, schema), None)
    if wrong is not None:
        raise ModelError(
            wrong.code, wrong.message, next_step=wrong.next_step, where=wrong.where, suggestion=wrong.suggestion
        )
    key, order = tuple(c.name for c in schema.of(model.key)), tuple(c.name for c in schema.of(_order(model)))
    payload = tuple(name for name in schema.names if name not in (*key, *order))
    marked = mark(model.delete_when, payload if model.tombstones else ()) if model.deletes else None
    return Roles(schema.names, key, order, _taken(model, schema).names, marked)


def table_columns(model: Model, schema: Schema) -> Schema:
    """The columns of a model's table, given those of its query."""
    taken = _taken(model, schema).columns
    if model.kind not in HISTORIES:
        return Schema(taken)
    time = schema.get(model.event_time) if model.event_time is not None else None
    kind = time.type if time is not None else "TIMESTAMP"
    return Schema((*taken, Column(FROM, kind), Column(TO, kind), Column(CURRENT, "BOOLEAN")))


def table_lineage(model: Model, edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """What the table's columns were made from, given that of the query's."""
    left_out = {name.lower() for name in model.exclude}
    time = (model.event_time or "").lower()
    found: list[Edge] = []
    for edge in edges:
        if edge.output_column.lower() == time:
            found += [replace(edge, output_column=name) for name in VERSION_COLUMNS]
        elif edge.output_column.lower() not in left_out:
            found.append(edge)
    return tuple(found)


def role_problems(model: Model, schema: Schema) -> Iterator[Finding]:
    """What a query's columns do not give of what the front matter asks of them."""
    time = () if model.event_time is None else (model.event_time,)
    entries = (("key", model.key), ("order", model.order), ("event_time", time), ("exclude", model.exclude))
    for entry, columns in entries:
        for index, name in enumerate(columns):
            if schema.get(name) is None:
                yield Finding(
                    "MP-2031" if entry == "key" else "MP-2100",
                    f"the {entry} column {name!r} is not among the columns of {model.table}",
                    "name a column that the query gives, or add it to the query",
                    model.place(f"{entry}.{index}"),
                    closest(name, schema.names),
                )
    known = {name.lower() for name in (*model.key, *_order(model))}
    if model.tombstones and all(column.name.lower() in known for column in schema):
        yield Finding(
            "MP-2102",
            f"every row of {model.table} would be a tombstone: it has no columns besides key and order",
            "take `tombstones` out, or say by `delete_when` which rows delete",
            model.place("tombstones"),
        )
    if model.kind in HISTORIES:
        yield from _version_problems(model, schema)


def _version_problems(model: Model, schema: Schema) -> Iterator[Finding]:
    time = schema.get(model.event_time or "")
    if time is not None and not time.type.startswith(_TIMES):
        yield Finding(
            "MP-2103",
            f"the event time {time.name!r} of {model.table} is of type {time.type}, which tells no time",
            "cast it to TIMESTAMP, DATE, or a whole number that counts changes",
            model.place("event_time"),
        )
    for column in _taken(model, schema):
        if column.name.lower() in VERSION_COLUMNS:
            yield Finding(
                "MP-2104",
                f"the query of {model.table} gives a column {column.name!r}, which a model of kind {model.kind} makes",
                "give the column another name",
                model.place(),
            )


def _order(model: Model) -> tuple[str, ...]:
    return model.order if model.event_time is None else (model.event_time,)


def _taken(model: Model, schema: Schema) -> Schema:
    left_out = {name.lower() for name in (*model.exclude, model.event_time or "")}
    return Schema(tuple(column for column in schema if column.name.lower() not in left_out))
