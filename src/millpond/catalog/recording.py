"""Writing one commit: pointers by compare and swap, and every row that goes with them, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, and_, delete, exists, func, insert, select, update

from millpond.catalog import namespaces, relations
from millpond.catalog.commits import TABLE, Commit, LifeEvent, Published, Restored
from millpond.catalog.digests import Pen
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.names import TableName
from millpond.core.records import frozen

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ASKED_AT_ONCE = 5000
"""Values that one question names at most; databases limit how many a statement may hold."""


@frozen
class Move:
    """What a commit does to one name.

    `before` is the metadata file that the name must point at now, None when it must not be taken. `after` is the new
    one, None when the name is given up. `created` is the commit that made the table, None for this one.
    `kind` tells tables from views.
    """

    name: TableName
    before: str | None
    after: str | None
    uuid: str
    location: str
    created: int | None
    kind: str = TABLE


@frozen
class Author:
    """Who commits: the environment, the client program, the moment."""

    environment: str
    client: str
    at: datetime


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_micros(count: int) -> datetime:
    """The moment so many microseconds after 1970 began, aware, in UTC."""
    return EPOCH + timedelta(microseconds=count)


def record(connection: Connection, author: Author, commit: Commit, moves: Sequence[Move], opened: int = 0) -> Published:
    """Write one commit and give it its number. `opened` counts the records that it put into quarantine.

    An empty `step_key` is that of no step: a direct commit of an outside client. Raises ConflictError MP-3010 when a
    pointer is not where the commit expects it, MP-3120 when the life of a quarantined record went on meanwhile,
    CatalogError MP-3003 when a view has a table's name or the other way round, MP-3002 for a namespace
    that is not there and that the commit may not make; the caller's transaction must then be
    rolled back.
    """
    known = _published(connection, commit.step_key)
    if known is not None:
        return Published(known, repeated=True)
    pen = Pen(connection)
    number = _number(pen, author, commit)
    for move in sorted(moves, key=lambda move: move.after is not None):  # a name that is given up is free for another
        _swap(pen, author.environment, number, move)
    layers = {move.name.layer for move in moves if move.after}
    if not commit.makes_namespaces:
        _check_namespaces(connection, author.environment, moves)
    if layers:
        _namespaces(connection, author.environment, layers)
    _details(pen, author.environment, number, commit)
    _quarantine(pen, author.environment, number, commit, opened)
    pen.sign(number)
    return Published(number)


def _published(connection: Connection, step_key: str) -> int | None:
    if not step_key:
        return None
    query = select(relations.commits.c.number).where(relations.commits.c.step_key == step_key)
    number: int | None = connection.scalar(query)
    return number


def _number(pen: Pen, author: Author, commit: Commit) -> int:
    """Write the commit's row. Writers take turns, so the next number follows on the newest that anyone can see."""
    commits = relations.commits
    last = select(commits.c.number, commits.c.at).order_by(commits.c.number.desc()).limit(1)
    newest = pen.connection.execute(last).first()
    number: int = newest.number + 1 if newest else 1
    row = {
        "number": number,
        "environment": author.environment,
        "at": max(micros(author.at), newest.at if newest else 0),
        "kind": commit.kind,
        "principal": commit.principal,
        "client": author.client,
        "step_key": commit.step_key or None,
        "run": commit.run,
        "table_layer": commit.table.layer if commit.table else None,
        "table_name": commit.table.name if commit.table else None,
        "blind": commit.blind,
        "ledger": json.dumps(asdict(commit.ledger)) if commit.ledger else None,
    }
    pen.write(commits, [row])
    return number


def _swap(pen: Pen, environment: str, number: int, move: Move) -> None:
    connection, pointers = pen.connection, relations.pointers
    key = {"environment": environment, "layer": move.name.layer, "name": move.name.name}
    where = and_(*(pointers.c[column] == value for column, value in key.items()))
    created = number if move.created is None else move.created
    target = {
        "uuid": move.uuid,
        "location": move.location,
        "metadata_location": move.after,
        "commit": number,
        "created": created,
        "kind": move.kind,
    }
    if move.before is None:
        changed = 0 if connection.scalar(select(exists().where(where))) else 1
        if changed:
            _check_apart(connection, environment, move)
            connection.execute(insert(pointers).values(key | target))
    elif move.after is None:
        changed = connection.execute(
            delete(pointers).where(where, pointers.c.metadata_location == move.before)
        ).rowcount
    else:
        changed = connection.execute(
            update(pointers).where(where, pointers.c.metadata_location == move.before).values(target)
        ).rowcount
    if changed != 1:
        _check_kind(move, connection.scalar(select(pointers.c.kind).where(where)))
        raise moved(move.name)
    row = key | target | {"metadata_location": move.after or move.before}
    row |= {"previous": move.before, "dropped": move.after is None}
    pen.write(relations.commit_tables, [row])


def _check_kind(move: Move, holder: str | None) -> None:
    if move.before is None and holder is not None and holder != move.kind:
        raise same_name(holder, move.name)


def _check_apart(connection: Connection, environment: str, move: Move) -> None:
    """Refuse a name that another has in other letters: to DuckDB and others the two are one."""
    pointers, name = relations.pointers, move.name
    where = (pointers.c.environment == environment, pointers.c.layer == name.layer)
    folded = func.lower(pointers.c.name) == name.name.lower()
    other = connection.scalar(select(pointers.c.name).where(*where, folded, pointers.c.name != name.name))
    if other is not None:
        raise CatalogError(
            "MP-3003",
            f"{move.kind.capitalize()} already exists: {name.layer}.{other}",
            next_step=f"choose a name that differs in more than upper and lower case, or drop that {move.kind}",
        )


