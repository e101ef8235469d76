"""Going back to the newest whole version of a table whose present one is damaged, as a new commit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlalchemy import select

from millpond.catalog import checksums, keeper, recording, records
from millpond.catalog.catalog import CLIENT
from millpond.catalog.commits import Commit, CommitRecord, Cursor, Restored, TableEntry
from millpond.catalog.examination import Examination, present, versions
from millpond.catalog.recording import Author, Move
from millpond.catalog.relations import cursors
from millpond.catalog.upkeep import live_cursors
from millpond.core.errors import CatalogError
from millpond.core.names import TableName, side_table
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

KIND = "repair"


@frozen
class Repair:
    """A table put back: from which commit's version to which one's, by the commit `number`.

    `lost` are the commits whose changes of this table are gone, newest first; `consumers` the tables that have read
    them and so may hold what this one no longer does.
    """

    table: TableName
    number: int
    damaged: int
    whole: int
    lost: tuple[CommitRecord, ...]
    consumers: tuple[TableName, ...]


def repair(catalog: Catalog, principal: str) -> tuple[Repair, ...]:
    """Put every damaged table of the environment back to its newest whole version; a side table goes with its table.

    Files that a gateway still holds under a second name are put back first: then nothing of their table is lost.
    Raises CatalogError MP-3199 for a table that has none; the others are put back all the same.
    """
    keeper.recover(catalog.warehouse.roots)
    done: list[Repair] = []
    hopeless: list[TableName] = []
    for group in _groups(catalog.tables()):
        if all(_whole(catalog, entry) for entry in group):
            continue
        versions_of = (found for found in _earlier(catalog, group) if all(_whole(catalog, each) for each in found))
        good = next(versions_of, None)
        if good is None:
            hopeless.append(group[0].name)
        else:
            done.append(_put_back(catalog, group, good, principal))
    if hopeless:
        raise CatalogError(
            "MP-3199",
            f"no version of {', '.join(map(str, hopeless))} is whole",
            next_step="restore the lake's files from a backup, or drop the table and build it anew; "
            + (f"{len(done)} other tables were put back" if done else "nothing was changed"),
        )
    return tuple(done)


def _groups(entries: Iterable[TableEntry]) -> Iterator[tuple[TableEntry, ...]]:
    """Each table, with its side table where it has one: the one means nothing without the other."""
    by_name = {entry.name: entry for entry in entries}
    sides = {side_table(name) for name in by_name}
    for name, entry in by_name.items():
        if name not in sides:
            beside = by_name.get(side_table(name))
            yield (entry,) if beside is None else (entry, beside)


def _earlier(catalog: Catalog, group: Sequence[TableEntry]) -> Iterator[tuple[TableEntry, ...]]:
    """What the tables of a group were together before, newest first."""
    pasts = [(entry, *versions(catalog, entry)) for entry in group]
    for number in sorted({version.commit for past in pasts for version in past}, reverse=True):
        then = tuple(next((version for version in past if version.commit <= number), None) for past in pasts)
        known = tuple(version for version in then if version is not None)
        if len(known) == len(pasts):
            yield known


def _whole(catalog: Catalog, entry: TableEntry) -> bool:
    with catalog.store.read() as connection:
        examination = Examination(checksums.known(connection))
    return examination.table(str(entry.name), entry.metadata_location, present)


def _put_back(catalog: Catalog, group: Sequence[TableEntry], good: Sequence[TableEntry], principal: str) -> Repair:
    """Move the pointers, and with them the cursors: what was lost is read again by the table, and not missed by others.

    The first of the group is the table itself.
    """
    entry, then = group[0], max(version.commit for version in good)
    readers = _readers(catalog, entry.name, then)
    own = tuple(Cursor(entry.name, source, number) for source, number in _read_by(catalog, entry.name, then))
    adding = _adding(catalog)
    back = tuple(Cursor(consumer, entry.name, 0 if consumer in adding else then) for consumer in readers)
    commit = Commit(
        f"{KIND}/{uuid4()}",
        KIND,
        principal,
        table=entry.name,
        cursors=(*own, *back),
        restores=(Restored(entry.name, then),),
    )
    author = Author(catalog.environment, CLIENT, catalog.clock.now())
    moves = [
        Move(now.name, now.metadata_location, was.metadata_location, now.uuid, was.location, now.created)
        for now, was in zip(group, good, strict=True)
        if now.metadata_location != was.metadata_location
    ]
    damaged = max(now.commit for now in group)
    lost = tuple(one for one in catalog.history(entry.name, 10_000) if then < one.number <= damaged)
    with catalog.store.write() as connection:
        number = recording.record(connection, author, commit, moves).number
    for version in good:
        catalog.cache.forget(version.metadata_location)
    return Repair(entry.name, number, damaged, then, lost, readers)


def _adding(catalog: Catalog) -> frozenset[TableName]:
    """The tables that add changes to the states of their groups: what they are given twice they count twice.

    They are to read all of their input again.
    """
    states = catalog.model_states()
    kinds = {table: json.loads(state.definition).get("kind") for table, state in states.items()}
    return frozenset(
        table for table, kind in kinds.items() if kind == "aggregate" and catalog.find(side_table(table)) is not None
    )


def _readers(catalog: Catalog, table: TableName, since: int) -> tuple[TableName, ...]:
    """The tables that have read a table past a commit."""
    if max(live_cursors(catalog).get((catalog.environment, table), {0})) <= since:
        return ()
    found = []
    with catalog.store.read() as connection:
        head = records.head(connection)
        query = select(cursors.c.consumer_layer, cursors.c.consumer_name).where(
            cursors.c.environment == catalog.environment,
            cursors.c.input_layer == table.layer,
            cursors.c.input_name == table.name,
        )
        for row in connection.execute(query.distinct()).all():
            consumer = TableName(row.consumer_layer, row.consumer_name)
            number = records.cursor(connection, catalog.environment, consumer, table, head)
            if number is not None and number > since:
                found.append(consumer)
    return tuple(sorted(found))


def _read_by(catalog: Catalog, table: TableName, at: int) -> list[tuple[TableName, int]]:
    """How far a table had read its inputs as of a commit."""
    found = []
    with catalog.store.read() as connection:
        query = select(cursors.c.input_layer, cursors.c.input_name).where(
            cursors.c.environment == catalog.environment,
            cursors.c.consumer_layer == table.layer,
            cursors.c.consumer_name == table.name,
        )
        for row in connection.execute(query.distinct()).all():
            source = TableName(row.input_layer, row.input_name)
            number = records.cursor(connection, catalog.environment, table, source, at)
            if number is not None:
                found.append((source, number))
    return found
