"""Quarantined records as people see them: what was rejected, read through the gate, and where its life stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from millpond.catalog.commits import LifeStatus
from millpond.catalog.lives import ENDED, Life, lives, opened_by
from millpond.core.errors import QualityError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.governance.moments import Moment, commit_number
from millpond.project.model import Project
from millpond.quality.review import review_period
from millpond.sql.quarantine import RECORDS, SCHEMA, Filters, select_records

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.governance.gate import Gate

WAITING: tuple[LifeStatus, ...] = ("open", "fixed")
"""What somebody has yet to see to the end."""


@frozen
class Entry:
    """One record in quarantine. `review_by` is None once it is no longer open; `overdue` says that it is past."""

    id: str
    model: TableName
    kind: str
    rule: str
    value: str | None
    reason: str
    raw: str | None
    raw_of: TableName
    content_path: str | None
    origin: str | None
    position: int | None
    load: str | None
    step: str
    at: datetime
    life: Life
    review_by: datetime | None = None
    overdue: bool = False

    @property
    def status(self) -> LifeStatus:
        """Where its life stands."""
        return self.life.status

    def as_json(self) -> dict[str, object]:
        """All that is known of it, with plain values."""
        return {
            "id": self.id,
            "status": self.status,
            "model": str(self.model),
            "kind": self.kind,
            "rule": self.rule,
            "value": self.value,
            "reason": self.reason,
            "raw": self.raw,
            "raw_of": str(self.raw_of),
            "content_path": self.content_path,
            "origin": self.origin,
            "position": self.position,
            "load": self.load,
            "step": self.step,
            "commit": self.life.opened or None,
            "at": self.at,
            "revision": self.life.revision,
            "because": self.life.reason,
            "review_by": self.review_by,
            "overdue": self.overdue,
        }


def read_entries(
    project: Project, catalog: Catalog, gate: Gate, principal: str, filters: Filters, at: Moment | None = None
) -> tuple[Entry, ...]:
    """The records that the filters mean, the newest first, as of a moment.

    Raises QualityError MP-6010 where the beginning of an id means none, or several.
    """
    when = commit_number(catalog, at)
    rows: list[dict[str, Any]] = []
    if catalog.find(RECORDS, when) is not None:
        with gate.query(select_records(filters), principal, at=when, door="quarantine") as answer:
            rows = [row for batch in answer.reader for row in batch.to_pylist()]
    _check_ids(filters.ids, [row["id"] for row in rows])
    told = lives(catalog, {row["id"] for row in rows}, when)
    opened = opened_by(catalog, {row["step"] for row in rows})
    return tuple(_entries(project, rows, told, opened, catalog.clock.now()))


def _entries(
    project: Project, rows: Sequence[dict[str, Any]], told: dict[str, Life], opened: dict[str, int], now: datetime
) -> Iterator[Entry]:
    for row in rows:
        model = TableName.parse(row["model"])
        life = replace(told.get(row["id"], Life(row["id"])), opened=opened.get(row["step"], 0))
        since = life.since or row["at"].replace(tzinfo=UTC)
        review_by = since + review_period(project, model) if life.status == "open" else None
        raw_of = TableName.parse(row.get("raw_of") or row["model"])
        given: dict[str, Any] = {name: row.get(name) for name in SCHEMA.names} | {
            "model": model,
            "raw_of": raw_of,
            "life": life,
        }
        yield Entry(**given, review_by=review_by, overdue=review_by is not None and review_by < now)


def waiting(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Those that nobody has seen to the end."""
    return tuple(entry for entry in entries if entry.status not in ENDED)


def _check_ids(wanted: Sequence[str], found: Sequence[str]) -> None:
    for identity in wanted:
        matching = [known for known in found if known.startswith(identity)]
        if len(matching) == 1:
            continue
        if matching:
            told = f"several records begin with {identity!r}"
        else:
            told = f"no record in quarantine has the id {identity!r}"
        raise QualityError("MP-6010", told, next_step="see `millpond quarantine list --all --json` for whole ids")