def same_name(holder: str, name: TableName) -> CatalogError:
    """The error for a view that would have a table's name, or a table that would have a view's (the `holder`)."""
    return CatalogError(
        "MP-3003",
        f"{holder.capitalize()} with same name already exists: {name}",
        next_step=f"choose another name, or drop the {holder}",
    )


def with_outer(namespace: str) -> tuple[str, ...]:
    """A namespace and all that it lies in, outermost first. A dot stands between the levels."""
    levels = namespace.split(".")
    return tuple(".".join(levels[:count]) for count in range(1, len(levels) + 1))


def moved(name: TableName) -> ConflictError:
    """The error for a table whose pointer is not where a commit began."""
    return ConflictError(
        "MP-3010",
        f"{name} was changed by another commit since this step began",
        next_step="run the step again: it will work on the newest state; nothing was changed",
    )


def _check_namespaces(connection: Connection, environment: str, moves: Iterable[Move]) -> None:
    """Refuse a new name in a namespace that was dropped since its maker looked."""
    for layer in sorted({move.name.layer for move in moves if move.before is None}):
        if namespaces.properties(connection, environment, layer) is None:
            raise namespaces.no_such_namespace(layer)


def _namespaces(connection: Connection, environment: str, layers: Iterable[str]) -> None:
    spaces = relations.namespaces
    names = {name for layer in layers for name in with_outer(layer)}
    own = spaces.c.environment == environment
    known = set(connection.scalars(select(spaces.c.name).where(own, spaces.c.name.in_(names))))
    new = sorted(names - known)
    rows = [{"environment": environment, "name": name, "properties": "{}"} for name in new]
    if rows:
        connection.execute(insert(spaces), rows)


def _details(pen: Pen, environment: str, number: int, commit: Commit) -> None:
    own = {"environment": environment, "commit": number}
    cursors = [
        own
        | {
            "consumer_layer": cursor.consumer.layer,
            "consumer_name": cursor.consumer.name,
            "input_layer": cursor.input.layer,
            "input_name": cursor.input.name,
            "number": cursor.number,
        }
        for cursor in commit.cursors
    ]
    verdicts = [
        {
            "commit": number,
            "ordinal": ordinal,
            "layer": verdict.table.layer,
            "name": verdict.table.name,
            "rule": verdict.rule,
            "outcome": verdict.outcome,
            "failed": verdict.failed,
            "judged": verdict.judged,
        }
        for ordinal, verdict in enumerate(commit.verdicts)
    ]
    edges = [
        own
        | {
            "ordinal": ordinal,
            "output_layer": edge.output.layer,
            "output_name": edge.output.name,
            "output_column": edge.output_column,
            "input_layer": edge.input.layer,
            "input_name": edge.input.name,
            "input_column": edge.input_column,
        }
        for ordinal, edge in enumerate(commit.lineage)
    ]
    states = [
        own
        | {
            "layer": state.table.layer,
            "name": state.table.name,
            "fingerprint": state.fingerprint,
            "definition": state.definition,
        }
        for state in commit.models
    ]
    pen.write(relations.cursors, cursors)
    pen.write(relations.source_files, [own | asdict(file) for file in commit.files])
    pen.write(relations.verdicts, verdicts)
    pen.write(relations.lineage, edges)
    pen.write(relations.model_states, states)
    pen.write(relations.restores, [own | _restored(restored) for restored in commit.restores])
    forks = [{"uuid": fork.uuid, "origin": fork.origin, "commit": number} for fork in commit.forks]
    pen.write(relations.forks, forks)


def _quarantine(pen: Pen, environment: str, number: int, commit: Commit, opened: int) -> None:
    """What became of quarantined records, how many came, and the circuits of models."""
    own = {"environment": environment, "commit": number}
    if opened and commit.table is not None:
        row = own | {"layer": commit.table.layer, "name": commit.table.name, "records": opened}
        pen.write(relations.quarantine_openings, [row])
    _check_lives(pen.connection, environment, commit.lives)
    lives = [
        own
        | {
            "record": life.record,
            "number": life.last + 1,
            "status": life.status,
            "layer": life.table.layer,
            "name": life.table.name,
            "opened": life.opened or number,
            "revision": life.revision,
            "reason": life.reason,
        }
        for life in commit.lives
    ]
    pen.write(relations.quarantine_events, lives)
    circuits = [
        own
        | {
            "layer": circuit.table.layer,
            "name": circuit.table.name,
            "state": circuit.state,
            "judged": circuit.judged,
            "failed": circuit.failed,
            "since": micros(circuit.since),
            "reason": circuit.reason,
        }
        for circuit in commit.circuits
    ]
    pen.write(relations.circuits, circuits)


def _check_lives(connection: Connection, environment: str, lives: Sequence[LifeEvent]) -> None:
    events = relations.quarantine_events
    for first in range(0, len(lives), ASKED_AT_ONCE):
        some = lives[first : first + ASKED_AT_ONCE]
        query = (
            select(events.c.record, func.max(events.c.number).label("last"))
            .where(events.c.environment == environment, events.c.record.in_([life.record for life in some]))
            .group_by(events.c.record)
        )
        known = {row.record: row.last for row in connection.execute(query)}
        for life in some:
            if known.get(life.record, 0) != life.last:
                raise ConflictError(
                    "MP-3120",
                    f"another commit decided about the quarantined record {life.record} since this one began",
                    next_step="look at it again (`millpond quarantine show`), then decide; nothing was changed",
                )


def _restored(restored: Restored) -> dict[str, object]:
    table = restored.table
    return {
        "layer": table.layer if table else "",
        "name": table.name if table else "",
        "number": restored.number,
    }
