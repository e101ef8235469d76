"""One digest for all that a commit wrote into the pointer store: a row that is another one later is told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from millpond.catalog import relations

WRITTEN_ONCE = (
    relations.commits,
    relations.commit_tables,
    relations.cursors,
    relations.source_files,
    relations.verdicts,
    relations.lineage,
    relations.model_states,
    relations.restores,
    relations.forks,
    relations.quarantine_openings,
    relations.quarantine_events,
    relations.circuits,
)
"""Where commits write, and nothing is changed afterwards."""


class Pen:
    """Writes the rows of one commit, in the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._rows: list[bytes] = []

    def write(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Put rows into one of the tables where commits write."""
        if rows:
            self._rows += [_of_row(table, row) for row in rows]
            self.connection.execute(insert(table), [dict(row) for row in rows])

    def sign(self, number: int) -> None:
        """Put down the digest of all that was written, after the last of it."""
        row = {"commit": number, "digest": _of_rows(self._rows)}
        self.connection.execute(insert(relations.commit_digests).values(row))


def unlike(connection: Connection) -> tuple[int, ...]:
    """The commits whose rows are not what was written, of those that have a digest or should have one."""
    signed = {row.commit: row.digest for row in connection.execute(select(relations.commit_digests))}
    found: dict[int, list[bytes]] = {number: [] for number in signed}
    for table in WRITTEN_ONCE:
        number = "number" if table is relations.commits else "commit"
        for row in connection.execute(select(table)).mappings():
            found.setdefault(row[number], []).append(_of_row(table, {**row}))
    first = min(signed, default=0)
    wrong = {number for number, digest in signed.items() if digest != _of_rows(found[number])}
    # Commits of before there were digests have none; each one since has.
    return tuple(sorted(wrong | {number for number in found if number > first and number not in signed and signed}))


def _of_row(table: Table, row: Mapping[str, Any]) -> bytes:
    words = {column.name: row.get(column.name) for column in table.c if column.name != "id"}
    # No column holds bytes: a text does where a bit of its length changed, and then is to be unlike.
    told = json.dumps([table.name, words], sort_keys=True, default=bytes.hex)
    return hashlib.blake2b(told.encode(), digest_size=16).digest()


def _of_rows(rows: Sequence[bytes]) -> str:
    return hashlib.blake2b(b"".join(sorted(rows)), digest_size=16).hexdigest()
