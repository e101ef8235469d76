"""The life of quarantined records, as the pointer store tells it.

A record of `quarantine.records` is open until an event says otherwise. Events are rows like all that commits carry:
none is ever changed, and one that a restore stepped over counts no more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from millpond.catalog.commits import Circuit, LifeEvent, LifeStatus
from millpond.catalog.recording import ASKED_AT_ONCE, from_micros
from millpond.catalog.records import kept
from millpond.catalog.relations import circuits, commit_tables, commits, quarantine_events, quarantine_openings
from millpond.catalog.timeline import timeline
from millpond.catalog.upkeep import KIND as UPKEEP
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.sql.quarantine import RECORDS

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

ENDED: tuple[LifeStatus, ...] = ("replayed", "discarded", "healed")


@frozen
class Life:
    """Where the life of a record stands.

    `last` is the number of its newest event of all, `opened` the commit that put it into quarantine, `since` when it
    got its status (None: when it was put there).
    """

    record: str
    status: LifeStatus = "open"
    last: int = 0
    opened: int = 0
    revision: int | None = None
    reason: str | None = None
    since: datetime | None = None

    def becomes(
        self, status: LifeStatus, table: TableName, *, revision: int | None = None, reason: str | None = None
    ) -> LifeEvent:
        """The event that gives it another status; it stands or falls with `table`."""
        return LifeEvent(self.record, status, self.last, table, self.opened, revision, reason)


@frozen
class Open:
    """Open records of one table that wait since the same moment. `step` is the key of the step that opened them."""

    table: TableName
    since: datetime
    records: int
    commit: int
    step: str | None


def lives(catalog: Catalog, wanted: Collection[str] | None = None, at: int | None = None) -> dict[str, Life]:
    """The records that any event speaks of, by id: all of them, or those wanted; now or as of a commit."""
    until = catalog.head() if at is None else at
    with catalog.store.read() as connection:
        if wanted is None:
            return {life.record: life for life in _lives(connection, catalog.environment, until, None)}
        ids = sorted(wanted)
        parts = (ids[first : first + ASKED_AT_ONCE] for first in range(0, len(ids), ASKED_AT_ONCE))
        return {life.record: life for part in parts for life in _lives(connection, catalog.environment, until, part)}


def opened_by(catalog: Catalog, steps: Collection[str]) -> dict[str, int]:
    """The commit of each step, by its key."""
    keys = sorted(steps)
    found: dict[str, int] = {}
    with catalog.store.read() as connection:
        for first in range(0, len(keys), ASKED_AT_ONCE):
            query = select(commits.c.step_key, commits.c.number).where(
                commits.c.step_key.in_(keys[first : first + ASKED_AT_ONCE])
            )
            found |= {row.step_key: row.number for row in connection.execute(query)}
    return found


def open_records(catalog: Catalog, at: int | None = None, table: TableName | None = None) -> tuple[Open, ...]:
    """The open records of one table, or of all, by the moment since which they wait; the oldest first."""
    until = catalog.head() if at is None else at
    with catalog.store.read() as connection:
        return tuple(_open(connection, catalog.environment, until, table))


def unsettled(catalog: Catalog, table: TableName, at: int) -> tuple[str, ...]:
    """The ids of a table's records that are fixed, or open again, as of a commit."""
    with catalog.store.read() as connection:
        events, openings = quarantine_events.c, quarantine_openings.c
        newest = _newest(connection, catalog.environment, at).subquery()
        same = and_(events.record == newest.c.record, events.number == newest.c.number)
        opening = and_(openings.environment == events.environment, openings.commit == events.opened)
        query = (
            select(events.record)
            .select_from(quarantine_events.join(newest, same).join(quarantine_openings, opening))
            .where(
                events.environment == catalog.environment,
                events.status.not_in(ENDED),
                openings.layer == table.layer,
                openings.name == table.name,
            )
        )
        return tuple(connection.scalars(query))


def circuit_states(catalog: Catalog, at: int | None = None) -> dict[TableName, Circuit]:
    """The circuit of each model that ever had one to tell of."""
    until = catalog.head() if at is None else at
    with catalog.store.read() as connection:
        line = timeline(connection, catalog.environment, until)
        query = (
            select(circuits)
            .where(
                circuits.c.environment == catalog.environment,
                circuits.c.commit <= until,
                kept(catalog.environment, line, circuits.c.layer, circuits.c.name, circuits.c.commit, until),
            )
            .order_by(circuits.c.commit)
        )
        rows = connection.execute(query).all()
    newest = {TableName(row.layer, row.name): row for row in rows}
    return {
        table: Circuit(table, row.state, row.judged, row.failed, from_micros(row.since), row.reason)
        for table, row in newest.items()
    }


