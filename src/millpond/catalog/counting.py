"""How many rows came and went by a commit of a client, as its snapshots' summaries say: it has no ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from millpond.catalog import files
from millpond.catalog.commits import CommitRecord
from millpond.catalog.metadata import TableMetadata
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog


@frozen
class Counts:
    """Rows in the files that a commit added, and rows that went: with their files, or by position."""

    added: int
    deleted: int


def counted(catalog: Catalog, commit: CommitRecord) -> Counts | None:
    """What a commit of a client did to the rows of its tables; None where it changed none, or its files are gone.

    A client that rewrites a file for one row counts all of its rows as gone and those that stay as added.
    """
    added = deleted = 0
    told = False
    for name in commit.tables:
        try:
            for summary in _summaries(catalog, name, commit):
                if summary.get("operation") != "replace":
                    told = True
                    added += _number(summary, "added-records")
                    deleted += _number(summary, "deleted-records") + _number(summary, "added-position-deletes")
        except CatalogError:  # it is given up, or damaged: `doctor` tells of that
            return None
    return Counts(added, deleted) if told else None


def _summaries(catalog: Catalog, name: TableName, commit: CommitRecord) -> Iterator[Mapping[str, Any]]:
    """Those of the snapshots that a commit put between what a table was, under another name perhaps, and became."""
    now = _version(catalog, name, commit.number)
    if now is None:
        return
    known: set[int] = set()
    for earlier in (name, *commit.tables):
        before = _version(catalog, earlier, commit.number - 1)
        if before is not None and before.uuid == now.uuid:
            known.update(row["snapshot-id"] for row in before.snapshots)
            break
    row = now.current_snapshot
    while row is not None and row["snapshot-id"] not in known:
        yield row.get("summary") or {}
        row = now.snapshot(row.get("parent-snapshot-id"))


def _version(catalog: Catalog, name: TableName, number: int) -> TableMetadata | None:
    entry = catalog.find(name, number)
    return None if entry is None else files.read(entry.metadata_location)


def _number(summary: Mapping[str, Any], word: str) -> int:
    text = str(summary.get(word) or "")
    return int(text) if text.isdecimal() else 0
