"""An `scd2` step: every change of a key becomes a version, in the order of the event time."""

from __future__ import annotations

from millpond.catalog.commits import Ledger
from millpond.core.names import side_table
from millpond.core.records import frozen
from millpond.engines.engine import Session
from millpond.pipeline.arrivals import arrivals, counted, judge, told
from millpond.pipeline.bounding import ordered_key, searched
from millpond.pipeline.building import Building, Work
from millpond.pipeline.roles import roles
from millpond.pipeline.target import prepare_side
from millpond.sql.scd2 import (
    DOUBLED,
    Redo,
    Scd2,
    create_doubled,
    create_events,
    create_history,
    create_remembered,
    create_touched,
    create_versions,
    create_wanted,
    delete_going,
    event_counts,
    forget,
    insert_coming,
    remember,
    state_schema,
)
from millpond.sql.statements import count_rows


def version_rows(building: Building) -> Work:
    """Bring the model's versions up to date with what came and went."""
    model, session = building.model, building.session
    part = roles(model.model, building.schema)
    side = state_schema(building.schema.of(part.key), *building.schema.of(part.order))
    prepare_side(building.stage, model.model, side, filled=building.filled)
    found = arrivals(building, part)
    judged = judge(building, found)
    redo: Redo = "every" if found.every else "some" if found.redone else "none"
    scd2 = Scd2(
        model.table,
        part.kept,
        part.key,
        part.order[0],
        side_table(model.table),
        building.filled,
        part.mark is not None,
        redo,
        searched(session, ordered_key(part.key, building.schema)) if building.filled and redo == "none" else "",
    )
    ledger = version(session, scd2).ledger(judged.staged, judged.rejected)
    return Work(counted(found, judged, ledger), judged.verdicts, found.scope, told(building, found))


@frozen
class Versioned:
    """What became of the staged events; `lost` versions left the table because the rows that they were made of did."""

    began: int
    changed: int
    same: int
    ended: int
    stale: int
    copies: int
    lost: int

    def ledger(self, staged: int, quarantined: int) -> Ledger:
        """Where the staged rows went; a version that is lost counts as a staged row too."""
        return Ledger(
            staged=staged + self.lost,
            inserted=self.began,
            updated=self.changed,
            unchanged=self.same,
            stale=self.stale,
            deleted=self.ended + self.lost,
            deduplicated=self.copies,
            quarantined=quarantined,
        )


def version(session: Session, scd2: Scd2) -> Versioned:
    """Take the good staged rows as events into the table's versions and its side table."""
    for statement in (
        create_touched(scd2),
        create_versions(scd2),
        create_remembered(scd2),
        create_doubled(scd2),
    ):
        session.execute(statement)
    contested = bool(session.rows(count_rows(DOUBLED))[0][0])
    for statement in (create_events(scd2, contested=contested), create_history(scd2), *create_wanted(scd2)):
        session.execute(statement)
    counts = Versioned(*session.rows(event_counts(scd2))[0])
    if scd2.filled:
        session.execute(delete_going(scd2))
        session.execute(forget(scd2))
    session.execute(insert_coming(scd2))
    session.execute(remember(scd2))
    return counts
