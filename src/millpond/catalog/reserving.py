"""Folders of new tables, written down before the first file: a step that is killed leaves nothing that nobody knows of.

Only what is written down here, or was published, is ever looked through for files that nothing needs: another catalog,
or a person, may keep files under the same root.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, delete, insert, select

from millpond.catalog.files import local
from millpond.catalog.relations import commit_tables, reserved
from millpond.catalog.store import Store
from millpond.catalog.warehouse import Warehouse


def prepare(store: Store, warehouse: Warehouse, location: str) -> None:
    """Make the folder of a new table, and write it down where it was not there. Raises CatalogError MP-3017."""
    place = local(location)
    if not Path(place).exists():
        with store.write() as connection:
            if connection.scalar(select(reserved.c.location).where(reserved.c.location == place)) is None:
                connection.execute(insert(reserved).values(location=place))
    warehouse.prepare(location)


def unpublished(connection: Connection) -> frozenset[str]:
    """Plain paths of the folders that were written down and that no commit has brought a table in."""
    published = {local(location) for location in connection.scalars(select(commit_tables.c.location).distinct())}
    return frozenset(connection.scalars(select(reserved.c.location))) - published


def forget(connection: Connection) -> None:
    """Drop what need not be known any more: published tables are known by their commits, and folders may be gone."""
    still = {location for location in unpublished(connection) if Path(location).exists()}
    for location in connection.scalars(select(reserved.c.location)).all():
        if location not in still:
            connection.execute(delete(reserved).where(reserved.c.location == location))
