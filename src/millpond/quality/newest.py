"""The newest time that a table holds, and each of its partitions, read through the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from millpond.core.names import TableName, quote
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.project.model import HISTORIES, Model
from millpond.quality.table_rules import TIMES, as_moment
from millpond.sql.profile import newest_times

if TYPE_CHECKING:
    from millpond.governance.gate import Gate
    from millpond.governance.moments import Moment

_TRUNCATED = ("year", "month", "day", "hour")
_LANDED = "_loaded_at"


@frozen
class Newest:
    """How many rows a partition (or a whole table) has, and the newest time among them."""

    rows: int
    newest: datetime | None
    partition: Mapping[str, Any] = field(default_factory=dict)

    def age(self, now: datetime) -> timedelta | None:
        """How old the newest time is."""
        return None if self.newest is None else now - self.newest


def time_column(model: Model | None, schema: Schema) -> str | None:
    """The column that tells how new a row is: that of a freshness check, the event time, a partition's, or when it
    was loaded; None where no column says it."""
    wanted = []
    if model is not None:
        wanted = [check.columns[0] for check in model.checks if check.kind == "freshness"]
        wanted += ["valid_from"] if model.kind in HISTORIES else []
        wanted += [part.column for part in model.partition if part.transform in _TRUNCATED]
    for name in (*wanted, _LANDED):
        column = schema.get(name)
        if column is not None and column.type in TIMES:
            return column.name
    return None


def newest(
    gate: Gate, principal: str, table: TableName, model: Model | None, schema: Schema, at: Moment, most: int
) -> tuple[Newest, ...]:
    """The partitions with the newest times, at most so many; the table as one where it has none that speak of rows.

    Nothing where no column tells how new a row is. Raises as `Gate.query` does.
    """
    column = time_column(model, schema)
    if column is None:
        return ()
    parts = _partition(model, schema)
    asked = newest_times(table, as_moment(quote(column), schema, column), parts, most)
    with gate.query(asked, principal, at=at, door="quality") as answer:
        rows = [row for batch in answer.reader for row in batch.to_pylist()]
    return tuple(
        Newest(row["rows"], _aware(row["newest"]), {name: row[name] for name, _ in parts})
        for row in rows
        if row["rows"]
    )


def _partition(model: Model | None, schema: Schema) -> list[tuple[str, str]]:
    """The partition fields that mean something to a reader: times cut short, and values as they are."""
    found = []
    for part in model.partition if model is not None else ():
        column = schema.get(part.column)
        if column is None:
            continue
        if part.transform in _TRUNCATED and column.type in TIMES:
            cut = f"date_trunc('{part.transform}', {as_moment(quote(column.name), schema, column.name)})"
            found.append((f"{part.transform}({column.name})", cut))
        elif part.transform == "identity":
            found.append((column.name, quote(column.name)))
    return found


def _aware(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
