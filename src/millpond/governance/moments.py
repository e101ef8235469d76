"""What people mean by a moment of the lake: a commit number, a time, or a tag."""

from __future__ import annotations

from datetime import UTC, datetime

from millpond.catalog.catalog import Catalog
from millpond.catalog.tags import Tags
from millpond.core.errors import AccessError
from millpond.core.names import closest

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
