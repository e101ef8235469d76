"""Putting rejected records into quarantine, and telling which of those there a step no longer rejects.

For what a load cannot read, and for what a step's checks reject.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from millpond.catalog.commits import LifeEvent
from millpond.catalog.lives import Life, lives, open_records, opened_by, unsettled
from millpond.core.names import TableName
from millpond.engines.engine import Session
from millpond.sql.mending import (
    REVISIONS,
    mended_from,
)
from millpond.sql.quarantine import (
    QUARANTINED,
    RECORDS,
    SCHEMA,
    Rejects,
    create_quarantined,
    create_rejected,
    insert_rejected,
    no_more_rejected,
    note_quarantined,
    rejected_again,
)
from millpond.sql.statements import count_rows

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.staging import Stage


def open_quarantine(catalog: Catalog, stage: Stage) -> bool:
    """Make sure that there is a quarantine table with every column; whether it may hold records."""
    entry = catalog.find(RECORDS, stage.base)
    if stage.find(RECORDS) is None:
        stage.create_table(RECORDS, SCHEMA)
        return False
    present = stage.metadata(RECORDS).schema()
    added = tuple(column for column in SCHEMA if present.get(column.name) is None)
    if added:
        stage.add_columns(RECORDS, added)
    return entry is not None


def put_rejects(session: Session, rejects: Rejects, *, known: bool) -> int:
    """Put records into quarantine, those that are `known` there left out; how many are new.

    The ids of all of them are left in the session's relation `quarantined`.
    """
    session.execute(create_rejected(rejects))
    session.execute(create_quarantined())
    session.execute(note_quarantined())
    return session.execute(insert_rejected(known=known))


def judged_anew(
    catalog: Catalog, session: Session, stage: Stage, table: TableName, scope: str | None
) -> tuple[LifeEvent, ...]:
    """What a step means for records that were in quarantine before it, once it has put its rejects there.

    A record of the `scope` (None: of nothing) that it no longer rejects is healed; one that had healed and is rejected
    again is open again. Discarded and replayed records stay as they are.
    """
    if catalog.find(RECORDS, stage.base) is None:
        return ()
    session.execute(create_quarantined())
    rejects = session.rows(count_rows(QUARANTINED))[0][0]
    again = session.rows(rejected_again(stage.step_key)) if rejects else ()
    reopened = (life for life in _known(catalog, stage.base, again) if life.status == "healed")
    events = [life.becomes("open", table, revision=life.revision) for life in reopened]
    if scope is not None:
        steps = {waiting.step for waiting in open_records(catalog, stage.base, table)}
        ids = unsettled(catalog, table, stage.base)
        if steps or ids:
            gone = session.rows(no_more_rejected(table, scope), [sorted(filter(None, steps)), list(ids)])
            healed = (life for life in _known(catalog, stage.base, gone) if life.status in ("open", "fixed"))
            events += [life.becomes("healed", table, revision=life.revision) for life in healed]
    return tuple(events)


def _known(catalog: Catalog, at: int, rows: Iterable[tuple[str, str]]) -> Iterable[Life]:
    """The lives of records, given by id and step."""
    steps = dict(rows)
    told = lives(catalog, steps, at)
    opened = opened_by(catalog, set(steps.values()))
    for record, step in steps.items():
        yield replace(told.get(record, Life(record)), opened=opened.get(step, 0))


def origin_of(identity: str, revision: int) -> str:
    """What `_origin` says of rows that were mended: the entry's id, and the revision that landed."""
    return f"quarantine:{identity}/{revision}"


def mended_origins(session: Session, stage: Stage, origins: Iterable[str]) -> frozenset[str]:
    """The origins of rows that mend what came from these, and of rows that mend those in turn."""
    found: set[str] = set()
    asked = sorted(origins)
    while asked and stage.find(RECORDS) is not None:
        rows = session.rows(mended_from(asked, revised=stage.find(REVISIONS) is not None))
        asked = sorted({origin_of(entry, revision) for entry, revision, _ in rows} - found)
        found.update(asked)
    return frozenset(found)
