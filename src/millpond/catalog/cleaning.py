"""Removing what nobody needs any more: snapshots from a table's metadata, and files from its folder.

A file goes only when no metadata that must stay readable names it, and when it is older than any step that may be
writing it. What a file belonged to does not matter: an expired version, a refused commit, a step that was killed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, union

from millpond.catalog import checksums, manifests, reserving
from millpond.catalog.commits import Commit
from millpond.catalog.files import local
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.reachability import Keep, needed_snapshots, reachable_files
from millpond.catalog.relations import commit_tables, pointers, restores
from millpond.catalog.staging import TableChange
from millpond.catalog.upkeep import KIND
from millpond.core.names import TableName
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

_AT_ONCE = 50
"""Files that are deleted while no other commit is made."""


@frozen
class Stray:
    """A file that nothing needs; `size` in bytes."""

    path: str
    size: int


def expired(catalog: Catalog, table: TableName, keep: Keep) -> tuple[int, ...]:
    """The snapshots that a table's metadata names and that nothing needs any more, oldest first."""
    entry = catalog.find(table)
    if entry is None:
        return ()
    metadata = catalog.metadata(entry)
    if len(metadata.snapshots) < 2:
        return ()
    needed = needed_snapshots(catalog, entry.uuid, keep)
    stay = {row["snapshot-id"] for row in metadata.read} | needed
    return tuple(row["snapshot-id"] for row in metadata.snapshots if row["snapshot-id"] not in stay)


def expire(catalog: Catalog, table: TableName, keep: Keep, commit: Commit) -> tuple[int | None, int]:
    """Take expired snapshots out of a table's metadata: the commit's number, None for nothing to do, and how many.

    Raises ConflictError MP-3010 when another commit came first.
    """
    stage = catalog.begin(commit.step_key)
    try:
        gone = expired(catalog, table, keep)
        if not gone or stage.find(table) is None:
            return None, 0
        stage.commit((TableChange(table, (), ({"action": "remove-snapshots", "snapshot-ids": list(gone)},)),))
        return stage.publish(commit).number, len(gone)
    finally:
        stage.discard()


def strays(catalog: Catalog, keep: Keep, age: timedelta, tables: Iterable[str] | None = None) -> tuple[Stray, ...]:
    """Files in tables' folders that nothing needs and that are older than `age`, in the order in which they may go.

    `tables` are the locations to look in, by default those of every table that the catalog ever knew. Raises
    CatalogError MP-3033 or MP-3036 when it cannot be told what is needed: then nothing may be deleted.
    """
    before = catalog.clock.now() - age
    found: list[Stray] = []
    candidates = [one for location in tables or locations(catalog) for one in _older(location, before.timestamp())]
    if candidates:
        places = _Places()
        needed = _needed(catalog, keep, places)
        found = [one for one in candidates if places.of(one.path) not in needed]
    return tuple(sorted(found, key=lambda one: (_rank(one.path), one.path)))


def remove(
    catalog: Catalog, found: Iterable[Stray], keep: Keep, commit: Commit, at: Callable[[Stray], None] | None = None
) -> tuple[int | None, tuple[Stray, ...]]:
    """Delete strays, after a commit that says so; the commit's number, and what was deleted.

    What is needed is asked again after the commit, and when a table may have taken one of them: see `_taken`. `at` is
    called before each deletion. Metadata files go first, then manifest lists and manifests: a version whose metadata is
    gone counts as given up.
    """
    wanted = tuple(found)
    if not wanted:
        return None, ()
    stage = catalog.begin(commit.step_key)
    try:
        number = stage.publish(commit).number
    finally:
        stage.discard()
    gone: list[Stray] = []
    places = _Places()
    while wanted:
        since = catalog.head()
        needed = _needed(catalog, keep, places)
        done, wanted = _unlink(catalog, [one for one in wanted if places.of(one.path) not in needed], since, at)
        gone += done
    _clear(catalog, gone)
    return number, tuple(gone)


