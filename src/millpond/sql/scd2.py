"""Statements of an `scd2` step: each change of a key, at its own time, as a version that holds until the next one.

Of the events of one key at one time one counts: one that deletes the key, else that of the least values. An event
begins a version unless it changes nothing. What begins none (deletes, and events that repeat what held already) is
remembered in a side table by its time, for a row that comes late may come to stand right before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from millpond.core.names import TableName, quote
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.sql.keys import names, same
from millpond.sql.lake import in_lake
from millpond.sql.redo import REDO
from millpond.sql.staging import GONE, HASH, JUDGED, STAGED, good, staged_twice

FROM, TO, CURRENT = "valid_from", "valid_to", "is_current"
VERSION_COLUMNS = (FROM, TO, CURRENT)
"""What a version has besides the query's columns: from when and until when it holds, and whether it still does."""

TOUCHED = "touched"
VERSIONS = "versions"
REMEMBERED = "remembered"
DOUBLED = "doubled"
EVENTS = "events"
HISTORY = "history"

Redo = Literal["none", "some", "every"]


@frozen
class Scd2:
    """What an scd2 step works on. The hashes of the staged rows are those of key and time.

    `outputs` are the columns that the table takes from the query, `time` the event time, and `state` the side table.
    `filled` says that the table may hold rows, `marked` that staged rows can delete. `redo` says whether no key, the
    keys in the relation `redo`, or every key is made of the staged rows alone. `history` is a condition over the
    table's rows that no touched key can lie outside of, or empty.
    """

    table: TableName
    outputs: tuple[str, ...]
    key: tuple[str, ...]
    time: str
    state: TableName
    filled: bool
    marked: bool
    redo: Redo = "none"
    history: str = ""

    @property
    def payload(self) -> tuple[str, ...]:
        """The columns whose change is a version."""
        return tuple(name for name in self.outputs if name not in self.key)

    @property
    def inner(self) -> tuple[str, ...]:
        """What key columns are called in the relations of the step."""
        return key_columns(self.key)


def key_columns(key: Sequence[str]) -> tuple[str, ...]:
    """The names that key columns have in the side table, so that no author's name meets another's."""
    return tuple(f"key_{number}" for number in range(1, len(key) + 1))


def state_schema(key: Sequence[Column], time: Column) -> Schema:
    """The columns of the side table."""
    pairs = zip(key_columns([column.name for column in key]), key, strict=True)
    columns = [Column(name, column.type) for name, column in pairs]
    return Schema((*columns, Column("at_time", time.type), Column("deleted", "BOOLEAN")))


def create_touched(scd2: Scd2) -> str:
    """Temp table of the keys that the step touches, and since when: NULL for keys made of the staged rows alone.

    What ended before the first staged event of its key stays as it is, and need not be looked at.
    """
    keys = ", ".join(scd2.inner)
    since = "NULL" if scd2.redo == "every" else quote(scd2.time)
    touched = f"SELECT {_renamed(scd2)}, {since} AS _mp_since, FALSE AS _mp_redo FROM {JUDGED} WHERE {good()}"
    if scd2.redo == "some":
        touched += f" UNION ALL SELECT {_renamed(scd2)}, NULL, TRUE FROM {REDO}"
    return (
        f"CREATE TEMP TABLE {TOUCHED} AS SELECT {keys}, CASE WHEN NOT bool_or(_mp_redo) THEN min(_mp_since) END "
        f"AS _mp_since FROM ({touched}) AS k GROUP BY {keys}"
    )


def create_versions(scd2: Scd2) -> str:
    """Temp table of the versions that the step may change: keys, `_mp_row` (the table's columns), from and until when.

    `_mp_redo` says that the version's key is made of the staged rows alone.
    """
    if not scd2.filled:
        nothing = f"SELECT {_renamed(scd2)}, {_row(scd2)} AS _mp_row, {quote(scd2.time)} AS _mp_from FROM {STAGED}"
        return (
            f"CREATE TEMP TABLE {VERSIONS} AS SELECT *, _mp_from AS _mp_to, FALSE AS _mp_redo "
            f"FROM ({nothing}) AS n WHERE FALSE"
        )
    where = f" WHERE {scd2.history}" if scd2.history else ""
    rows = f"SELECT {_renamed(scd2)}, {_row(scd2)} AS _mp_row, {FROM} AS _mp_from, {TO} AS _mp_to FROM "
    touched = _touched(scd2, f"{rows}{in_lake(scd2.table)}{where}", "(t._mp_to IS NULL OR t._mp_to >= k._mp_since)")
    return f"CREATE TEMP TABLE {VERSIONS} AS {touched}"


