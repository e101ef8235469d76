"""Reading what commits recorded, as of any commit number. Every function takes a connection and returns values."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Row, Table, and_, exists, func, select

from millpond.catalog import relations
from millpond.catalog.commits import TABLE, CommitRecord, Edge, Ledger, ModelState, SeenFile, TableEntry, Verdict
from millpond.catalog.recording import Move, from_micros, micros
from millpond.catalog.relations import (
    commit_tables,
    commits,
    cursors,
    ends,
    lineage,
    namespaces,
    pointers,
    restores,
    source_files,
    verdicts,
)
from millpond.catalog.timeline import Timeline, timeline
from millpond.core.names import TableName


def head(connection: Connection) -> int:
    """The number of the newest commit, 0 before the first."""
    return connection.scalar(select(func.max(commits.c.number))) or 0


def number_at(connection: Connection, when: datetime) -> int:
    """The number of the newest commit not later than a moment, 0 for none."""
    return connection.scalar(select(func.max(commits.c.number)).where(commits.c.at <= micros(when))) or 0


def published(connection: Connection, step_key: str) -> int | None:
    """The number of the commit with a step key."""
    number: int | None = connection.scalar(select(commits.c.number).where(commits.c.step_key == step_key))
    return number


def moved(connection: Connection, environment: str, move: Move, since: int) -> int | None:
    """The number of the commit later than `since` that made a move; None when none did."""
    target = move.before if move.after is None else move.after
    query = select(commit_tables.c.commit).where(
        _named(commit_tables, environment, move.name),
        commit_tables.c.commit > since,
        commit_tables.c.metadata_location == target,
        commit_tables.c.previous.is_not_distinct_from(move.before),
        commit_tables.c.dropped == (move.after is None),
    )
    number: int | None = connection.scalar(query.order_by(commit_tables.c.commit).limit(1))
    return number


def was_there(connection: Connection, uuids: Collection[str]) -> bool:
    """Whether any commit of any environment brought a table with one of these identities."""
    found = connection.scalar(select(exists().where(commit_tables.c.uuid.in_(uuids))))
    return bool(found)


_FILE = tuple(member.name for member in fields(SeenFile))
_ENTRY = ("layer", "name", "uuid", "location", "metadata_location", "commit", "created")


def _entry(row: Any) -> TableEntry:
    return TableEntry(
        TableName(row.layer, row.name), row.uuid, row.location, row.metadata_location, row.commit, row.created
    )


def _named(table: Table, environment: str, name: TableName) -> ColumnElement[bool]:
    return and_(table.c.environment == environment, table.c.layer == name.layer, table.c.name == name.name)


def find(
    connection: Connection, environment: str, name: TableName, at: int | None, kind: str = TABLE
) -> TableEntry | None:
    """The pointer of one name, now or as of a commit; None when it is of another kind.

    What has not moved since the commit is told by the pointer, and not by the history: a bit of the history's index
    that is another one could hide the newest of its rows, and an older one would be taken for it.
    """
    query = select(*(pointers.c[column] for column in _ENTRY), pointers.c.kind)
    row = connection.execute(query.where(_named(pointers, environment, name))).first()
    if at is None or (row is not None and row.commit <= at):
        return _entry(row) if row is not None and row.kind == kind else None
    columns = [commit_tables.c[column] for column in _ENTRY]
    history = (
        select(*columns, commit_tables.c.dropped, commit_tables.c.kind)
        .where(_named(commit_tables, environment, name), commit_tables.c.commit <= at)
        .order_by(commit_tables.c.commit.desc())
        .limit(1)
    )
    newest = connection.execute(history).first()
    return None if newest is None or newest.dropped or newest.kind != kind else _entry(newest)


def tables(connection: Connection, environment: str, at: int | None, kind: str = TABLE) -> tuple[TableEntry, ...]:
    """Every pointer of an environment that is of a kind, by name, now or as of a commit."""
    if at is None or at >= head(connection):
        inside = and_(pointers.c.environment == environment, pointers.c.kind == kind)
        query = select(*(pointers.c[column] for column in _ENTRY)).where(inside)
        rows = connection.execute(query.order_by(pointers.c.layer, pointers.c.name))
        return tuple(_entry(row) for row in rows)
    history = (
        select(*(commit_tables.c[column] for column in _ENTRY))
        .select_from(_newest(commit_tables, environment, commit_tables.c.commit <= at))
        .where(~commit_tables.c.dropped, commit_tables.c.kind == kind)
        .order_by(commit_tables.c.layer, commit_tables.c.name)
    )
    return tuple(_entry(row) for row in connection.execute(history))


def _newest(
    rows: Table, environment: str, counts: ColumnElement[bool], key: Sequence[str] = ("layer", "name")
) -> FromClause:
    """The newest row of each name (of what `key` says) in an environment, of those that count.

    First the names, which the key's index alone tells; then a look into the index for each. There may be a thousand
    times as many rows as names: a join with their newest commits would go through all of the rows.
    """
    inside = rows.c.environment == environment
    names = select(*(rows.c[column] for column in key)).where(inside).distinct().subquery()
    same = (inside, *(rows.c[column] == names.c[column] for column in key))
    newest = select(func.max(rows.c.commit)).where(*same, counts).correlate(names).scalar_subquery()
    return names.join(rows, and_(*same, rows.c.commit == newest))


def at_location(connection: Connection, location: str) -> tuple[TableEntry, ...]:
    """The pointers of any environment at tables that lie in a folder."""
    columns = (pointers.c[column] for column in _ENTRY)
    query = select(*columns).where(pointers.c.location == location, pointers.c.kind == TABLE)
    return tuple(_entry(row) for row in connection.execute(query))


def kept(environment: str, line: Timeline, layer: Any, name: Any, commit: Any, at: int) -> ColumnElement[bool]:
    """Whether a record counts, and its table was neither dropped nor made anew between its commit and `at`.

    A table that was made for the first time since then is kept: the record came before it, not from an earlier one.
    """
    later = commit_tables.alias()
    gone = exists().where(
        later.c.environment == environment,
        later.c.layer == layer,
        later.c.name == name,
        later.c.commit > commit,
        later.c.commit <= at,
        line.holds(later.c.layer, later.c.name, later.c.commit),
        ends(later),
    )
    return and_(line.holds(layer, name, commit), ~gone)


def cursor(connection: Connection, environment: str, consumer: TableName, source: TableName, at: int) -> int | None:
    """How far a consumer has read an input; None when it never did, or its table is gone since."""
    line = timeline(connection, environment, at)
    query = (
        select(cursors.c.number)
        .where(
            cursors.c.environment == environment,
            cursors.c.consumer_layer == consumer.layer,
            cursors.c.consumer_name == consumer.name,
            cursors.c.input_layer == source.layer,
            cursors.c.input_name == source.name,
            cursors.c.commit <= at,
            kept(environment, line, cursors.c.consumer_layer, cursors.c.consumer_name, cursors.c.commit, at),
        )
        .order_by(cursors.c.commit.desc())
        .limit(1)
    )
    number: int | None = connection.scalar(query)
    return number


_CONSUMED = ("consumer_layer", "consumer_name", "input_layer", "input_name")


def all_cursors(connection: Connection, environment: str, at: int) -> dict[tuple[TableName, TableName], int]:
    """How far each consumer has read each input, by consumer and input; see `cursor`."""
    line = timeline(connection, environment, at)
    consumer = (cursors.c.consumer_layer, cursors.c.consumer_name, cursors.c.commit)
    counts = and_(cursors.c.commit <= at, line.holds(*consumer))
    query = (
        select(*(cursors.c[column] for column in _CONSUMED), cursors.c.number)
        .select_from(_newest(cursors, environment, counts, _CONSUMED))
        .where(kept(environment, line, *consumer, at))
    )
    return {
        (TableName(row.consumer_layer, row.consumer_name), TableName(row.input_layer, row.input_name)): row.number
        for row in connection.execute(query)
    }


def model_states(connection: Connection, environment: str, at: int) -> dict[TableName, ModelState]:
    """What each table was last built by; tables that are gone since are left out."""
    rows = relations.model_states
    line = timeline(connection, environment, at)
    counts = and_(rows.c.commit <= at, line.holds(rows.c.layer, rows.c.name, rows.c.commit))
    query = (
        select(rows.c.layer, rows.c.name, rows.c.fingerprint, rows.c.definition)
        .select_from(_newest(rows, environment, counts))
        .where(kept(environment, line, rows.c.layer, rows.c.name, rows.c.commit, at))
    )
    found = {}
    for row in connection.execute(query):
        table = TableName(row.layer, row.name)
        found[table] = ModelState(table, row.fingerprint, row.definition)
    return found


def _files(environment: str, line: Timeline, source: str, at: int) -> tuple[FromClause, ColumnElement[bool]]:
    """The rows of a source's files whose bronze table still holds what was loaded."""
    joined = source_files.join(commits, commits.c.number == source_files.c.commit)
    holding = kept(environment, line, commits.c.table_layer, commits.c.table_name, source_files.c.commit, at)
    inside = and_(
        source_files.c.environment == environment, source_files.c.source == source, source_files.c.commit <= at, holding
    )
    return joined, inside


