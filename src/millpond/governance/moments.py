"""What people mean by a moment of the lake: a commit number, a time, or a tag."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import TableEntry
from millpond.catalog.files import local
from millpond.catalog.tags import Tags
from millpond.core.errors import AccessError, CatalogError
from millpond.core.names import TableName, closest

Moment = int | datetime | str
"""A commit number, a time (UTC where no zone is said), or text: a number, a time in ISO 8601, or a tag."""


def commit_number(catalog: Catalog, at: Moment | None) -> int:
    """The commit that a moment means, the newest for None; a time means the newest commit not later than it.

    Raises AccessError MP-8010 for text that is none of these, MP-8016 for a number that no commit has.
    """
    newest = catalog.head()
    number = newest if at is None else _number(catalog, at)
    if not 0 <= number <= newest:
        raise AccessError(
            "MP-8016",
            f"there is no commit {number}; the newest is {newest}",
            next_step="choose a number from 0 to the newest, a time, or a tag",
        )
    return number


def is_kept(entry: TableEntry) -> bool:
    """Whether a version can still be read: what is given up loses its metadata file first."""
    return Path(local(entry.metadata_location)).exists()


def check_kept(catalog: Catalog, tables: Iterable[TableName], number: int) -> None:
    """Pass when the tables, as of an earlier commit, are still kept. Raises CatalogError MP-3076 otherwise.

    Of what tables point at now nothing is said: where that is gone, it is damage.
    """
    for table in tables:
        entry = catalog.find(table, number)
        if entry is not None and entry != catalog.find(table) and not is_kept(entry):
            raise CatalogError(
                "MP-3076",
                f"{table} as of commit {number} is no longer kept",
                next_step="choose a later commit (`millpond history` lists them); tag what must stay",
            )


def _number(catalog: Catalog, at: Moment) -> int:
    if isinstance(at, int):
        return at
    if isinstance(at, datetime):
        return catalog.number_at(at if at.tzinfo else at.replace(tzinfo=UTC))
    if at.isascii() and at.isdigit():
        return int(at)
    known = {tag.name: tag.number for tag in Tags(catalog).all()}
    if at in known:
        return known[at]
    try:
        return _number(catalog, datetime.fromisoformat(at))
    except ValueError:
        raise AccessError(
            "MP-8010",
            f"{at!r} is no commit number, no time and no tag",
            next_step="write a number, a time such as 2026-11-21T09:30:00, or a tag (`millpond tag --list`)",
            suggestion=closest(at, known),
        ) from None