def create_remembered(scd2: Scd2) -> str:
    """Temp table of the remembered events that the step may come to see otherwise."""
    columns = ", ".join(scd2.inner)
    if not scd2.filled:
        nothing = f"SELECT {columns}, _mp_from AS at_time, FALSE AS deleted, FALSE AS _mp_redo FROM {VERSIONS}"
        return f"CREATE TEMP TABLE {REMEMBERED} AS {nothing}"
    rows = f"SELECT {columns}, at_time, deleted FROM {in_lake(scd2.state)}"
    return f"CREATE TEMP TABLE {REMEMBERED} AS {_touched(scd2, rows, 't.at_time >= k._mp_since')}"


def _touched(scd2: Scd2, rows: str, since: str) -> str:
    if scd2.redo == "every":
        return f"SELECT *, TRUE AS _mp_redo FROM ({rows}) AS t"
    joined = f"({rows}) AS t JOIN {TOUCHED} AS k ON {same('t', 'k', scd2.inner)}"
    return f"SELECT t.*, k._mp_since IS NULL AS _mp_redo FROM {joined} WHERE k._mp_since IS NULL OR {since}"


def create_doubled(scd2: Scd2) -> str:
    """Temp table of the hashes of key and time that stand for several events: staged twice, or staged and known."""
    if not scd2.filled or scd2.redo == "every":
        return f"CREATE TEMP TABLE {DOUBLED} AS {staged_twice()}"
    known = f"({_known(scd2)}) AS k"
    staged = f"(SELECT {_renamed(scd2)}, {quote(scd2.time)} AS _mp_at, {HASH} FROM {JUDGED} WHERE {good()}) AS s"
    met = f"SELECT s.{HASH} FROM {staged} SEMI JOIN {known} ON {same('s', 'k', scd2.inner)} AND s._mp_at = k._mp_at"
    return f"CREATE TEMP TABLE {DOUBLED} AS {staged_twice()} UNION {met}"


def create_events(scd2: Scd2, *, contested: bool) -> str:
    """Temp table of the events of touched keys, ranked for each key and time; rank 1 counts.

    `_mp_copy` numbers equal staged events, `_mp_known` says that an equal event was known before. `contested` says that
    the relation of doubled hashes is not empty.
    """
    gone = GONE if scd2.marked else "FALSE"
    staged = (
        f"SELECT {_renamed(scd2)}, {quote(scd2.time)} AS _mp_at, {_row(scd2)} AS _mp_row, {gone} AS {GONE}, "
        f"TRUE AS _mp_staged FROM {STAGED} WHERE {good()}"
    )
    doubled = f"(SELECT {HASH} FROM {DOUBLED})"
    alone = f"{staged} AND {HASH} NOT IN {doubled}" if contested else staged
    events = f"SELECT *, 1 AS _mp_rank, 1 AS _mp_copy, FALSE AS _mp_known FROM ({alone}) AS alone"
    among = f"{staged} AND {HASH} IN {doubled}"
    if scd2.filled and scd2.redo != "every":
        on = f"{same('k', 's', scd2.inner)} AND k._mp_at = s._mp_at"
        met = f"(SELECT * FROM ({among}) AS among) AS s ON {on}" if contested else ""
        unmet = f" ANTI JOIN {met}" if contested else ""
        events += f" UNION ALL SELECT *, FALSE, 1, 1, TRUE FROM ({_known(scd2)}) AS k{unmet}"
        among += f" UNION ALL SELECT *, FALSE FROM ({_known(scd2)}) AS k SEMI JOIN {met}" if contested else ""
    if contested:
        events += f" UNION ALL SELECT *, {_ranks(scd2)} FROM ({among}) AS contested"
    return f"CREATE TEMP TABLE {EVENTS} AS {events}"


