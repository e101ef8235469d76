"""An `upsert` step: the newest row of each key stays, and deletes are remembered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field, replace

from millpond.catalog.commits import Ledger
from millpond.core.names import side_table
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.pipeline.arrivals import arrivals, counted, judge, told
from millpond.pipeline.bounding import all_apart, ordered_key, searched, whole_key
from millpond.pipeline.building import Building, Work
from millpond.pipeline.positions import tell_places, write_deletes
from millpond.pipeline.roles import Roles, roles
from millpond.pipeline.target import prepare_side
from millpond.sql.statements import count_rows
from millpond.sql.upsert import (
    DOUBLED,
    GOING,
    TIED,
    Redo,
    Upsert,
    contested_counts,
    count_fresh,
    create_contested,
    create_doubled,
    create_fates,
    create_met,
    create_places,
    create_remembered,
    create_tied,
    fate_counts,
    forget,
    insert_winners,
    newer,
    remember,
    state_columns,
)


def upsert_rows(building: Building) -> Work:
    """Bring the model's table up to date with what came and went."""
    model, session = building.model, building.session
    part = roles(model.model, building.schema)
    side = _side_schema(building.schema, part) if part.mark is not None else None
    prepare_side(building.stage, model.model, side, filled=building.filled)
    upsert = Upsert(
        model.table,
        part.kept,
        part.key,
        part.order,
        side_table(model.table) if side is not None else None,
        building.filled,
        whole=whole_key(part.key, building.schema),
    )
    found = arrivals(building, part, newer(upsert) if building.filled else ())
    judged = judge(building, found)
    redo: Redo = "every" if found.every else "some" if found.redone else "none"
    history = searched(session, ordered_key(part.key, building.schema)) if building.filled and redo == "none" else ""
    metadata = building.stage.metadata(model.table)
    rows = tell_places(session, model.table, metadata, upsert.ranked) if building.filled else ""
    merged = merge(session, replace(upsert, redo=redo, history=history, rows=rows))
    ledger = counted(found, judged, merged.ledger(judged.staged, judged.rejected))
    deletes = write_deletes(session, metadata, merged.places)
    return Work(ledger, judged.verdicts, found.scope, told(building, found), deletes)


@frozen
class Merged:
    """How many keys had each fate, and what became of the staged rows that did not win their key.

    `places` are the files of the table of which rows still have to go, and how many of each.
    """

    fates: Mapping[str, int]
    copies: int = 0
    beaten: int = 0
    places: Mapping[str, int] = field(default_factory=dict)

    def ledger(self, staged: int, quarantined: int) -> Ledger:
        """Where the staged rows went; a row that left the table because its input row did counts as staged too."""
        fates = self.fates
        return Ledger(
            staged=staged + fates["lost"],
            inserted=fates["new"],
            updated=fates["other"],
            unchanged=fates["same"] + fates["absent"],
            stale=fates["stale"] + self.beaten,
            deleted=fates["gone"] + fates["lost"],
            deduplicated=self.copies,
            quarantined=quarantined,
        )


def merge(session: Session, upsert: Upsert) -> Merged:
    """Merge the good staged rows into the table and its side table.

    Rows of the table that go are still there then, and their places in the relation `places`.
    """
    session.execute(create_met(upsert))
    if upsert.state is not None and upsert.filled:
        session.execute(create_remembered(upsert, upsert.state))
    session.execute(create_tied(upsert))
    session.execute(create_doubled(whole=upsert.whole, apart=upsert.whole and all_apart(session)))
    tied, contested = (bool(session.rows(count_rows(relation))[0][0]) for relation in (TIED, DOUBLED))
    copies = beaten = 0
    if contested:
        session.execute(create_contested(upsert, tied=tied))
        copies, beaten = session.rows(contested_counts())[0]
    session.execute(create_fates(upsert, contested=contested))
    fates, places = Counter[str](), Counter[str]()
    for fate, file, count in session.rows(fate_counts(upsert)):
        fates[fate] += count
        places.update({} if file is None else {file: count})
    if not upsert.filled:
        fates["new"] += session.rows(count_fresh(upsert, contested=contested))[0][0]
    if any(fates[fate] for fate in GOING):
        session.execute(create_places(upsert, len(places)))
    if fates["new"] or fates["other"]:
        unlucky = bool(fates["stale"] or fates["same"])
        session.execute(insert_winners(upsert, contested=contested, unlucky=unlucky))
    if upsert.state is not None:
        if upsert.filled:
            session.execute(forget(upsert, upsert.state))
        if fates["gone"] or fates["absent"]:
            session.execute(remember(upsert, upsert.state))
    return Merged(fates, copies, beaten, places)


def _side_schema(schema: Schema, part: Roles) -> Schema:
    names = state_columns(part.key, part.order)
    given = schema.of((*part.key, *part.order))
    return Schema(tuple(Column(name, column.type) for name, column in zip(names, given, strict=True)))