def seen_files(connection: Connection, environment: str, source: str, at: int) -> tuple[SeenFile, ...]:
    """The newest row of each path that a source has dealt with."""
    joined, inside = _files(environment, timeline(connection, environment, at), source, at)
    newest = (
        select(func.max(source_files.c.id))
        .select_from(joined)
        .where(inside, source_files.c.outcome != "replaced")
        .group_by(source_files.c.path)
    )
    query = select(*(source_files.c[member] for member in _FILE)).where(source_files.c.id.in_(newest))
    return tuple(SeenFile(*row) for row in connection.execute(query.order_by(source_files.c.path)))


def loaded_contents(connection: Connection, environment: str, source: str, parser: str, at: int) -> frozenset[str]:
    """The contents (SHA-256, hex) that a source has loaded with these settings and not replaced since."""
    line = timeline(connection, environment, at)
    joined, inside = _files(environment, line, source, at)
    later, told = source_files.alias(), commits.alias()
    replaced = exists().where(
        told.c.number == later.c.commit,
        line.holds(told.c.table_layer, told.c.table_name, told.c.number),
        later.c.environment == environment,
        later.c.source == source,
        later.c.content == source_files.c.content,
        later.c.id > source_files.c.id,
        later.c.commit <= at,
        later.c.outcome == "replaced",
    )
    query = (
        select(source_files.c.content)
        .select_from(joined)
        .where(inside, source_files.c.parser == parser, source_files.c.outcome == "loaded", ~replaced)
    )
    return frozenset(connection.scalars(query))


