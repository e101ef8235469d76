"""Tags: names that people give to commits. What a tag names stays readable for as long as the tag is there."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from millpond.catalog.recording import from_micros, micros
from millpond.catalog.relations import tags
from millpond.core.errors import CatalogError
from millpond.core.names import closest
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}\Z")


@frozen
class Tag:
    """A commit's name: who gave it, and when."""

    name: str
    number: int
    at: datetime
    principal: str


class Tags:
    """The tags of a catalog; commit numbers, and so tags, are those of all its environments."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def all(self) -> tuple[Tag, ...]:
        """Every tag, by number and name."""
        with self._catalog.store.read() as connection:
            rows = connection.execute(select(tags).order_by(tags.c.number, tags.c.name)).all()
        return tuple(Tag(row.name, row.number, from_micros(row.at), row.principal) for row in rows)

    def find(self, name: str) -> Tag | None:
        """The tag of a name, None when there is none."""
        return next((tag for tag in self.all() if tag.name == name), None)

    def add(self, name: str, number: int, principal: str) -> Tag:
        """Name a commit. Raises CatalogError MP-3071 for a name that a tag cannot have, MP-3072 when it is taken.

        Naming the same commit again by the same name changes nothing. `number` must be that of a commit: raises
        CatalogError MP-3077 for 0, the empty lake.
        """
        if not _NAME.match(name):
            raise CatalogError(
                "MP-3071",
                f"{name!r} is no name for a tag",
                next_step="begin with a letter, then letters, digits, `_`, `-` and `.`, at most 100",
            )
        if number == 0:
            raise CatalogError(
                "MP-3077",
                f"there is no commit for the tag {name}: then the lake was empty",
                next_step="`millpond history` lists the commits; `millpond run` makes the first",
            )
        made = Tag(name, number, self._catalog.clock.now(), principal)
        with self._catalog.store.write() as connection:
            known: int | None = connection.scalar(select(tags.c.number).where(tags.c.name == name))
            if known is not None and known != number:
                raise CatalogError(
                    "MP-3072",
                    f"the tag {name} names commit {known}",
                    next_step=f"choose another name, or delete it first: millpond tag --delete {name}",
                )
            if known is None:
                row = {"name": name, "number": number, "at": micros(made.at), "principal": principal}
                connection.execute(insert(tags).values(row))
        return made

    def delete(self, name: str) -> None:
        """Take a name away; its commit may then be given up like any other. Raises CatalogError MP-3073 for none."""
        with self._catalog.store.write() as connection:
            if connection.execute(delete(tags).where(tags.c.name == name)).rowcount == 1:
                return
        raise no_such_tag(name, [tag.name for tag in self.all()])


def no_such_tag(name: str, known: list[str]) -> CatalogError:
    """The error for a name that no tag has."""
    return CatalogError(
        "MP-3073",
        f"there is no tag {name!r}",
        next_step="`millpond tag --list` shows the tags",
        suggestion=closest(name, known),
    )
