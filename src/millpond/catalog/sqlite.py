"""The pointer store as one SQLite file.

SQLite in WAL mode with full sync: a transaction that was reported done survives a power cut, and several processes
may use the file at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from millpond.catalog import mounts
from millpond.catalog.files import make_folder, sync
from millpond.core.errors import CatalogError, HostError, MillpondError

WAIT_S = 30.0

_GARBLED = "its schema is no text"
_MOST = 20
"""How many damages of one kind are told."""

_UNLIKE = """
WITH meant AS (
  SELECT 'table' AS type, name, name AS tbl_name FROM pragma_table_list
  WHERE schema = 'main' AND name <> 'sqlite_schema'
  UNION ALL
  SELECT 'index', i.name, t.name FROM pragma_table_list AS t, pragma_index_list(t.name) AS i WHERE t.schema = 'main'
), written AS (SELECT type, name, tbl_name FROM sqlite_master)
SELECT name FROM (SELECT * FROM written EXCEPT SELECT * FROM meant)
UNION SELECT name FROM (SELECT * FROM meant EXCEPT SELECT * FROM written)
"""
"""What is called otherwise in the file's list of tables than in the statement there that makes it."""


class SQLite:
    """A file and the engine for it; the folder is made where it is not.

    Raises HostError MP-9020 on a network file system and MP-9021 where the folder cannot be made.
    """

    def __init__(self, path: Path) -> None:
        kind = mounts.file_system(path.parent)
        if kind is not None and mounts.is_network(kind):
            raise HostError(
                "MP-9020",
                f"the catalog {path} would lie on a network file system ({kind}), where SQLite cannot keep it safe",
                next_step="set catalog.url in millpond.yaml to a file on a local disk, or to a Postgres database",
            )
        self.place = str(path)
        self.reading: Mapping[str, Any] = {}
        self.absent = not path.exists() or (path.is_file() and path.stat().st_size == 0)
        try:
            make_folder(path.parent)
            if not path.exists():
                sync(path.parent.parent)  # the folder may be new, and made by another part of the program
        except OSError as refused:
            raise self._unopened(str(refused)) from refused
        self.engine = _engine(path)

    def turn(self) -> AbstractContextManager[None]:
        """No wait: SQLite itself makes writers of all processes take turns."""
        return nullcontext()

    def settled(self) -> Iterator[Connection]:
        """Any read: nothing lies between the process and the file."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    def unread(self, failed: DBAPIError) -> MillpondError:
        """HostError MP-9021 where the machine refused, CatalogError MP-3053 where the file is bad."""
        if isinstance(failed.orig, sqlite3.OperationalError) and not _damage(failed.orig):
            return self._unopened(str(failed.orig))
        return CatalogError(
            "MP-3053",
            f"the catalog {self.place} is damaged or no pointer store: {failed.orig}",
            next_step="restore the file from a backup; the tables' own files are untouched",
        )

    def unwritten(self, failed: DBAPIError) -> MillpondError:
        """CatalogError MP-3054 where another writer did not end, else MP-3018."""
        if "locked" in str(failed.orig):
            return CatalogError(
                "MP-3054",
                f"another process has been writing to the catalog {self.place} for more than {WAIT_S:.0f} s",
                next_step="try again; if it stays so, look for a stuck process that has the file open",
            )
        return CatalogError(
            "MP-3018",
            f"the catalog {self.place} did not take the change: {failed.orig}",
            next_step="free space or give write permission on the folder, then run again: nothing was committed",
        )

    def _unopened(self, reason: str) -> HostError:
        return HostError(
            "MP-9021",
            f"the catalog {self.place} cannot be opened: {reason}",
            next_step="check that the folder exists, can be written, and has room",
        )


def damages(connection: Connection, relations: MetaData) -> Iterator[str]:
    """What is wrong with the file's pages, its rows' references, and what it says of its tables and columns."""
    checks = connection.exec_driver_sql(f"PRAGMA integrity_check({_MOST})").scalars().all()
    yield from (f"the catalog's file is damaged: {check}" for check in checks if check != "ok")
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    yield from (f"a row of {row[0]} in the catalog belongs to no commit" for row in broken[:_MOST])
    unlike = connection.exec_driver_sql(_UNLIKE).scalars().all()
    yield from (f"the catalog's list of its tables is damaged at {name}" for name in unlike[:_MOST])
    columns = text("SELECT name, type, [notnull] FROM pragma_table_info(:name)")
    for table in relations.sorted_tables:
        meant = [(one.name, one.type.compile(connection.dialect), not one.nullable) for one in table.columns]
        found = [(row[0], row[1], bool(row[2])) for row in connection.execute(columns, {"name": table.name})]
        if found != meant:
            yield f"the catalog's statement that makes {table.name} is damaged"


def _engine(path: Path) -> Engine:
    engine = create_engine(
        # As a part of its own: within a URL, a path's ?, # and % would mean something else.
        URL.create("sqlite+pysqlite", database=str(path)),
        connect_args={"check_same_thread": False, "timeout": WAIT_S},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _Same(path).check)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _undecoded)
    return engine


class _Same:
    """Whether the path leads to the file that was opened: SQLite would go on with one that nobody finds any more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None

    def check(self, _connection: Connection) -> None:
        """Before each transaction. Raises CatalogError MP-3059 where the file was removed or another took its place."""
        there = None
        with suppress(FileNotFoundError):
            told = self._path.stat()
            there = (told.st_dev, told.st_ino)
        self._opened = self._opened or there
        if there is None or there != self._opened:
            raise CatalogError(
                "MP-3059",
                f"the catalog {self._path} was removed, or another file was put in its place, after it was opened",
                next_step="end this process and start it again: nothing was committed since",
            )


def _prepare(connection: Any, _entry: ConnectionPoolEntry) -> None:
    """Settings that SQLite keeps for each connection; BEGIN is ours and not the driver's."""
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
    except UnicodeDecodeError as garbled:
        raise sqlite3.DatabaseError(_GARBLED) from garbled
    finally:
        cursor.close()


def _damage(failed: sqlite3.OperationalError) -> bool:
    """Whether the content is to blame: unreadable text has no code, a schema that lost a name the most general one."""
    return getattr(failed, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR


def _undecoded(context: ExceptionContext) -> DatabaseError | None:
    """SQLite's message quotes what is wrong, which the driver cannot read where a changed bit made it no UTF-8."""
    if isinstance(context.original_exception, UnicodeDecodeError):
        return DatabaseError(context.statement, None, sqlite3.DatabaseError(_GARBLED))
    return None


def _begin(connection: Connection) -> None:
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
