"""The pointer store: a database that says which metadata file each table is, and what every commit carried.

It is one SQLite file, or a Postgres database that several machines share. What differs between the two lies in
`sqlite.py` and `postgres.py`; this module and all above it are the same for both. Alembic is loaded only for a store
that is new or of another version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from millpond.catalog.sqlite import SQLite
from millpond.core import plugins
from millpond.core.errors import CatalogError, MillpondError

REVISION = "0011"
"""The schema version that this code reads and writes: the newest file under migrations/versions."""

LOST = "MP-3082"
"""The code of a connection that was lost inside a transaction."""

T = TypeVar("T")

_POSTGRES = ("postgresql", "postgres")


class Vendor(Protocol):
    """What differs from one database to the other."""

    place: str
    """The store as messages name it: never with a password."""
    engine: Engine
    reading: Mapping[str, Any]
    """Execution options of a connection that only reads, and sees one state."""
    absent: bool
    """Whether there was no store when it was opened."""

    def turn(self) -> AbstractContextManager[None]:
        """Wait for the turn among this process's writers. Raises CatalogError MP-3054."""
        ...

    def settled(self) -> Iterator[Connection]:
        """Yield a connection once no transaction that began before can still become visible."""
        ...

    def unread(self, failed: DBAPIError) -> MillpondError:
        """The error for a read that failed."""
        ...

    def unwritten(self, failed: DBAPIError) -> MillpondError:
        """The error for a write that failed."""
        ...


class Store:
    """Connections to the pointer store. Make it with `Store.open`."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._engine = vendor.engine

    @classmethod
    def open(cls, where: Path | str, begins: Callable[[], bool] = lambda: True) -> Store:
        """Open a file, or the database that a URL names, made and brought to this version's schema where it is not.

        `begins` is asked when the store is not there; CatalogError MP-3057 where it denies. A file raises HostError
        MP-9020 (network file system) and MP-9021 (cannot be opened); a database MP-3080 (no answer), MP-3081 (refused)
        and MP-3083 (a wrong URL), HostError MP-9001 without its driver. Both raise CatalogError MP-3052 for a store
        that a newer Millpond made, MP-3053 for one that is no pointer store or is damaged; MP-3056 is another kind.
        """
        store = cls(_vendor(where))
        try:
            store._begin(begins)
        except BaseException:
            store.close()
            raise
        return store

    @property
    def place(self) -> str:
        """The store as messages name it: a path, or a URL without user and password."""
        return self._vendor.place

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection whose statements all see one state of the store.

        Raises HostError MP-9021, or CatalogError MP-3053, MP-3080, MP-3081, MP-3082 when the store cannot be read.
        """
        try:
            with self._engine.connect().execution_options(**self._vendor.reading) as connection, connection.begin():
                yield connection
        except DBAPIError as failed:
            raise self._vendor.unread(failed) from failed

    def ask(self, question: Callable[[Connection], T]) -> T:
        """What a question of one read is answered; asked once more where the connection is lost on the way."""
        try:
            with self.read() as connection:
                return question(connection)
        except CatalogError as failed:
            if failed.code != LOST:
                raise
        with self.read() as connection:
            return question(connection)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The only writer's connection: everything done in the block is committed at its end, or nothing.

        Writers take turns over all processes, so that what one commits is visible to the next. Waits up to 30 seconds
        for another writer; then raises CatalogError MP-3054. Raises MP-3018 when the store does not take the change,
        and MP-3082 when the connection was lost: whether it went in nevertheless must then be asked by `settled`.
        """
        with self._vendor.turn():
            try:
                with self._engine.connect().execution_options(immediate=True) as connection, connection.begin():
                    yield connection
            except DBAPIError as failed:
                raise self._vendor.unwritten(failed) from failed

    @contextmanager
    def settled(self) -> Iterator[Connection]:
        """A connection that sees what came of every write before, also of one whose answer was lost on the way.

        Raises like `read` when the store stays silent.
        """
        try:
            yield from self._vendor.settled()
        except DBAPIError as failed:
            raise self._vendor.unread(failed) from failed

    def ready(self) -> bool:
        """Whether the store answers."""
        try:
            return self._revision() == REVISION
        except MillpondError:
            return False

    def _begin(self, begins: Callable[[], bool]) -> None:
        if self._vendor.absent and not begins():
            raise CatalogError(
                "MP-3057",
                f"the catalog {self.place} is gone, but the warehouse holds tables that it knew",
                next_step="restore the catalog from a backup, or move the warehouse away too and begin anew",
            )
        if self._revision() != REVISION:
            plugins.lookup("millpond.catalog.migrations.upgrade:upgrade")(self, REVISION)

    def _revision(self) -> str | None:
        with self.read() as connection:
            if not connection.dialect.has_table(connection, "alembic_version"):
                return None
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision


def _vendor(where: Path | str) -> Vendor:
    scheme, separator, rest = str(where).partition("://")
    if separator and scheme.lower() in _POSTGRES:
        return cast("Vendor", plugins.lookup("millpond.catalog.postgres:Postgres", extra="postgres")(str(where)))
    if separator and scheme.lower() != "sqlite":
        raise CatalogError(
            "MP-3056",
            f"a catalog of the kind {scheme!r} is none that this version can open",
            next_step="set catalog.url in millpond.yaml to the path of a file, or to postgresql://HOST/DATABASE",
        )
    path = Path(rest.removeprefix("/")) if separator else Path(where)
    return SQLite(path)
