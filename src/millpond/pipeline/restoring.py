"""Going back while no run goes on: a run that began before would publish what it found out before."""

from __future__ import annotations

from millpond.catalog.catalog import Catalog
from millpond.catalog.restoring import restore
from millpond.core.names import TableName
from millpond.pipeline.lock import project_lock
from millpond.project.model import Project


def restore_held(project: Project, catalog: Catalog, number: int, table: TableName | None, principal: str) -> int:
    """Restore under the project's lock; the number of the new commit.

    Raises RunError MP-7020 when a run holds the project, and CatalogError as `restore` does.
    """
    since = f"{catalog.clock.now():%Y-%m-%d %H:%M:%S} UTC"
    with project_lock(project.state, run="restore", since=since, wait=False, tell=_silent):
        return restore(catalog, number, table, principal).number


def _silent(_sentence: str) -> None:
    """Say nothing: who does not wait is told by the error."""
