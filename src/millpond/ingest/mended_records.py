"""Records that were mended since their file was loaded: where it is read again, nothing comes back in their place.

The place of a record is its file, as bytes, and its number there. Where other settings make another number of records
of the same bytes, as when lines are skipped at the beginning, numbers are counted from the end, and the record must be
the same to be taken for what was mended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from millpond.catalog.lives import Life, lives, opened_by
from millpond.core.errors import Finding
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS
from millpond.engines.engine import Session
from millpond.ingest.quarantine import origin_of
from millpond.sql.mending import (
    REVISIONS,
    create_given_way,
    create_mended_places,
    create_replaced,
    delete_replaced,
    given_way_ids,
    mended_from,
    mended_places,
    origins_there,
    revisions_of,
)
from millpond.sql.quarantine import RECORDS, files_of

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.staging import Stage


@frozen
class MendedRecord:
    """A record of a file whose mended version stands in bronze.

    `position` is its number among the `records` that the file had when it was loaded; `raw` is the record as it was
    then: its text where it was `unreadable`, else its row of bronze.
    """

    entry: str
    origin: str
    position: int
    records: int
    raw: str | None
    unreadable: bool


def mended_records(
    catalog: Catalog, session: Session, stage: Stage, source: str, table: TableName, contents: Mapping[str, str]
) -> tuple[MendedRecord, ...]:
    """What was mended of files (by path, with the hash of their bytes) that were loaded before, into this table."""
    if not contents or stage.find(REVISIONS) is None or stage.find(table) is None:
        return ()
    rows = session.rows(revisions_of(table, sorted(contents)))
    if not rows:
        return ()
    told = lives(catalog, {row[0] for row in rows}, stage.base)
    rows = [row for row in rows if _replayed(told, row[0], row[1])]
    standing = standing_origins(session, stage, table, (origin_of(row[0], row[1]) for row in rows))
    commits = opened_by(catalog, {row[4] for row in rows if row[4] is not None})
    notes = {number: {n.path: n for n in catalog.seen_files(source, number)} for number in set(commits.values())}
    found = []
    for entry, revision, origin, position, load, unreadable, raw in rows:
        note = notes.get(commits.get(load, 0), {}).get(origin)
        if note is not None and note.content == contents[origin] and origin_of(entry, revision) in standing:
            found.append(MendedRecord(entry, origin, position, note.records + note.quarantined, raw, unreadable))
    return tuple(found)


def _replayed(told: Mapping[str, Life], entry: str, revision: int) -> bool:
    life = told.get(entry)
    return life is not None and (life.status, life.revision or 0) == ("replayed", revision)


def standing_origins(session: Session, stage: Stage, table: TableName, origins: Iterable[str]) -> frozenset[str]:
    """Those of mended records' origins that bronze has rows of, or of what mends these in turn."""
    roots = frozenset(origins)
    made_of: dict[str, set[str]] = {origin: {origin} for origin in roots}
    asked: Collection[str] = roots
    while asked and stage.find(RECORDS) is not None:
        further = set()
        for entry, revision, origin in session.rows(
            mended_from(sorted(asked), revised=stage.find(REVISIONS) is not None)
        ):
            child = origin_of(entry, revision)
            before = made_of.setdefault(child, set())
            if not made_of[origin] <= before:
                before |= made_of[origin]
                further.add(child)
        asked = further
    there = session.rows(origins_there(table, sorted(made_of))) if made_of else ()
    return frozenset(root for (origin,) in there for root in made_of[origin])


@frozen
class Places:
    """Where the mended records are in files as they are read now: (entry, origin, position, raw, unreadable).

    `raw` is None where the place alone says it.
    """

    rows: tuple[tuple[str, str, int, str | None, bool], ...]

    @property
    def moved(self) -> frozenset[str]:
        """The entries whose records have other numbers now."""
        return frozenset(row[0] for row in self.rows if row[3] is not None)

    def note(self, session: Session) -> None:
        """Keep them in the session's relation of places."""
        session.execute(create_mended_places(), [[row[i] for row in self.rows] for i in range(5)])
        session.execute(create_given_way())


def places_now(mended: Sequence[MendedRecord], records: Mapping[str, int]) -> Places:
    """The places of mended records in files that now have so many records, by path."""
    rows = []
    for one in mended:
        if one.origin in records:
            moved = records[one.origin] - one.records
            raw = (one.raw or "") if moved else None
            rows.append((one.entry, one.origin, one.position + moved, raw, one.unreadable))
    return Places(tuple(rows))


def give_way(
    session: Session, stage: Stage, table: TableName, load: str, places: Places
) -> tuple[int, tuple[Finding, ...]]:
    """Take away the rows that a load put in the places of mended records: how many, and what could not be told."""
    if not places.rows:
        return 0, ()
    places.note(session)
    schema = stage.metadata(table).schema()
    columns = [*(column.name for column in schema if column.name not in ORIGIN_COLUMNS), "_rescued"]
    found = session.rows(mended_places(table, columns, load))
    told = {row[0] for row in found} | {row[0] for row in session.rows(given_way_ids())}
    deleted = 0
    if found:
        session.execute(create_replaced(), [[row[i] for row in found] for i in (1, 2, 3)])
        deleted = session.execute(delete_replaced(table))
    return deleted, tuple(map(_unknown, sorted(places.moved - told)))


def _unknown(entry: str) -> Finding:
    return Finding(
        "MP-6129",
        f"the record {entry[:8]} was mended, and it cannot be told by its source's new settings which one it is",
        f"look whether it came once more: `millpond quarantine show {entry[:8]}`",
        severity="warning",
    )


def replayed_files(
    catalog: Catalog, session: Session, stage: Stage, table: TableName, contents: Mapping[str, str]
) -> frozenset[str]:
    """The paths of files (with the hash of their bytes) that were rejected whole, and whose records stand in bronze.

    They were replayed from quarantine, mended or as they were.
    """
    if not contents or stage.find(RECORDS) is None or stage.find(table) is None:
        return frozenset()
    paths: dict[str, str] = {}
    rows = session.rows(files_of(table, sorted(contents)))
    told = lives(catalog, {row[0] for row in rows}, stage.base) if rows else {}
    for entry, path, kept in rows:
        life = told.get(entry)
        if life is not None and life.status == "replayed" and kept.endswith(contents[path]):
            paths[origin_of(entry, life.revision or 0)] = path
    return frozenset(paths[origin] for origin in standing_origins(session, stage, table, paths))