def _ranks(scd2: Scd2) -> str:
    keys = ", ".join(scd2.inner)
    content = "".join(f", _mp_row.{quote(name)} NULLS LAST" for name in scd2.payload)
    same_content = f"PARTITION BY {keys}, _mp_at, {GONE}, CASE WHEN NOT {GONE} THEN _mp_row END"
    return (
        f"row_number() OVER (PARTITION BY {keys}, _mp_at ORDER BY {GONE} DESC{content}, _mp_staged DESC), "
        f"row_number() OVER ({same_content}, _mp_staged), bool_or(NOT _mp_staged) OVER ({same_content})"
    )


def _known(scd2: Scd2) -> str:
    """The events that were known before, but of keys that are redone. A repeated one has the values of its version."""
    keys = ", ".join(scd2.inner)
    held = f"{same('v', 'r', scd2.inner)} AND v._mp_from < r.at_time AND (v._mp_to IS NULL OR r.at_time < v._mp_to)"
    return (
        f"SELECT {keys}, _mp_from AS _mp_at, _mp_row, FALSE AS {GONE} FROM {VERSIONS} WHERE NOT _mp_redo "
        f"UNION ALL SELECT {', '.join(f'r.{key}' for key in scd2.inner)}, r.at_time, v._mp_row, r.deleted "
        f"FROM (SELECT * FROM {REMEMBERED} WHERE NOT _mp_redo) AS r LEFT JOIN {VERSIONS} AS v ON {held}"
    )


def create_history(scd2: Scd2) -> str:
    """Temp table of the events that count, in the order of time: `_mp_part` is version, repeat, or delete.

    `_mp_to` is when the next version or delete comes; `_mp_closes` says of a delete that a version held before it.
    """
    keys = ", ".join(scd2.inner)
    window = f"PARTITION BY {keys} ORDER BY _mp_at"
    before = (
        f"SELECT *, lag(_mp_row) OVER w AS _mp_before, coalesce(lag({GONE}) OVER w, TRUE) AS _mp_closed "
        f"FROM {EVENTS} WHERE _mp_rank = 1 WINDOW w AS ({window})"
    )
    part = (
        f"CASE WHEN {GONE} THEN 'delete' WHEN NOT _mp_closed AND _mp_row IS NOT DISTINCT FROM _mp_before "
        "THEN 'repeat' ELSE 'version' END"
    )
    parts = f"SELECT {keys}, _mp_at, _mp_row, _mp_staged, _mp_known, NOT _mp_closed AS _mp_closes, {part} AS _mp_part "
    marks = f"({parts} FROM ({before}) AS before)"
    following = "min(CASE WHEN _mp_part <> 'repeat' THEN _mp_at END)"
    later = f"{following} OVER ({window} ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)"
    return f"CREATE TEMP TABLE {HISTORY} AS SELECT *, {later} AS _mp_to FROM {marks} AS marks"


def event_counts(scd2: Scd2) -> str:
    """SELECT of one row, of staged events: those that began a version, changed one's values, changed nothing, ended
    one, lost to another of their time, copied another; and then the versions that no event explains any more."""
    keys = ", ".join(scd2.inner)
    at = f"{same('h', 'v', scd2.inner)} AND h._mp_at = v._mp_from"
    fate = (
        "CASE WHEN h._mp_known THEN 'same' WHEN h._mp_part = 'repeat' THEN 'same' "
        "WHEN h._mp_part = 'delete' THEN CASE WHEN h._mp_closes THEN 'gone' ELSE 'same' END "
        "WHEN v._mp_from IS NULL THEN 'new' WHEN h._mp_row IS NOT DISTINCT FROM v._mp_row THEN 'same' ELSE 'other' END"
    )
    fates = f"SELECT {fate} AS _mp_fate FROM {HISTORY} AS h LEFT JOIN {VERSIONS} AS v ON {at} WHERE h._mp_staged"
    counted = ", ".join(f"count(*) FILTER (WHERE _mp_fate = '{fate}')" for fate in ("new", "other", "same", "gone"))
    events = (
        "SELECT count(*) FILTER (WHERE _mp_copy > 1) AS _mp_copies, "
        "count(*) FILTER (WHERE _mp_copy = 1) - count(*) FILTER (WHERE _mp_rank = 1) AS _mp_stale "
        f"FROM {EVENTS} WHERE _mp_staged"
    )
    lost = (
        f"SELECT count(*) AS _mp_lost FROM (SELECT * FROM {VERSIONS} WHERE _mp_redo) AS v ANTI JOIN "
        f"(SELECT {keys}, _mp_at FROM {HISTORY} WHERE _mp_part = 'version') AS h ON {at}"
    )
    return (
        "SELECT f.*, e._mp_stale, e._mp_copies, l._mp_lost "
        f"FROM (SELECT {counted} FROM ({fates})) AS f, ({events}) AS e, ({lost}) AS l"
    )


