"""Commits of clients that were overtaken by rewrites alone: the rows are the same, so the commit is moved onto them.

Without this, each rewrite of small files beside a writer would cost the writer its commit. An operation `replace`
changes no row: Iceberg spec v2, "Snapshots".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from millpond.catalog import manifests, snapshots
from millpond.catalog.files import local
from millpond.catalog.manifests import ADDED, DATA, EQUALITY_DELETES, POSITION_DELETES, DataFile, Manifest, target
from millpond.catalog.metadata import TableMetadata

Json = Mapping[str, Any]

_PLAIN = frozenset({"add-snapshot", "set-snapshot-ref"})


def began(current: TableMetadata, requirements: Sequence[Json], updates: Sequence[Json]) -> TableMetadata | None:
    """The version that a commit was made on, where the table was only rewritten since; None in every other case.

    Only commits that add snapshots to `main` and change nothing else can be moved.
    """
    if not all(update.get("action") in _PLAIN and update.get("ref-name", "main") == "main" for update in updates):
        return None
    wanted = next((row.get("snapshot-id") for row in requirements if row.get("type") == "assert-ref-snapshot-id"), None)
    newest = current.current_snapshot
    if wanted is None or newest is None or newest["snapshot-id"] == wanted:
        return None
    passed: set[int] = set()
    row: Json | None = newest
    while row is not None and row["snapshot-id"] != wanted:
        if row.get("summary", {}).get("operation") != "replace":
            return None
        passed.add(row["snapshot-id"])
        row = current.snapshot(row.get("parent-snapshot-id"))
    if row is None:
        return None
    document = {
        **current.document,
        "current-snapshot-id": wanted,
        "last-sequence-number": row.get("sequence-number") or 0,
        "refs": {**current.document["refs"], "main": {**current.document["refs"]["main"], "snapshot-id": wanted}},
        "snapshots": [kept for kept in current.snapshots if kept["snapshot-id"] not in passed],
    }
    return TableMetadata(document, current.path)


def moved(current: TableMetadata, base: TableMetadata, asked: TableMetadata, now_ms: int) -> TableMetadata:
    """What a commit made of `base`, moved onto `current`, the same rows in other files.

    The new snapshot has the id of the commit's last one. Raises ConflictError MP-3010 when the commit took files away,
    deletes rows of a file that was rewritten, or by their values what an earlier one of its snapshots added.
    """
    added = [row for row in asked.snapshots if base.snapshot(row["snapshot-id"]) is None]
    known = {manifest.path for manifest in manifests.of_snapshot(base.current_snapshot)}
    listed = manifests.of_snapshot(asked.current_snapshot)
    if known - {manifest.path for manifest in listed}:
        raise snapshots.impossible("it rewrote or removed files")
    ours = tuple(manifest for manifest in listed if manifest.path not in known)
    there = manifests.of_snapshot(current.current_snapshot)
    _check(ours, there)
    by_value = any(entry.content == EQUALITY_DELETES for manifest in ours for entry in manifests.entries(manifest))
    if by_value and len(added) > 1:  # in one snapshot they would spare what came before them
        raise snapshots.impossible("it deleted rows by their values in one of several snapshots")
    return snapshots.onto(current, ours, added, now_ms)


def _check(ours: Sequence[Manifest], there: Sequence[Manifest]) -> None:
    """Pass when the manifests only add, and delete rows only of files that are there or that they add themselves."""
    came = [entry for manifest in ours for entry in manifests.entries(manifest)]
    if any(entry.status != ADDED for entry in came):
        raise snapshots.impossible("it rewrote or removed files")
    deletes = [entry for entry in came if entry.content == POSITION_DELETES]
    if not deletes:
        return
    data = {local(entry.path) for entry in (*came, *_live(there)) if entry.content == DATA}
    if not all(target(entry) in data for entry in deletes):
        raise snapshots.impossible("it deleted rows of a file that was rewritten")


def _live(listed: Sequence[Manifest]) -> list[DataFile]:
    return [entry for manifest in listed for entry in manifests.files(manifest)]
