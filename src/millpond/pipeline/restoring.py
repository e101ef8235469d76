"""Going back while no run goes on: a run that began before would publish what it found out before."""

from __future__ import annotations

from millpond.catalog.catalog import Catalog
from millpond.catalog.restoring import restore
from millpond.core.names import TableName
from millpond.governance.tables import table_name
from millpond.pipeline.lock import project_lock
from millpond.project.model import Project


def restore_held(project: Project, catalog: Catalog, number: int, table: TableName | str | None, principal: str) -> int:
    """Restore one table by its name, or all, under the project's lock; the number of the new commit.

    Raises RunError MP-7020 when a run holds the project, AccessError MP-8018 for what is no name of a table, and
    CatalogError as `restore` does.
    """
    name = table_name(table) if isinstance(table, str) else table
    since = f"{catalog.clock.now():%Y-%m-%d %H:%M:%S} UTC"
    with project_lock(project.state, run="restore", since=since, wait=False, tell=_silent):
        return restore(catalog, number, name, principal).number


def _silent(_sentence: str) -> None:
    """Say nothing: who does not wait is told by the error."""