def create_wanted(scd2: Scd2) -> tuple[str, ...]:
    """Temp relations of the versions that are to go, and of those that are to come: what differs, and nothing else."""
    keys = ", ".join(scd2.inner)
    now = f"SELECT {keys}, _mp_row, _mp_at AS _mp_from, _mp_to FROM {HISTORY} WHERE _mp_part = 'version'"
    if not scd2.filled:
        return (f"CREATE TEMP VIEW coming AS {now}",)
    was = f"SELECT {keys}, _mp_row, _mp_from, _mp_to FROM {VERSIONS}"
    return (
        f"CREATE TEMP TABLE going AS {was} EXCEPT {now}",
        f"CREATE TEMP TABLE coming AS {now} EXCEPT {was}",
    )


def delete_going(scd2: Scd2) -> str:
    """Take the versions that differ out of the table."""
    pairs = zip(scd2.key, scd2.inner, strict=True)
    on = " AND ".join(f"t.{quote(name)} IS NOT DISTINCT FROM d.{inner}" for name, inner in pairs)
    return (
        f"MERGE INTO {in_lake(scd2.table)} AS t USING going AS d ON {on} AND t.{FROM} = d._mp_from "
        "WHEN MATCHED THEN DELETE"
    )


def insert_coming(scd2: Scd2) -> str:
    """Put the versions that differ into the table."""
    columns = ", ".join((names(scd2.outputs), *VERSION_COLUMNS))
    values = ", ".join(f"_mp_row.{quote(name)}" for name in scd2.outputs)
    return (
        f"INSERT INTO {in_lake(scd2.table)} ({columns}) SELECT {values}, _mp_from, _mp_to, _mp_to IS NULL FROM coming"
    )


def forget(scd2: Scd2) -> str:
    """Take out of the side table what is not to be remembered any more."""
    on = f"{same('t', 'd', scd2.inner)} AND t.at_time = d.at_time AND t.deleted = d.deleted"
    old = f"{_was_remembered(scd2)} EXCEPT {_to_remember(scd2)}"
    return f"MERGE INTO {in_lake(scd2.state)} AS t USING ({old}) AS d ON {on} WHEN MATCHED THEN DELETE"


def remember(scd2: Scd2) -> str:
    """Put into the side table what was not remembered before."""
    columns = ", ".join((*scd2.inner, "at_time", "deleted"))
    return (
        f"INSERT INTO {in_lake(scd2.state)} ({columns}) "
        f"SELECT {columns} FROM ({_to_remember(scd2)} EXCEPT {_was_remembered(scd2)}) AS r"
    )


def _to_remember(scd2: Scd2) -> str:
    keys = ", ".join(scd2.inner)
    return (
        f"SELECT {keys}, _mp_at AS at_time, _mp_part = 'delete' AS deleted FROM {HISTORY} WHERE _mp_part <> 'version'"
    )


def _was_remembered(scd2: Scd2) -> str:
    return f"SELECT {', '.join(scd2.inner)}, at_time, deleted FROM {REMEMBERED}"


def _renamed(scd2: Scd2) -> str:
    return ", ".join(f"{quote(name)} AS {inner}" for name, inner in zip(scd2.key, scd2.inner, strict=True))


def _row(scd2: Scd2) -> str:
    return f"struct_pack({', '.join(f'{quote(name)} := {quote(name)}' for name in scd2.outputs)})"
