"""Which commits' records count for a table after restores: history is kept whole, a restore steps over a part of it.

A restore at commit R to commit N makes the records between them count no more, as of R. They count again as of any
commit before R, and after a later restore to one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true

from millpond.catalog.relations import restores
from millpond.core.names import TableName
from millpond.core.records import frozen

Spans = tuple[tuple[int, int], ...]
"""Ranges of commit numbers, both ends included, newest first."""


@frozen
class Timeline:
    """The commits whose records count as of one commit: for tables that were restored by name, and for the others."""

    named: Mapping[TableName, Spans]
    others: Spans

    def holds(self, layer: Any, name: Any, commit: Any) -> ColumnElement[bool]:
        """Whether a record of a table, at a commit, counts. Takes columns or values."""
        if not self.named and len(self.others) == 1:
            return true()
        parts = [
            and_(layer == table.layer, name == table.name, _in(commit, spans)) for table, spans in self.named.items()
        ]
        unnamed = [or_(layer != table.layer, name != table.name) for table in self.named]
        return or_(and_(_in(commit, self.others), *unnamed), *parts)


def timeline(connection: Connection, environment: str, at: int) -> Timeline:
    """The commits whose records count in an environment as of commit `at`."""
    query = select(restores).where(restores.c.environment == environment, restores.c.commit <= at)
    rows = connection.execute(query.order_by(restores.c.commit)).all()
    every = [(row.commit, row.number) for row in rows if not row.name]
    named = {TableName(row.layer, row.name) for row in rows if row.name}
    return Timeline({table: _spans(_of(rows, table), at) for table in named}, _spans(every, at))


def _of(rows: Iterable[Any], table: TableName) -> list[tuple[int, int]]:
    return [(row.commit, row.number) for row in rows if (row.layer, row.name) in ((table.layer, table.name), ("", ""))]


def _spans(restored: list[tuple[int, int]], at: int) -> Spans:
    """`restored` holds each restore's commit and the number that it went back to, oldest first."""
    found: list[tuple[int, int]] = []
    for commit, number in reversed(restored):
        if commit <= at:
            found.append((commit, at))
            at = number
    return (*found, (0, at))


def _in(commit: Any, spans: Spans) -> ColumnElement[bool]:
    return or_(*(commit.between(low, high) for low, high in spans))