def _unlink(
    catalog: Catalog, found: Sequence[Stray], since: int, at: Callable[[Stray], None] | None
) -> tuple[Sequence[Stray], tuple[Stray, ...]]:
    """Delete strays until a commit after `since` may have taken one: what was deleted, and what is left."""
    gone: list[Stray] = []
    for first in range(0, len(found), _AT_ONCE):
        with catalog.store.write() as connection:  # so that none is taken before the last of them is gone
            if _taken(connection, since):
                return gone, tuple(found[first:])
            some = []
            for stray in found[first : first + _AT_ONCE]:
                if at is not None:
                    at(stray)
                with suppress(FileNotFoundError):
                    Path(stray.path).unlink()
                    some.append(stray)
                catalog.cache.forget(stray.path)
            checksums.forget(connection, [stray.path for stray in some])
            gone += some
    return gone, ()


def _taken(connection: Connection, since: int) -> bool:
    """Whether a table went back after a commit, or a name was given to one: it may be made of files of the past."""
    back = select(restores.c.commit).where(restores.c.commit > since)
    named = select(commit_tables.c.commit).where(commit_tables.c.commit > since, commit_tables.c.previous.is_(None))
    return connection.scalar(union(back, named).limit(1)) is not None


def maintenance(step_key: str, principal: str, run: str | None, table: TableName | None = None) -> Commit:
    """The commit of a step of upkeep."""
    return Commit(step_key=step_key, kind=KIND, principal=principal, run=run, table=table)


def locations(catalog: Catalog) -> tuple[str, ...]:
    """The folder of every table that the catalog ever knew, or that was begun and not published."""
    with catalog.store.read() as connection:
        published = connection.scalars(select(commit_tables.c.location).distinct())
        return tuple(sorted({*map(local, published), *reserving.unpublished(connection)}))


class _Places:
    """Where files really lie: a client may name a folder by a link that leads there, and walks give its plain name."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str) -> str:
        folder, _, name = os.path.normpath(path).rpartition("/")
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return f"{self._folders[folder]}/{name}"


def _needed(catalog: Catalog, keep: Keep, places: _Places) -> frozenset[str]:
    stages = [grant.stage for grant in catalog.tokens.grants()]
    tables = (draft.now for stage in stages for draft in stage.drafts())
    views = (view.now for stage in stages for view in stage.views.drafts())
    staged = {path for now in tables if now is not None for path in _files(now)}
    staged |= {view.path for view in views if view is not None and view.path is not None}
    return frozenset(places.of(path) for path in (*reachable_files(catalog, None, keep), *staged))


def _files(metadata: TableMetadata) -> Iterator[str]:
    for manifest in manifests.of_snapshot(metadata.current_snapshot):
        yield local(manifest.path)
        yield from (local(entry.path) for entry in manifests.files(manifest))
    if metadata.current_snapshot is not None:
        yield local(metadata.current_snapshot["manifest-list"])


def _older(location: str, before: float) -> Iterator[Stray]:
    """The files below a folder that were neither written nor linked since a moment, in seconds since 1970."""
    for folder, _folders, names in os.walk(location):
        for name in names:
            path = os.path.normpath(f"{folder}/{name}")
            with suppress(FileNotFoundError):
                told = Path(path).lstat()
                # A file that was copied keeps the time of its content, but not that of its inode.
                if max(told.st_mtime, told.st_ctime) < before:
                    yield Stray(path, told.st_size)


def _rank(path: str) -> int:
    name = path.rpartition("/")[2]
    if name.endswith(".metadata.json"):
        return 0
    if name.endswith(".avro"):
        return 1 if name.startswith("snap-") else 2
    return 3


def _clear(catalog: Catalog, gone: Iterable[Stray]) -> None:
    """Remove the folders of tables that are no more, once they are empty.

    Of tables that never were, only those that a file went from: another may have been made just now.
    """
    with catalog.store.read() as connection:
        live = {local(location) for location in connection.scalars(select(pointers.c.location).distinct())}
        unsure = reserving.unpublished(connection)
    left = {location for location in unsure if not any(one.path.startswith(f"{location}/") for one in gone)}
    for location in locations(catalog):
        if location not in live | left:
            for folder, _folders, _names in os.walk(location, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()
    with catalog.store.write() as connection:
        reserving.forget(connection)
