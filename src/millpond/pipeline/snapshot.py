"""A `snapshot` step: what differs between the input's whole state and the versions that hold becomes history."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from millpond.catalog.commits import Ledger
from millpond.core.clock import naive_utc
from millpond.core.records import frozen
from millpond.engines.engine import Session
from millpond.pipeline.arrivals import arrivals, counted, judge
from millpond.pipeline.bounding import all_apart
from millpond.pipeline.building import Building, Work
from millpond.pipeline.roles import roles
from millpond.pipeline.staged import quarantine_losers
from millpond.pipeline.target import ensure_quarantine
from millpond.sql.append import DOUBLED, Append, contested_counts, create_contested, create_doubled
from millpond.sql.difference import create_difference, difference_counts
from millpond.sql.snapshot import (
    Snapshot,
    create_closing,
    create_state,
    delete_closing,
    insert_versions,
    newest_time,
    spare_rejected,
)
from millpond.sql.staging import CARRIED
from millpond.sql.statements import count_rows

_TICK = timedelta(microseconds=1)


def compare_states(building: Building) -> Work:
    """Write a version for each key of the input that is new or other, and end those of keys that are gone."""
    model, session = building.model, building.session
    part = roles(model.model, building.schema)
    found = arrivals(building, part)
    found = replace(found, staging=replace(found.staging, carried=True))
    judged = judge(building, found)
    one = Append(model.table, part.kept, part.key, exists=False, carried=CARRIED, whole=found.staging.whole)
    states = settle(session, one)
    if states.lost:
        known = ensure_quarantine(building.bench, building.stage)
        quarantine_losers(building.bench, session, model.model, part.kept, known=known)
    at, note = moment(building)
    changes = apply(session, Snapshot(model.table, part.kept, part.key, at), rejected=judged.rejected > 0)
    ledger = Ledger(
        staged=judged.staged + changes.gone,
        inserted=changes.new,
        updated=changes.other,
        unchanged=changes.same,
        deleted=changes.gone,
        deduplicated=states.copies,
        quarantined=judged.rejected + states.lost,
    )
    return Work(counted(found, judged, ledger), judged.verdicts, found.scope, note or None)


@frozen
class Settled:
    """Staged rows that are not of the input's state: copies of others, and rows that lost their key to another."""

    copies: int
    lost: int


def settle(session: Session, one: Append) -> Settled:
    """Let one of the good staged rows of each key be the input's state, chosen by content."""
    session.execute(create_doubled(replace(one, apart=one.whole and all_apart(session))))
    contested = bool(session.rows(count_rows(DOUBLED))[0][0])
    copies = lost = 0
    if contested:
        session.execute(create_contested(one))
        _, _, copies, lost = session.rows(contested_counts())[0]
    session.execute(create_state(one.outputs, contested=contested))
    return Settled(copies, lost)


@frozen
class Changes:
    """How many keys are new in the input, have other values, the same, or are gone from it."""

    new: int
    other: int
    same: int
    gone: int


def apply(session: Session, snapshot: Snapshot, *, rejected: bool) -> Changes:
    """Write what differs as versions. `rejected` says that there are staged rows that no state was made of."""
    session.execute(create_difference(snapshot.difference))
    if rejected:
        session.execute(spare_rejected(snapshot.key))
    changes = Changes(*session.rows(difference_counts())[0])
    ending = bool(changes.other or changes.gone)
    if ending:
        session.execute(create_closing(snapshot))
        session.execute(delete_closing(snapshot))
    if ending or changes.new:
        session.execute(insert_versions(snapshot, closing=ending))
    return changes


def moment(building: Building) -> tuple[datetime, str]:
    """From when on holds what this step finds, and what is to be said of it: later than all that the table knows."""
    now = naive_utc(building.bench.clock.now())
    newest = building.session.rows(newest_time(building.model.table))[0][0] if building.filled else None
    if newest is None or newest < now:
        return now, ""
    return newest + _TICK, f"the clock says {now}, which is not after the newest version: counts on from {newest}"
