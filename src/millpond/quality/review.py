"""By when quarantined records are to be reviewed, and which are overdue: asked of the pointer store alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from millpond.catalog.catalog import Catalog
from millpond.catalog.lives import open_records
from millpond.core.errors import Finding
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.project.model import Project
from millpond.project.settings import seconds


@frozen
class Overdue:
    """Records meant for one table that should have been reviewed; `since` is how long the oldest waits."""

    table: TableName
    records: int
    since: datetime


def review_period(project: Project, table: TableName) -> timedelta:
    """How long a record meant for a table may wait: as its model says, else as the project does."""
    model = project.model(table)
    said = model.review_by if model is not None else None
    return timedelta(seconds=seconds(said or project.settings.quarantine.review_by))


def overdue(project: Project, catalog: Catalog, now: datetime) -> tuple[Overdue, ...]:
    """What should have been reviewed, by table."""
    found: dict[TableName, Overdue] = {}
    for waiting in open_records(catalog):
        if waiting.since + review_period(project, waiting.table) < now:
            known = found.get(waiting.table, Overdue(waiting.table, 0, waiting.since))
            found[waiting.table] = Overdue(waiting.table, known.records + waiting.records, known.since)
    return tuple(found[table] for table in sorted(found))


def finding(found: Overdue) -> Finding:
    """The warning about records that are overdue."""
    records = "1 record" if found.records == 1 else f"{found.records:,} records"
    return Finding(
        "MP-6120",
        f"{records} for {found.table} should have been reviewed; one waits since {found.since:%Y-%m-%d %H:%M} UTC",
        f"millpond quarantine list --overdue --model {found.table}; then fix, replay or discard",
        severity="warning",
    )
