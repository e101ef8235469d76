"""Bringing a pointer store to this version's schema. Loaded only where there is something to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.config import Config
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from millpond.core.errors import CatalogError

if TYPE_CHECKING:
    from millpond.catalog.store import Store

FOLDER = Path(__file__).parent


def upgrade(store: Store, target: str, folder: Path = FOLDER) -> None:
    """Run every migration between the store's revision and `target`, in one transaction.

    Raises CatalogError MP-3052 when the store is of a revision that this version does not know.
    """
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    with store.write() as connection:
        context = MigrationContext.configure(connection)
        present = context.get_current_revision()
        if present == target:
            return
        try:
            path = list(scripts.iterate_revisions(target, present or "base"))
        except (CommandError, RevisionError) as unknown:
            raise CatalogError(
                "MP-3052",
                f"the catalog {store.place} has schema version {present}, which this version of Millpond does not know",
                next_step="upgrade Millpond to the version that wrote the catalog, or newer",
            ) from unknown
        with Operations.context(context):
            for revision in reversed(path):
                revision.module.upgrade()
                context.stamp(scripts, revision.revision)