def verdicts_of(connection: Connection, number: int) -> tuple[Verdict, ...]:
    """What came of each check of a commit's step, in order."""
    query = select(verdicts).where(verdicts.c.commit == number).order_by(verdicts.c.ordinal)
    return tuple(
        Verdict(TableName(row.layer, row.name), row.rule, row.outcome, row.failed, row.judged)
        for row in connection.execute(query)
    )


def ledger_of(connection: Connection, number: int) -> Ledger | None:
    """Where every row of a commit's step went; None for a commit without a ledger."""
    return _ledger(connection.scalar(select(commits.c.ledger).where(commits.c.number == number)))


def _ledger(text: str | None) -> Ledger | None:
    return Ledger(**json.loads(text)) if text else None


def edges(connection: Connection, environment: str, output: TableName, at: int) -> tuple[Edge, ...]:
    """From which input columns a table's columns were made, by the newest commit that says so."""
    of_table = and_(
        lineage.c.environment == environment,
        lineage.c.output_layer == output.layer,
        lineage.c.output_name == output.name,
        lineage.c.commit <= at,
        timeline(connection, environment, at).holds(lineage.c.output_layer, lineage.c.output_name, lineage.c.commit),
    )
    newest = select(func.max(lineage.c.commit)).where(of_table).scalar_subquery()
    query = select(lineage).where(of_table, lineage.c.commit == newest).order_by(lineage.c.ordinal)
    return tuple(
        Edge(output, row.output_column, TableName(row.input_layer, row.input_name), row.input_column)
        for row in connection.execute(query)
    )


def history(connection: Connection, environment: str, name: TableName | None, limit: int) -> tuple[CommitRecord, ...]:
    """The newest commits of an environment, of all or of those that moved one table, newest first."""
    moved = commit_tables.c.commit
    if name is None:
        chosen = select(commits.c.number).where(commits.c.environment == environment).order_by(commits.c.number.desc())
    else:
        chosen = select(moved).where(_named(commit_tables, environment, name)).order_by(moved.desc())
    chosen = chosen.limit(limit)
    rows = connection.execute(
        select(commits).where(commits.c.number.in_(chosen)).order_by(commits.c.number.desc())
    ).all()
    moves: dict[int, list[TableName]] = {}
    named = select(moved, commit_tables.c.layer, commit_tables.c.name).where(moved.in_(chosen))
    for row in connection.execute(named.order_by(commit_tables.c.layer, commit_tables.c.name)):
        moves.setdefault(row.commit, []).append(TableName(row.layer, row.name))
    back = _went_back(connection, rows[-1].number, rows[0].number) if rows else {}
    return tuple(_commit(row, tuple(moves.get(row.number, ())), back.get(row.number)) for row in rows)


def _went_back(connection: Connection, first: int, last: int) -> dict[int, int]:
    """The restores among some commits, and where each went back to."""
    query = select(restores.c.commit, restores.c.number).where(restores.c.commit.between(first, last))
    return {row.commit: row.number for row in connection.execute(query)}


def _commit(row: Row[Any], moved: tuple[TableName, ...], restored: int | None) -> CommitRecord:
    return CommitRecord(
        number=row.number,
        at=from_micros(row.at),
        kind=row.kind,
        principal=row.principal,
        client=row.client,
        step_key=row.step_key,
        run=row.run,
        tables=moved,
        ledger=_ledger(row.ledger),
        table=TableName(row.table_layer, row.table_name) if row.table_name else None,
        restored=restored,
    )


def newest_location(connection: Connection) -> str | None:
    """Where the newest table lies; None while there is none."""
    location: str | None = connection.scalar(select(pointers.c.location).order_by(pointers.c.created.desc()).limit(1))
    return location


def environments(connection: Connection) -> frozenset[str]:
    """The environments that hold a table or a namespace."""
    return frozenset(connection.scalars(select(pointers.c.environment).union(select(namespaces.c.environment))))
