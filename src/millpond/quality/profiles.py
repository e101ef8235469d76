"""Profiles that were computed, kept by table and commit in a file of their own.

They are derived: whoever removes the file loses nothing that cannot be computed again from commits that are kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from millpond.core.encoding import encoded
from millpond.core.errors import QualityError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.quality.profile import Profile

_SCHEMA = """
CREATE TABLE IF NOT EXISTS profiles (
  environment TEXT NOT NULL, layer TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, principal TEXT NOT NULL,
  uuid TEXT NOT NULL, at TEXT NOT NULL, content TEXT NOT NULL,
  PRIMARY KEY (environment, layer, name, number, principal))
"""


@frozen
class Place:
    """Which profile is meant: of which version of a table, as which principal sees it."""

    environment: str
    table: TableName
    uuid: str
    commit: int
    principal: str


class Profiles:
    """The file `profiles.db`. Every method raises QualityError MP-6401 when it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, place: Place) -> Profile | None:
        """The profile that was kept, if any."""
        query = (
            "SELECT content FROM profiles WHERE environment = ? AND layer = ? AND name = ? AND number = ? "
            "AND principal = ? AND uuid = ?"
        )
        with self._open() as db:
            row = db.execute(query, (*_key(place), place.uuid)).fetchone()
            return None if row is None else Profile.of(row[0])

    def keep(self, place: Place, profile: Profile, at: datetime) -> None:
        """Keep a profile, in place of an earlier one of the same version."""
        row = (*_key(place), place.uuid, at.isoformat(), encoded(profile.as_json()))
        with self._open() as db:
            db.execute(f"INSERT OR REPLACE INTO profiles VALUES ({', '.join('?' * len(row))})", row)

    def earlier(self, place: Place) -> tuple[Profile, ...]:
        """The profiles of the same table that were kept of earlier commits, oldest first."""
        query = (
            "SELECT content FROM profiles WHERE environment = ? AND layer = ? AND name = ? AND number < ? "
            "AND principal = ? AND uuid = ? ORDER BY number"
        )
        with self._open() as db:
            return tuple(Profile.of(row[0]) for row in db.execute(query, (*_key(place), place.uuid)).fetchall())

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=30)) as db, db:
                db.execute(_SCHEMA)
                yield db
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as failed:
            raise QualityError(
                "MP-6401",
                f"the kept profiles in {self._path} cannot be read or written: {failed}",
                next_step=f"give write permission, or remove {self._path.name}: profiles are computed anew",
            ) from failed


def _key(place: Place) -> tuple[str, str, str, int, str]:
    return (place.environment, place.table.layer, place.table.name, place.commit, place.principal)
