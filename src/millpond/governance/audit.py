"""The record of every read: who, what, at which commit, under which policy, how much. Never a cell of data."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from millpond.core.clock import naive_utc
from millpond.core.errors import AccessError
from millpond.core.names import TableName
from millpond.core.records import frozen

Outcome = Literal["started", "done", "stopped", "failed", "refused"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reads (
    id TEXT PRIMARY KEY, at TEXT NOT NULL, principal TEXT NOT NULL, door TEXT NOT NULL,
    sql_hash TEXT NOT NULL, sql TEXT NOT NULL, tables TEXT NOT NULL, commit_number INTEGER, policy_hash TEXT NOT NULL,
    outcome TEXT NOT NULL, rows INTEGER, seconds REAL, error TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS reads_at ON reads (at);
"""
_COLUMNS = "id, at, principal, door, sql, tables, commit_number, policy_hash, outcome, rows, seconds, error"


@frozen
class AuditRecord:
    """One read.

    `at` is aware; `commit` None where the statement was refused before a commit was chosen; `outcome` is started
    until the reader is done (all rows handed over), stopped (the reader left early), failed or refused; `rows` and
    `seconds` are what was handed over in which time; `error` is the code of the error that ended it.
    """

    principal: str
    door: str
    sql: str
    at: datetime
    tables: tuple[TableName, ...] = ()
    commit: int | None = None
    policy_hash: str = ""
    outcome: Outcome = "started"
    rows: int | None = None
    seconds: float | None = None
    error: str | None = None
    id: str = ""

    @property
    def sql_hash(self) -> str:
        """SHA-256 of the statement's text, hex."""
        return hashlib.sha256(self.sql.encode("utf-8", "surrogatepass")).hexdigest()


class Audit:
    """The audit file, a SQLite database of its own so that a busy log never blocks a commit.

    Every method raises AccessError MP-8014 when the file cannot be written or read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def record(self, record: AuditRecord) -> str:
        """Write a read down, durably; the answer is its id."""
        identity = record.id or uuid.uuid4().hex
        values = (
            identity,
            naive_utc(record.at).isoformat(timespec="microseconds"),
            record.principal,
            record.door,
            record.sql_hash,
            record.sql.encode("utf-8", "backslashreplace").decode("utf-8"),
            " ".join(str(table) for table in record.tables),
            record.commit,
            record.policy_hash,
            record.outcome,
            record.rows,
            record.seconds,
            record.error,
        )
        with self._writing() as connection:
            connection.execute(f"INSERT INTO reads VALUES ({', '.join('?' * len(values))})", values)
        return identity

    def complete(self, identity: str, outcome: Outcome, rows: int, seconds: float, error: str | None = None) -> None:
        """Say how a read ended."""
        with self._writing() as connection:
            connection.execute(
                "UPDATE reads SET outcome = ?, rows = ?, seconds = ?, error = ? WHERE id = ?",
                (outcome, rows, seconds, error, identity),
            )

    def recent(self, limit: int = 100) -> tuple[AuditRecord, ...]:
        """The newest reads first."""
        with self._writing() as connection:
            found = connection.execute(
                f"SELECT {_COLUMNS} FROM reads ORDER BY at DESC, rowid DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(_record(row) for row in found)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._opened()
                with connection:
                    yield connection
            except (sqlite3.Error, OSError) as failure:
                raise AccessError(
                    "MP-8014",
                    f"the read cannot be written into the audit: {failure}",
                    next_step=f"make {self._path.name} writable, or free space beside it; nothing is read unrecorded",
                ) from failure

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                connection.executescript(_SCHEMA)
            except sqlite3.Error:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _record(row: tuple[object, ...]) -> AuditRecord:
    identity, at, principal, door, sql, tables, commit, policy, outcome, rows, seconds, error = row
    return AuditRecord(
        principal=str(principal),
        door=str(door),
        sql=str(sql),
        at=datetime.fromisoformat(str(at)).replace(tzinfo=UTC),
        tables=tuple(TableName.parse(name) for name in str(tables).split()),
        commit=commit if isinstance(commit, int) else None,
        policy_hash=str(policy),
        outcome=outcome,  # type: ignore[arg-type]  # written by record() and complete() alone
        rows=rows if isinstance(rows, int) else None,
        seconds=seconds if isinstance(seconds, float) else None,
        error=None if error is None else str(error),
        id=str(identity),
    )
