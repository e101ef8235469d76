"""Statements of a `snapshot` step: the whole state of the input against the versions that hold."""

from __future__ import annotations

from datetime import datetime

from millpond.core.names import TableName, quote
from millpond.core.records import frozen
from millpond.sql.append import CONTESTED, DOUBLED
from millpond.sql.difference import DIFFERENCE, Difference
from millpond.sql.keys import names, same
from millpond.sql.lake import in_lake
from millpond.sql.scd2 import CURRENT, FROM, TO, VERSION_COLUMNS
from millpond.sql.staging import BAD, HASH, JUDGED, STAGED, good
from millpond.sql.values import value

STATE = "input_state"
CLOSING = "closing"


@frozen
class Snapshot:
    """What a snapshot step works on: `at` is the moment from which what is new holds."""

    table: TableName
    outputs: tuple[str, ...]
    key: tuple[str, ...]
    at: datetime

    @property
    def difference(self) -> Difference:
        """The input's state compared with the versions that hold."""
        return Difference(self.table, self.outputs, self.key, grouped=False, staged=f"FROM {STATE}", among=CURRENT)


def newest_time(table: TableName) -> str:
    """SELECT of the newest time that any version begins or ends at."""
    return f"SELECT greatest(max({FROM}), max({TO})) FROM {in_lake(table)}"


def create_state(outputs: tuple[str, ...], *, contested: bool) -> str:
    """Temp view of one row for each key: those that nobody contests, and the winners of those that were."""
    alone = f"SELECT {names(outputs)} FROM {STAGED} WHERE {good()}"
    if not contested:
        return f"CREATE TEMP VIEW {STATE} AS {alone}"
    winners = f"SELECT {names(outputs)} FROM {CONTESTED} WHERE _mp_rank = 1 AND _mp_copy = 1"
    alone += f" AND {HASH} NOT IN (SELECT {HASH} FROM {DOUBLED})"
    return f"CREATE TEMP VIEW {STATE} AS {alone} UNION ALL {winners}"


def spare_rejected(key: tuple[str, ...]) -> str:
    """Let keys whose row was rejected keep the version that they have: they are not gone from the input."""
    rejected = f"SELECT 1 FROM {JUDGED} AS j WHERE j.{BAD} AND {same('j', DIFFERENCE, key)}"
    return f"DELETE FROM {DIFFERENCE} WHERE _mp_change = 'gone' AND EXISTS ({rejected})"


def create_closing(snapshot: Snapshot) -> str:
    """Temp table of the versions that end now."""
    ended = f"SELECT * FROM {DIFFERENCE} WHERE _mp_change IN ('gone', 'other')"
    return (
        f"CREATE TEMP TABLE {CLOSING} AS SELECT {names(snapshot.outputs, 't')}, t.{FROM} "
        f"FROM {in_lake(snapshot.table)} AS t SEMI JOIN ({ended}) AS d "
        f"ON {same('t', 'd', snapshot.key)} AND t.{CURRENT}"
    )


def delete_closing(snapshot: Snapshot) -> str:
    """Take these out of the table as they were."""
    return (
        f"MERGE INTO {in_lake(snapshot.table)} AS t USING {CLOSING} AS d "
        f"ON {same('t', 'd', snapshot.key)} AND t.{CURRENT} WHEN MATCHED THEN DELETE"
    )


def insert_versions(snapshot: Snapshot, *, closing: bool) -> str:
    """Put the new versions into the table and, with `closing`, those that end."""
    columns, at = names(snapshot.outputs), value(snapshot.at)
    begun = f"SELECT * FROM {DIFFERENCE} WHERE _mp_change IN ('new', 'other')"
    rows = (
        f"SELECT {names(snapshot.outputs, 's')}, {at}, NULL, TRUE FROM {STATE} AS s SEMI JOIN ({begun}) AS d "
        f"ON {same('s', 'd', snapshot.key)}"
    )
    if closing:
        rows += f" UNION ALL SELECT {columns}, {FROM}, {at}, FALSE FROM {CLOSING}"
    every = ", ".join((columns, *map(quote, VERSION_COLUMNS)))
    return f"INSERT INTO {in_lake(snapshot.table)} ({every}) {rows}"
