"""The run log: what ran, what came of each step, and what was said, kept apart from the catalog.

It is a file of its own, so that a busy log never holds up a commit.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from millpond.core.errors import RunError
from millpond.core.records import frozen
from millpond.pipeline.events import Event

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  id TEXT PRIMARY KEY, started TEXT NOT NULL, ended TEXT, status TEXT NOT NULL, environment TEXT NOT NULL,
  pid INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  run TEXT NOT NULL, position INTEGER NOT NULL, at TEXT NOT NULL, name TEXT NOT NULL, fields TEXT NOT NULL,
  PRIMARY KEY (run, position));
"""


@frozen
class Run:
    """One past or present run. `status` is running, ok, failed, interrupted or killed.

    `failed` are the tables whose step failed.
    """

    id: str
    started: str
    ended: str | None
    status: str
    environment: str
    steps: int
    failed: tuple[str, ...]


@frozen
class StepEnd:
    """How the newest step of a table ended."""

    run: str
    at: datetime
    failed: bool
    fields: Mapping[str, object]


class RunLog:
    """The file `runs.db`; opened when it is first used, and kept open until `close`.

    Every method raises RunError MP-7031 when the file cannot be read or written, MP-7032 when it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    def start(self, run: str, environment: str, at: datetime) -> None:
        """Note that a run began. It holds the project, so that a run that has not ended was killed."""
        with self._open() as db:
            db.execute("UPDATE runs SET status = 'killed' WHERE status = 'running'")
            db.execute(
                "INSERT INTO runs VALUES (?, ?, NULL, 'running', ?, ?)", (run, at.isoformat(), environment, os.getpid())
            )

    def note(self, run: str, event: Event) -> None:
        """Keep an event of a run."""
        with self._open() as db:
            db.execute(
                "INSERT INTO events SELECT ?, coalesce(max(position), 0) + 1, ?, ?, ? FROM events WHERE run = ?",
                (run, event.at.isoformat(), event.name, json.dumps(dict(event.fields), default=str), run),
            )

    def end(self, run: str, status: str, at: datetime) -> None:
        """Note how a run ended: ok, failed or interrupted."""
        with self._open() as db:
            db.execute("UPDATE runs SET status = ?, ended = ? WHERE id = ?", (status, at.isoformat(), run))

    def recent(self, limit: int = 20) -> tuple[Run, ...]:
        """The newest runs first, whatever their clock said. One that is `running` without a process was killed."""
        with self._open() as db:
            rows = db.execute("SELECT * FROM runs ORDER BY rowid DESC LIMIT ?", (limit,)).fetchall()
            return tuple(self._run(db, row) for row in rows)

    def events(self, run: str) -> tuple[tuple[str, str, dict[str, object]], ...]:
        """What happened in a run, as (time, name, fields). Raises RunError MP-7030 when there is no such run."""
        with self._open() as db:
            if db.execute("SELECT 1 FROM runs WHERE id = ?", (run,)).fetchone() is None:
                raise RunError("MP-7030", f"there is no run {run!r}", next_step="see `millpond runs` for the newest")
            rows = db.execute("SELECT at, name, fields FROM events WHERE run = ? ORDER BY position", (run,)).fetchall()
        return tuple((at, name, json.loads(fields)) for at, name, fields in rows)

    def newest_commit(self) -> int:
        """The highest commit that a step of any run told of, 0 for none."""
        query = "SELECT coalesce(max(json_extract(fields, '$.commit')), 0) FROM events WHERE name = 'step_finished'"
        with self._open() as db:
            return int(db.execute(query).fetchone()[0])

    def last_failed(self) -> tuple[str, ...]:
        """The tables whose step failed, or was not reached, in the newest run that ended badly; else none."""
        newest = self.recent(1)
        if not newest or newest[0].status == "ok":
            return ()
        planned: list[str] = []
        done: set[str] = set()
        for _, name, fields in self.events(newest[0].id):
            if name == "run_started":
                tables = fields.get("tables")
                planned = [str(table) for table in tables] if isinstance(tables, list) else []
            elif name == "step_finished":
                done.add(str(fields["table"]))
        return tuple(table for table in planned if table not in done)

    def last_steps(self, environment: str) -> dict[str, StepEnd]:
        """How the newest step of each table ended, by the table's name; one that was skipped did not begin."""
        query = (
            "SELECT run, at, name, fields FROM events WHERE rowid IN (SELECT max(e.rowid) FROM events e "
            "JOIN runs r ON r.id = e.run WHERE e.name IN ('step_finished', 'step_failed') AND r.environment = ? "
            "GROUP BY json_extract(e.fields, '$.table'))"
        )
        with self._open() as db:
            rows = db.execute(query, (environment,)).fetchall()
        ends = [(json.loads(fields), run, at, name) for run, at, name, fields in rows]
        return {
            str(fields["table"]): StepEnd(run, datetime.fromisoformat(at), name == "step_failed", fields)
            for fields, run, at, name in ends
        }

    def _run(self, db: sqlite3.Connection, row: tuple[str, str, str | None, str, str, int]) -> Run:
        identity, started, ended, status, environment, pid = row
        if status == "running" and not _alive(pid):
            status = "killed"
        names = db.execute("SELECT name, fields FROM events WHERE run = ?", (identity,)).fetchall()
        failed = tuple(str(json.loads(fields)["table"]) for name, fields in names if name == "step_failed")
        steps = sum(name in ("step_finished", "step_failed") for name, _ in names)
        return Run(identity, started, ended, status, environment, steps, failed)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._kept is not None:
                self._kept.close()
                self._kept = None

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._kept is None:
                    self._kept = _connect(self._path)
                with self._kept as db:
                    yield db
            except (sqlite3.OperationalError, OSError) as failed:
                raise RunError(
                    "MP-7031",
                    f"the run log {self._path} cannot be read or written: {failed}",
                    next_step="free space or give write permission on its folder; what was published stays",
                ) from failed
            except sqlite3.DatabaseError as damaged:
                raise RunError(
                    "MP-7032",
                    f"the run log {self._path} is damaged: {damaged}",
                    next_step=f"move {self._path.name} away and run again: only the list of past runs is lost",
                ) from damaged


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=30, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