def next_change(catalog: Catalog, table: TableName, since: int, until: int) -> int | None:
    """The first commit after `since`, and not later than `until`, that changed a table's rows."""
    query = (
        select(func.min(commit_tables.c.commit))
        .join(commits, commits.c.number == commit_tables.c.commit)
        .where(
            commit_tables.c.environment == catalog.environment,
            commit_tables.c.layer == table.layer,
            commit_tables.c.name == table.name,
            commit_tables.c.commit > since,
            commit_tables.c.commit <= until,
            commits.c.kind != UPKEEP,
        )
    )
    with catalog.store.read() as connection:
        number: int | None = connection.scalar(query)
        return number


def _counts(connection: Connection, environment: str, until: int) -> ColumnElement[bool]:
    """Whether an event counts as of a commit. A replay falls with the bronze table that it landed in."""
    line = timeline(connection, environment, until)
    events = quarantine_events.c
    landed = kept(environment, line, events.layer, events.name, events.commit, until)
    return and_(
        events.environment == environment,
        events.commit <= until,
        line.holds(events.layer, events.name, events.commit),
        or_(events.status != "replayed", landed),
    )


def _lives(connection: Connection, environment: str, until: int, wanted: Sequence[str] | None) -> Iterator[Life]:
    events = quarantine_events.c
    inside = events.environment == environment
    if wanted is not None:
        inside = and_(inside, events.record.in_(wanted))
    last = select(events.record, func.max(events.number)).where(inside, events.commit <= until)
    numbers: dict[str, int] = {row[0]: row[1] for row in connection.execute(last.group_by(events.record))}
    query = (
        select(quarantine_events, commits.c.at)
        .join(commits, commits.c.number == events.commit)
        .where(inside, _counts(connection, environment, until))
        .order_by(events.record, events.number)
    )
    newest: dict[str, Any] = {row.record: row for row in connection.execute(query)}
    for record, number in numbers.items():
        row = newest.get(record)
        if row is None:
            yield Life(record, last=number)
        else:
            since = from_micros(row.at)
            yield Life(record, row.status, number, row.opened, row.revision, row.reason, since)


def _open(connection: Connection, environment: str, until: int, table: TableName | None) -> Iterator[Open]:
    line = timeline(connection, environment, until)
    openings = quarantine_openings.c
    inside = and_(
        openings.environment == environment,
        openings.commit <= until,
        kept(environment, line, RECORDS.layer, RECORDS.name, openings.commit, until),
    )
    if table is not None:
        inside = and_(inside, openings.layer == table.layer, openings.name == table.name)
    query = select(quarantine_openings, commits.c.at, commits.c.step_key)
    query = query.join(commits, commits.c.number == openings.commit).where(inside).order_by(openings.commit)
    rows = {row.commit: row for row in connection.execute(query)}
    told, again = _told(connection, environment, until)
    found = [
        Open(TableName(row.layer, row.name), from_micros(row.at), row.records - told[number], number, row.step_key)
        for number, row in rows.items()
    ]
    for (number, since), records in again.items():
        if number in rows:
            row = rows[number]
            found.append(Open(TableName(row.layer, row.name), from_micros(since), records, number, row.step_key))
    yield from sorted((one for one in found if one.records > 0), key=lambda one: one.since)


def _newest(connection: Connection, environment: str, until: int) -> Select[tuple[str, int]]:
    """The number of each record's newest event that counts."""
    events = quarantine_events.c
    newest = select(events.record, func.max(events.number).label("number"))
    return newest.where(_counts(connection, environment, until)).group_by(events.record)


def _told(connection: Connection, environment: str, until: int) -> tuple[Counter[int], dict[tuple[int, int], int]]:
    """How many records events speak of, by the commit that opened them; and how many of these are open again."""
    events = quarantine_events.c
    newest = _newest(connection, environment, until).subquery()
    same = and_(events.record == newest.c.record, events.number == newest.c.number)
    query = (
        select(events.opened, events.status, events.commit, commits.c.at, func.count().label("records"))
        .select_from(quarantine_events.join(newest, same).join(commits, commits.c.number == events.commit))
        .where(events.environment == environment)
        .group_by(events.opened, events.status, events.commit, commits.c.at)
    )
    told: Counter[int] = Counter()
    again: dict[tuple[int, int], int] = defaultdict(int)
    for row in connection.execute(query):
        told[row.opened] += row.records
        if row.status == "open":
            again[row.opened, row.at] += row.records
    return told, again
