"""What the columns of a keyed model's query are for: key, order, marks of deletion, and what the table keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from millpond.core.errors import Finding, ModelError
from millpond.core.names import closest
from millpond.core.schema import Schema
from millpond.project.model import Model
from millpond.sql.marks import mark


@dataclass(frozen=True)
class Roles:
    """Column names as the query gives them.

    `outputs` are all of the query's, `kept` those of the table. `mark` is the expression that tells which rows delete
    their key, None where none does.
    """

    outputs: tuple[str, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    kept: tuple[str, ...]
    mark: str | None


def roles(model: Model, schema: Schema) -> Roles:
    """The roles of a query's columns. Raises ModelError MP-2031, MP-2100 or MP-2102 where they do not do."""
    wrong = next(role_problems(model, schema), None)
    if wrong is not None:
        raise ModelError(
            wrong.code, wrong.message, next_step=wrong.next_step, where=wrong.where, suggestion=wrong.suggestion
        )
    key, order = _written(model.key, schema), _written(model.order, schema)
    payload = tuple(name for name in schema.names if name not in (*key, *order))
    marked = mark(model.delete_when, payload if model.tombstones else ()) if model.deletes else None
    return Roles(schema.names, key, order, table_columns(model, schema).names, marked)


def table_columns(model: Model, schema: Schema) -> Schema:
    """The columns of a model's table, given those of its query."""
    left_out = {name.lower() for name in model.exclude}
    return Schema(tuple(column for column in schema if column.name.lower() not in left_out))


def role_problems(model: Model, schema: Schema) -> Iterator[Finding]:
    """What a query's columns do not give of what the front matter asks of them."""
    entries = (("key", model.key), ("order", model.order), ("exclude", model.exclude))
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
    known = {name.lower() for name in (*model.key, *model.order)}
    if model.tombstones and all(column.name.lower() in known for column in schema):
        yield Finding(
            "MP-2102",
            f"every row of {model.table} would be a tombstone: it has no columns besides key and order",
            "take `tombstones` out, or say by `delete_when` which rows delete",
            model.place("tombstones"),
        )


def _written(names: tuple[str, ...], schema: Schema) -> tuple[str, ...]:
    found = (schema.get(name) for name in names)
    return tuple(column.name for column in found if column is not None)
