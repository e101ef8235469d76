"""Giving up past versions of tables that are damaged: nobody can read them, and while they count nothing may go.

A version is given up by giving its metadata file another name, which can be taken back for as long as upkeep keeps
orphans. Files that a whole version reads stay, whatever else named them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import select

from millpond.catalog import checksums, records
from millpond.catalog.commits import TABLE, Commit, TableEntry
from millpond.catalog.examination import Examination, present
from millpond.catalog.files import local
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.reachability import Keep, Version, needed_versions, read_by, within
from millpond.catalog.relations import cursors
from millpond.catalog.staging import TableChange
from millpond.catalog.tags import Tags
from millpond.core.names import TableName
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

KIND = "repair"
DAMAGED = ".damaged"
"""What the name of a metadata file ends with once its version is given up."""


@frozen
class GivenUp:
    """A table's version that can be read no more: what it was from commit `commit` until before commit `until`.

    `tags` name such commits, and `readers` are tables that have read up to one of them. `refs` are branches and tags
    of the table's own that went with the version.
    """

    table: TableName
    environment: str
    commit: int
    until: int | None
    reasons: tuple[str, ...]
    tags: tuple[str, ...] = ()
    readers: tuple[TableName, ...] = ()
    refs: tuple[str, ...] = ()


def give_up(catalog: Catalog, principal: str, keep: Keep) -> tuple[GivenUp, ...]:
    """Give up every past version that is needed by the rule `keep`, a tag or a cursor, and damaged.

    Snapshots of the past that a present version of this environment still names go from its metadata, by a commit.
    Where the present version itself is damaged its past is left as it is: a person may want to look for what is whole.
    """
    with catalog.store.read() as connection:
        look = Examination(checksums.known(connection))
    versions = [one for one in needed_versions(catalog, None, keep) if one.kind == TABLE]
    live = [one for one in versions if one.until is None]
    damaged = {(one.environment, one.name) for one in live if not look.table("", one.metadata_location, present)}
    done = [
        gone
        for entry in catalog.tables()
        if (catalog.environment, entry.name) not in damaged
        for gone in _forget(catalog, look, entry, principal)
    ]
    # Several versions may be one file, of this name or of others: it goes only when nobody reads it now.
    kept = {one.metadata_location for one in versions if one.until is None or (one.environment, one.name) in damaged}
    named = Tags(catalog).all()
    lost: list[GivenUp] = []
    paths: list[str] = []
    for one in versions:
        path = one.metadata_location
        reasons = () if path in kept or not Path(local(path)).exists() else _reasons(look, one)
        if reasons:
            paths.append(path)
            tags = tuple(tag.name for tag in named if within((tag.number,), one))
            readers = _readers(catalog, one)
            lost.append(GivenUp(one.name, one.environment, one.commit, one.until, reasons, tags, readers))
    if paths:
        _rename(catalog, dict.fromkeys(paths), principal)
    return (*lost, *done)


def _reasons(look: Examination, version: Version) -> tuple[str, ...]:
    """Why a version cannot be read; none for a whole one."""
    look.reasons.clear()

    def read(metadata: TableMetadata) -> list[Mapping[str, Any]]:
        return read_by(version, metadata, named=False)

    whole = look.table("", version.metadata_location, read)
    return () if whole else tuple(dict.fromkeys(look.reasons)) or ("it is damaged",)


def _forget(catalog: Catalog, look: Examination, entry: TableEntry, principal: str) -> Sequence[GivenUp]:
    """Take damaged snapshots of the past out of a table's present metadata; with them go branches and tags on them."""
    metadata = catalog.metadata(entry)
    gone: dict[int, tuple[str, ...]] = {}
    for row in metadata.snapshots:
        look.reasons.clear()
        if row != metadata.current_snapshot and not look.snapshot("", row):
            gone[row["snapshot-id"]] = tuple(dict.fromkeys(look.reasons))
    if not gone:
        return ()
    key = f"{KIND}/{uuid4()}"
    stage = catalog.begin(key)
    try:
        stage.commit((TableChange(entry.name, (), ({"action": "remove-snapshots", "snapshot-ids": list(gone)},)),))
        number = stage.publish(Commit(key, KIND, principal, table=entry.name)).number
    finally:
        stage.discard()
    refs = metadata.document.get("refs") or {}
    return [
        GivenUp(entry.name, catalog.environment, number, None, gone[ref["snapshot-id"]], refs=(name,))
        for name, ref in sorted(refs.items())
        if ref["snapshot-id"] in gone
    ]


def _rename(catalog: Catalog, paths: Iterable[str], principal: str) -> None:
    """Say by a commit that versions are given up, and do so. Killed in between, the next repair does it again."""
    key = f"{KIND}/{uuid4()}"
    stage = catalog.begin(key)
    try:
        stage.publish(Commit(key, KIND, principal))
    finally:
        stage.discard()
    for path in paths:
        plain = Path(local(path))
        with suppress(FileNotFoundError):
            plain.rename(plain.with_name(plain.name + DAMAGED))
        catalog.cache.forget(path)


def _readers(catalog: Catalog, version: Version) -> tuple[TableName, ...]:
    """The tables whose cursors stand in the time of a version of their input."""
    query = select(cursors.c.consumer_layer, cursors.c.consumer_name).where(
        cursors.c.environment == version.environment,
        cursors.c.input_layer == version.name.layer,
        cursors.c.input_name == version.name.name,
    )
    found = []
    with catalog.store.read() as connection:
        head = records.head(connection)
        for row in connection.execute(query.distinct()).all():
            consumer = TableName(row.consumer_layer, row.consumer_name)
            number = records.cursor(connection, version.environment, consumer, version.name, head)
            if number is not None and within((number,), version):
                found.append(consumer)
    return tuple(sorted(found))
