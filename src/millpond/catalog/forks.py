"""Forks: tables that begin with another's files, without a byte of data being copied, and go their own way from there.

A fork has a uuid, a location and metadata of its own; its first metadata names the files of the table that it was
forked from. What is written to it lies under its own location. Either may be altered, written and dropped without the
other noticing; `reachability` keeps the files that both read.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from millpond.catalog.catalog import CLIENT, in_environment, open_stage
from millpond.catalog.commits import Commit, Forked, TableEntry
from millpond.catalog.layout import KEPT
from millpond.catalog.metadata import TableMetadata, trim
from millpond.catalog.recording import micros
from millpond.catalog.restoring import check_there
from millpond.catalog.staging import taken
from millpond.catalog.warehouse import PATH_PROPERTY
from millpond.core.names import TableName

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

KIND = "fork"


class Forks:
    """Makes forks of the tables of one environment."""

    def __init__(self, catalog: Catalog, principal: str) -> None:
        self._catalog = catalog
        self._principal = principal

    def fork(self, table: TableName, to: TableName, *, into: str | None = None, at: int | None = None) -> TableEntry:
        """A new table `to`, in the environment `into` (None: this one), that holds what `table` does, or did at `at`.

        Raises CatalogError MP-3001 when there is no such table, MP-3003 when the new name is taken, MP-3070 when
        files of then are gone.
        """
        origin = self._catalog.table(table, at)
        if at is not None:
            check_there(self._catalog, at, origin)
        target = in_environment(self._catalog, into or self._catalog.environment)
        began = forked(self._catalog.metadata(origin), target, to, micros(self._catalog.clock.now()) // 1000)
        key = f"{KIND}/{began.uuid}"
        stage = open_stage(target, key, target.head(), CLIENT)
        try:
            if stage.find(to) is not None:
                raise taken(to)
            stage.adopt(to, began, None)
            stage.publish(Commit(key, KIND, self._principal, table=to, forks=(Forked(began.uuid, origin.uuid),)))
        finally:
            stage.discard()
        return target.table(to)


def forked(metadata: TableMetadata, target: Catalog, name: TableName, now_ms: int) -> TableMetadata:
    """The first metadata of a fork: what the table holds now, and its branches and tags, under a new identity.

    Earlier snapshots stay with the table that was forked.
    """
    identity = str(uuid.uuid4())
    trimmed = trim(metadata, recent=0).document
    properties = {key: value for key, value in metadata.properties.items() if not PATH_PROPERTY.match(key)} | KEPT
    document = {
        **trimmed,
        "table-uuid": identity,
        "location": target.warehouse.fresh(name, identity),
        "properties": properties,
        "metadata-log": [],
        "last-updated-ms": max(now_ms, trimmed["last-updated-ms"]),
    }
    return TableMetadata(document)
