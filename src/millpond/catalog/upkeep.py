"""What upkeep asks of the pointer store: which commits rewrote a table, and how far its consumers have read."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import false, func, or_, select

from millpond.catalog import records
from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.commits import TableEntry
from millpond.catalog.reachability import reads
from millpond.catalog.relations import commit_tables, commits, cursors, pointers
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.records import frozen

KIND = "maintain"
"""The kind of upkeep's commits."""


@frozen
class Client:
    """What a program wrote: how many commits of a kind, and the newest of them."""

    client: str
    kind: str
    commits: int
    newest: int


def clients(catalog: Catalog) -> tuple[Client, ...]:
    """Which programs have written to the environment, and what."""
    query = (
        select(commits.c.client, commits.c.kind, func.count(), func.max(commits.c.number))
        .where(commits.c.environment == catalog.environment)
        .group_by(commits.c.client, commits.c.kind)
        .order_by(commits.c.client, commits.c.kind)
    )
    with catalog.store.read() as connection:
        return tuple(Client(*row) for row in connection.execute(query))


def maintained(catalog: Catalog, name: TableName, since: int, until: int) -> tuple[str, ...]:
    """The metadata files that upkeep's commits made of a table after one commit, up to another, oldest first."""
    query = (
        select(commit_tables.c.metadata_location)
        .join(commits, commits.c.number == commit_tables.c.commit)
        .where(
            commit_tables.c.environment == catalog.environment,
            commit_tables.c.layer == name.layer,
            commit_tables.c.name == name.name,
            commit_tables.c.commit > since,
            commit_tables.c.commit <= until,
            commits.c.kind == KIND,
        )
        .order_by(commit_tables.c.commit)
    )
    with catalog.store.read() as connection:
        return tuple(connection.scalars(query))


def live_cursors(
    catalog: Catalog, table_uuids: Collection[str] | None = None
) -> dict[tuple[str, TableName], frozenset[int]]:
    """For each input, by environment and name, the commit numbers up to which its present consumers have read.

    With `table_uuids`, only of the names that point at one of those tables now.
    """
    key = (cursors.c.environment, cursors.c.consumer_layer, cursors.c.consumer_name)
    query = select(*key, cursors.c.input_layer, cursors.c.input_name).distinct()
    found: dict[tuple[str, TableName], set[int]] = {}
    with catalog.store.read() as connection:
        if table_uuids is not None:
            named = select(pointers.c.environment, pointers.c.layer, pointers.c.name)
            names = connection.execute(named.where(pointers.c.uuid.in_(table_uuids)))
            inputs = [reads(row.environment, TableName(row.layer, row.name)) for row in names]
            query = query.where(or_(false(), *inputs))
        head = records.head(connection)
        for row in connection.execute(query).all():
            consumer = TableName(row.consumer_layer, row.consumer_name)
            source = TableName(row.input_layer, row.input_name)
            number = records.cursor(connection, row.environment, consumer, source, head)
            there = records.find(connection, row.environment, consumer, None)
            if number is not None and there is not None:
                found.setdefault((row.environment, source), set()).add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def consumed(catalog: Catalog, entry: TableEntry) -> tuple[int, ...]:
    """Up to which sequence numbers of a table its consumers have read, in every environment that points at it."""
    found: set[int] = set()
    for (environment, name), numbers in live_cursors(catalog, (entry.uuid,)).items():
        seen = in_environment(catalog, environment)
        for number in numbers:
            version = seen.find(name, number)
            if version is not None and version.uuid == entry.uuid:
                found.update(_sequence(seen, version))
    return tuple(sorted(found))


def _sequence(catalog: Catalog, version: TableEntry) -> tuple[int, ...]:
    """The sequence number of a version, none for one that is given up."""
    try:
        return (catalog.metadata(version).sequence_number,)
    except CatalogError as gone:
        if gone.code != "MP-3032":
            raise
        return ()
