"""Reports of clients about what they scanned and committed: rows, files and durations, as the clients counted them.

Of each table the newest are kept, so that reading often does not fill the store.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select

from millpond.catalog.recording import from_micros, micros
from millpond.catalog.relations import reports
from millpond.core.names import TableName
from millpond.core.records import frozen

KEPT = 1000
"""How many reports of one table are kept."""


@frozen
class Report:
    """One report. `kind` is scan-report or commit-report, `content` the JSON that the client sent."""

    table: TableName
    at: datetime
    client: str
    kind: str
    snapshot: int | None
    content: Mapping[str, Any]


def keep(connection: Connection, environment: str, report: Report) -> None:
    """Store a report, and forget the oldest of its table."""
    row = {
        "environment": environment,
        "layer": report.table.layer,
        "name": report.table.name,
        "at": micros(report.at),
        "client": report.client,
        "kind": report.kind,
        "snapshot": report.snapshot,
        "content": json.dumps(report.content, separators=(",", ":")),
    }
    connection.execute(insert(reports).values(row))
    mine = and_(
        reports.c.environment == environment,
        reports.c.layer == report.table.layer,
        reports.c.name == report.table.name,
    )
    newest = select(reports.c.id).where(mine).order_by(reports.c.id.desc()).limit(1).offset(KEPT)
    connection.execute(delete(reports).where(mine, reports.c.id <= newest.scalar_subquery()))


def of_table(connection: Connection, environment: str, table: TableName, limit: int = 100) -> tuple[Report, ...]:
    """The newest reports of a table, newest first."""
    query = (
        select(reports)
        .where(reports.c.environment == environment, reports.c.layer == table.layer, reports.c.name == table.name)
        .order_by(reports.c.id.desc())
        .limit(limit)
    )
    return tuple(
        Report(table, from_micros(row.at), row.client, row.kind, row.snapshot, json.loads(row.content))
        for row in connection.execute(query)
    )
