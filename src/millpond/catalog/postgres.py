"""The pointer store in a Postgres database, which several gateways on several machines may share.

A writer holds an advisory lock until its transaction ends. So commits become visible in the order of their numbers
without gaps, and who takes the lock after a lost connection knows that the lost transaction has ended: it looks, and
what it does not find will never come. https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from millpond.core.errors import CatalogError, MillpondError

WAIT_S = 30.0
"""How long a writer waits for another one, and how long a lost commit's fate is looked for."""

_IDLE_S = 15.0
"""How long the server keeps a transaction whose client says nothing: its lock is free again before others give up."""

_PORT = 5432
_KEEPALIVE: Mapping[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "millpond",
}
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('millpond'), hashtext(coalesce(current_schema(), '')))"
_LOCK_WAITED = "55P03"
_UNASKED = "no password supplied"
"""What the driver says when the server asks for a password and there is none."""
_ENDED = ("08", "25P03", "57P")
"""SQLSTATEs of a session that is over: connection exceptions, an idle transaction, a server that shuts down."""


class Postgres:
    """A database and the engine for it. Raises CatalogError MP-3080, MP-3081 or MP-3083."""

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.place = _place(parsed)
        self.reading: Mapping[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._secrets = tuple(word for word in _secrets(parsed) if word)
        self._turn = threading.Lock()
        self.engine = _engine(parsed)
        self.absent = self._absent()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let one writer of this process at a time ask for the lock, so that the others hold no connection."""
        if not self._turn.acquire(timeout=WAIT_S):
            raise self._busy()
        try:
            yield
        finally:
            self._turn.release()

    def settled(self) -> Iterator[Connection]:
        """Connect again, for as long as `WAIT_S`, and take the writers' lock: what began before has then ended."""
        last = time.monotonic() + WAIT_S
        pause = 0.05
        while True:
            try:
                connection = self.engine.connect().execution_options(immediate=True)
                break
            except DBAPIError:
                if time.monotonic() + pause > last:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 1.0)
        with connection, connection.begin():
            yield connection

    def unread(self, failed: DBAPIError) -> MillpondError:
        """CatalogError MP-3080 without an answer, MP-3081 where the server refuses, MP-3082 for a lost connection,
        MP-3083 for options that the driver does not know, MP-3053 for what is no pointer store.
        """
        if isinstance(failed.orig, psycopg.ProgrammingError) and failed.statement is None:
            return _unreadable(self._reason(failed))
        if not _ended(failed):
            return CatalogError(
                "MP-3053",
                f"the catalog {self.place} is damaged or no pointer store: {self._reason(failed)}",
                next_step="check database and schema in catalog.url; the tables' own files are untouched",
            )
        return self._lost(failed) if _connected(failed) else self._unreached(failed)

    def unwritten(self, failed: DBAPIError) -> MillpondError:
        """MP-3054 where another writer did not end, MP-3080 to MP-3082 without a connection, else MP-3018."""
        if getattr(failed.orig, "sqlstate", None) == _LOCK_WAITED:
            return self._busy()
        if _ended(failed):
            return self._lost(failed) if _connected(failed) else self._unreached(failed)
        return CatalogError(
            "MP-3018",
            f"the catalog {self.place} did not take the change: {self._reason(failed)}",
            next_step="correct what the server names, then run again: nothing was committed",
        )

    def _unreached(self, failed: DBAPIError) -> CatalogError:
        reason = self._reason(failed)
        if "FATAL" in reason or _UNASKED in reason:
            return CatalogError(
                "MP-3081",
                f"the Postgres server of the catalog {self.place} refuses: {reason}",
                next_step="check user, password and database that catalog.url in millpond.yaml refers to",
            )
        return CatalogError(
            "MP-3080",
            f"the catalog {self.place} does not answer: {reason}",
            next_step="check that the Postgres server runs and can be reached from here",
        )

    def _lost(self, failed: DBAPIError) -> CatalogError:
        return CatalogError(
            "MP-3082",
            f"the connection to the catalog {self.place} was lost: {self._reason(failed)}",
            next_step="run again when the Postgres server answers",
        )

    def _absent(self) -> bool:
        try:
            with self.engine.connect() as connection:
                return not connection.dialect.has_table(connection, "alembic_version")
        except DBAPIError as failed:
            raise self.unread(failed) from failed

    def _busy(self) -> CatalogError:
        return CatalogError(
            "MP-3054",
            f"another process has been writing to the catalog {self.place} for more than {WAIT_S:.0f} s",
            next_step="try again; if it stays so, look for a stuck session in pg_stat_activity",
        )

    def _reason(self, failed: DBAPIError) -> str:
        """What the driver says, in one line and without the password, whatever it says."""
        reason = " ".join(str(failed.orig).split())
        for word in self._secrets:
            reason = reason.replace(word, "***")
        return reason


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        parsed.render_as_string()
    except (ArgumentError, ValueError):
        # Neither reason nor cause is passed on: both may hold the password.
        raise _unreadable("a part of it is missing or not encoded") from None
    if parsed.password is not None and "@" in f"{parsed.host}{parsed.database}":
        # What follows the first @ would be shown as host and database, and be asked of the network.
        raise _unreadable("the letter @ stands in its password, user or database and is not encoded")
    return parsed


def _unreadable(reason: str) -> CatalogError:
    return CatalogError(
        "MP-3083",
        f"catalog.url in millpond.yaml is no URL of a Postgres database: {reason}",
        next_step="write postgresql://USER:${PASSWORD}@HOST:5432/DATABASE, with : / @ in a password as %3A %2F %40",
    )


def _place(url: URL) -> str:
    host = url.host or url.query.get("host") or "localhost"
    return f"postgresql://{host}:{url.port or _PORT}/{url.database or ''}"


def _secrets(url: URL) -> Iterator[str]:
    yield str(url.password or "")
    for name in ("password", "sslpassword"):
        yield str(url.query.get(name, ""))


def _engine(url: URL) -> Engine:
    given = {name: value for name, value in _KEEPALIVE.items() if name not in url.query}
    engine = create_engine(
        url,
        connect_args=given,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
    )
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Take the writers' lock of this schema; it is held until the transaction ends, on the server's side too."""
    if connection.get_execution_options().get("immediate", False):
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = {WAIT_S * 1000:.0f};"
            f"SET LOCAL idle_in_transaction_session_timeout = {_IDLE_S * 1000:.0f}"
        )
        connection.exec_driver_sql(_LOCK)


def _ended(failed: DBAPIError) -> bool:
    """Whether there is no session, or none any more."""
    state = getattr(failed.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_ENDED)
    return failed.connection_invalidated or isinstance(failed.orig, psycopg.OperationalError)


def _connected(failed: DBAPIError) -> bool:
    """Whether there was a session before: then something may have been sent."""
    return failed.connection_invalidated or failed.statement is not None
