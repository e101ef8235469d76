"""The pointer store: one SQLite file that says which metadata file each table is, and what every commit carried.

SQLite in WAL mode with full sync: a transaction that was reported done survives a power cut, and several processes
may use the file at once. Alembic is loaded only for a file that is new or of another version.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import ConnectionPoolEntry

from millpond.catalog import mounts
from millpond.catalog.files import make_folder, sync
from millpond.core import plugins
from millpond.core.errors import CatalogError, HostError, MillpondError

REVISION = "0003"
"""The schema version that this code reads and writes: the newest file under migrations/versions."""

_WAIT_S = 30.0


class Store:
    """Connections to the pointer store. Make it with `Store.open`."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self.path = path
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open the file, made and brought to this version's schema where it is not.

        Raises HostError MP-9020 on a network file system and MP-9021 where the file cannot be opened, CatalogError
        MP-3052 for a file that a newer Millpond made and MP-3053 for one that is no pointer store or is damaged.
        """
        kind = mounts.file_system(path.parent)
        if kind is not None and mounts.is_network(kind):
            raise HostError(
                "MP-9020",
                f"the catalog {path} would lie on a network file system ({kind}), where SQLite cannot keep it safe",
                next_step="set catalog.url in millpond.yaml to a file on a local disk",
            )
        try:
            make_folder(path.parent)
            if not path.exists():
                sync(path.parent.parent)  # the folder may be new, and made by another part of the program
        except OSError as refused:
            raise _unopened(path, str(refused)) from refused
        store = cls(path, _engine(path))
        if store._revision() != REVISION:
            plugins.lookup("millpond.catalog.migrations.upgrade:upgrade")(store, REVISION)
        return store

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose statements all see one state of the store.

        Raises HostError MP-9021 or CatalogError MP-3053 when the file cannot be read.
        """
        with _answers(self.path), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The only writer's connection: everything done in the block is committed at its end, or nothing.

        Waits up to 30 seconds for another writer; then raises CatalogError MP-3054. Raises CatalogError MP-3018 when
        the disk does not take the change; whether it went in nevertheless must then be asked.
        """
        try:
            with self._engine.connect().execution_options(immediate=True) as connection, connection.begin():
                yield connection
        except DatabaseError as failed:
            if "locked" in str(failed.orig):
                raise CatalogError(
                    "MP-3054",
                    f"another process has been writing to the catalog {self.path} for more than {_WAIT_S:.0f} s",
                    next_step="try again; if it stays so, look for a stuck process that has the file open",
                ) from failed
            raise CatalogError(
                "MP-3018",
                f"the catalog {self.path} did not take the change: {failed.orig}",
                next_step="free space or give write permission on the folder, then run again: nothing was committed",
            ) from failed

    def ready(self) -> bool:
        """Whether the store answers."""
        try:
            return self._revision() == REVISION
        except MillpondError:
            return False

    def _revision(self) -> str | None:
        with self.read() as connection:
            if connection.scalar(text("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")) is None:
                return None
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision


def _engine(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///{path}",
        connect_args={"check_same_thread": False, "timeout": _WAIT_S},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
    """Settings that SQLite keeps for each connection; BEGIN is ours and not the driver's."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def _answers(path: Path) -> Iterator[None]:
    """Turn what SQLite says of a bad file into an error with a next step."""
    try:
        yield
    except DatabaseError as failed:
        if isinstance(failed.orig, sqlite3.OperationalError):
            raise _unopened(path, str(failed.orig)) from failed
        raise CatalogError(
            "MP-3053",
            f"the catalog {path} is damaged or no pointer store: {failed.orig}",
            next_step="restore the file from a backup; the tables' own files are untouched",
        ) from failed


def _unopened(path: Path, reason: str) -> HostError:
    return HostError(
        "MP-9021",
        f"the catalog {path} cannot be opened: {reason}",
        next_step="check that the folder exists, can be written, and has room",
    )
