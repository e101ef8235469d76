"""Statements of an `upsert` step: the newest row of each key by its order columns, whatever order rows arrive in.

Among rows of one key the later by the order columns wins; of two that are equal there, one that deletes the key, then
the one of the least values. What the winning row of each key does is its *fate*: `new`, `other` (replaces a row),
`same` (is there already), `stale` (the table or a remembered delete is newer), `gone` (deletes a row), `absent`
(deletes a key that has no row). Where the present state of a key must not count, because a row that it was made of is
no more, the key is *redone*: all of its rows are staged again, and what none of them explains is `lost`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from millpond.core.names import TableName, literal, quote
from millpond.core.records import frozen
from millpond.sql.keys import after, by_content, equal, names, same
from millpond.sql.lake import in_lake
from millpond.sql.positions import FILE, PLACE, PLACES
from millpond.sql.redo import CAME, REDO
from millpond.sql.staging import GONE, HASH, JUDGED, STAGED, good, staged_twice

MET = "met"
REMEMBERED = "remembered"
TIED = "tied"
DOUBLED = "doubled"
CONTESTED = "contested"
FATES = "fates"

Redo = Literal["none", "some", "every"]


@frozen
class Upsert:
    """What an upsert step works on.

    `filled` says that the table may hold rows. `state` is the side table of deleted keys, None for models whose rows
    cannot delete. `redo` says whether no key, the keys in the relation `redo`, or every key is redone. `history` is a
    condition over the table's rows that no staged row's key can lie outside of, or empty. `whole` says that the key is
    one whole number. `rows` is the query of key, order and place of the table's rows, empty where it has none.
    """

    table: TableName
    outputs: tuple[str, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    state: TableName | None
    filled: bool
    redo: Redo = "none"
    history: str = ""
    whole: bool = False
    rows: str = ""

    @property
    def payload(self) -> tuple[str, ...]:
        """The columns of the table that are in neither key nor order."""
        return tuple(name for name in self.outputs if name not in (*self.key, *self.order))

    @property
    def ranked(self) -> tuple[str, ...]:
        """The columns of key and order."""
        return (*self.key, *self.order)

    @property
    def gone(self) -> str:
        """The expression that tells of a staged row whether it deletes its key."""
        return GONE if self.state is not None else "FALSE"

    @property
    def mark(self) -> tuple[str, ...]:
        """The column that tells of a staged row whether it deletes its key, if any does."""
        return (GONE,) if self.state is not None else ()

    @property
    def remembers(self) -> bool:
        """Whether deletes may be remembered."""
        return self.state is not None and self.filled

    @property
    def places(self) -> tuple[str, ...]:
        """The columns that say where a row of the table stands."""
        return PLACE if self.filled else ()


def state_columns(key: Sequence[str], order: Sequence[str]) -> tuple[str, ...]:
    """The names that key and order columns have in the side table, so that no author's name meets another's."""
    return (*(f"key_{n}" for n in range(1, len(key) + 1)), *(f"order_{n}" for n in range(1, len(order) + 1)))


def create_met(upsert: Upsert) -> str:
    """Temp table of the good staged rows, each beside the table's row of its key; and of redone rows that meet none.

    Key, order, mark and hash are the staged row's, the hash NULL where there is none. `_mp_redo` is NULL where the
    table has no row; else it tells of it, `_mp_held_*` are its order columns, and then comes its place. For an empty
    table, rows that delete nothing are left out (see `count_fresh`).
    """
    gone = "" if upsert.filled else f" AND {upsert.gone}"
    # A whole number is its own hash: the join carries it once.
    hashed = f"w.{quote(upsert.key[0])}::BIGINT" if upsert.whole else f"w.{HASH}"
    own = ", ".join((names(upsert.ranked), *upsert.mark, *([] if upsert.whole else [HASH])))
    staged = f"SELECT {own} FROM {JUDGED} WHERE {good()}{gone}"
    on = equal("w", "h", upsert.key) if upsert.whole else same("w", "h", upsert.key)
    ranked, mark = names(upsert.ranked, "w"), "".join(f", w.{mark}" for mark in upsert.mark)
    join, where = "LEFT", ""
    if upsert.redo != "none":
        first = quote(upsert.key[0])
        join, where = "FULL", f" WHERE w.{first} IS NOT NULL OR h._mp_redo"
        theirs = (*map(quote, upsert.key), *_held(upsert))
        pairs = zip(map(quote, upsert.ranked), theirs, strict=True)
        ranked = ", ".join(f"coalesce(w.{name}, h.{held}) AS {name}" for name, held in pairs)
    columns = ", ".join(f"h.{held} AS {held}" for held in (*_held(upsert), "_mp_redo", *upsert.places))
    return (
        f"CREATE TEMP TABLE {MET} AS SELECT {ranked}{mark}, {hashed} AS {HASH}, {columns} "
        f"FROM ({staged}) AS w {join} JOIN ({_rows_held(upsert)}) AS h ON {on}{where}"
    )


def _held(upsert: Upsert) -> tuple[str, ...]:
    return tuple(f"_mp_held_{number}" for number, _ in enumerate(upsert.order, start=1))


def _rows_held(upsert: Upsert) -> str:
    """The table's rows that a step may meet: key, order, place, and whether they are redone."""
    order = ", ".join(f"{quote(name)} AS {held}" for name, held in zip(upsert.order, _held(upsert), strict=True))
    if not upsert.filled:
        return f"SELECT {names(upsert.key)}, {order}, FALSE AS _mp_redo FROM {JUDGED} WHERE FALSE"
    history = f" WHERE {upsert.history}" if upsert.history else ""
    rows = f"SELECT {names(upsert.key)}, {order}, {', '.join(PLACE)} FROM ({upsert.rows}) AS placed{history}"
    return f"SELECT *, FALSE AS _mp_redo FROM ({rows}) AS t" if upsert.redo == "none" else _of_staged_keys(upsert, rows)


def create_remembered(upsert: Upsert, state: TableName) -> str:
    """Temp table of key and order of the remembered deletes of staged or redone keys, and whether they are redone."""
    pairs = zip(state_columns(upsert.key, upsert.order), upsert.ranked, strict=True)
    columns = ", ".join(f"{inner} AS {quote(name)}" for inner, name in pairs)
    rows = f"SELECT {columns} FROM {in_lake(state)}"
    return f"CREATE TEMP TABLE {REMEMBERED} AS {_of_staged_keys(upsert, rows)}"


def _of_staged_keys(upsert: Upsert, rows: str) -> str:
    key = names(upsert.key)
    on = same("t", "s", upsert.key)
    staged = f"SELECT {key}, FALSE AS _mp_redo FROM {JUDGED} WHERE {good()}"
    if upsert.redo == "every":
        return f"SELECT *, TRUE AS _mp_redo FROM ({rows}) AS t"
    if upsert.redo == "none":
        return f"SELECT t.*, FALSE AS _mp_redo FROM ({rows}) AS t SEMI JOIN ({staged}) AS s ON {on}"
    wanted = f"{staged} UNION ALL SELECT {key}, TRUE AS _mp_redo FROM {REDO}"
    wanted = f"SELECT {key}, bool_or(_mp_redo) AS _mp_redo FROM ({wanted}) AS w GROUP BY {key}"
    return f"SELECT t.*, s._mp_redo FROM ({rows}) AS t JOIN ({wanted}) AS s ON {on}"


def create_tied(upsert: Upsert) -> str:
    """Temp table of the keys whose row in the table stands where a staged one does by the order, and these's hashes."""
    even = " AND ".join(f"{quote(name)} = {held}" for name, held in zip(upsert.order, _held(upsert), strict=True))
    return (
        f"CREATE TEMP TABLE {TIED} AS SELECT DISTINCT {names(upsert.key)}, _mp_redo, {HASH} FROM {MET} "
        f"WHERE _mp_redo IS NOT NULL AND {HASH} IS NOT NULL AND {even}"
    )


def create_doubled(*, whole: bool, apart: bool) -> str:
    """Temp table of the key hashes that several rows contest: staged twice, or tied with the table's row.

    With `whole`, hashes are the keys themselves; `apart` says that no two staged rows have the same.
    """
    twice = "" if apart else f"{staged_twice(whole=whole)} UNION "
    return f"CREATE TEMP TABLE {DOUBLED} AS {twice}SELECT {HASH} FROM {TIED}"


def create_contested(upsert: Upsert, *, tied: bool) -> str:
    """Temp table of every row that contests a key with others, ranked; rank 1 wins.

    `_mp_copy` numbers equal staged rows, `_mp_same` says that the table has an equal row. `tied` says that rows of the
    table take part: a row of a redone key takes part only to be recognised.
    """
    columns = names(upsert.outputs)
    rows = (
        f"SELECT {columns}, {upsert.gone} AS {GONE}, TRUE AS _mp_staged, FALSE AS _mp_void FROM {STAGED} "
        f"WHERE {good()} AND {HASH} IN (SELECT {HASH} FROM {DOUBLED})"
    )
    if tied:
        held = f"SELECT DISTINCT {names(upsert.key)}, _mp_redo FROM {TIED}"
        rows += (
            f" UNION ALL SELECT {names(upsert.outputs, 't')}, FALSE, FALSE, h._mp_redo "
            f"FROM {in_lake(upsert.table)} AS t JOIN ({held}) AS h ON {same('t', 'h', upsert.key)}"
        )
    order = ", ".join(f"{quote(name)} DESC" for name in upsert.order)
    content = f", {by_content(upsert.payload)}" if upsert.payload else ""
    rank = f"PARTITION BY {names(upsert.key)} ORDER BY _mp_void, {order}, {GONE} DESC{content}, _mp_staged DESC"
    return (
        f"CREATE TEMP TABLE {CONTESTED} AS SELECT *, row_number() OVER ({rank}) AS _mp_rank, "
        f"row_number() OVER (PARTITION BY {columns}, {GONE}, _mp_staged) AS _mp_copy, "
        f"bool_or(NOT _mp_staged) OVER (PARTITION BY {columns}, {GONE}) AS _mp_same FROM ({rows}) AS rows"
    )


def create_fates(upsert: Upsert, *, contested: bool) -> str:
    """Temp relation of each key's winning staged row, as key, order and hash, with its fate; and of the keys lost.

    The hash is NULL for rows that were contested. `_mp_known` says that a delete of the key is remembered. The place is
    that of the table's row. For an empty table, rows that are alone and delete nothing are left out: all of them are
    new (see `count_fresh`). Where no rows contest a key and none can delete, it is quicker told than kept.
    """
    key, ranked, staged = upsert.key, upsert.ranked, f"{HASH} IS NOT NULL"
    held = (*_held(upsert), "_mp_redo", *upsert.places)
    alone = f" AND {HASH} NOT IN (SELECT {HASH} FROM {DOUBLED})" if contested else ""
    won = (
        f"SELECT {names(ranked)}, {upsert.gone} AS {GONE}, {HASH}, FALSE AS _mp_same, {', '.join(held)} FROM {MET} "
        f"WHERE {staged}{alone}"
    )
    if contested:
        winners = f"SELECT * FROM {CONTESTED} WHERE _mp_rank = 1 AND _mp_staged"
        rows = f"SELECT DISTINCT {names(key)}, {', '.join(held)} FROM {MET} WHERE {staged} AND _mp_redo IS NOT NULL"
        taken = ", ".join(f"m.{column}" for column in held)
        won += (
            f" UNION ALL SELECT {names(ranked, 'c')}, c.{GONE}, NULL, c._mp_same, {taken} "
            f"FROM ({winners}) AS c LEFT JOIN ({rows}) AS m ON {same('c', 'm', key)}"
        )
    known, remembered = "FALSE", ""
    if upsert.remembers:
        known, remembered = "r._mp_redo IS NOT NULL", f" LEFT JOIN {REMEMBERED} AS r ON {same('w', 'r', key)}"
    place = "".join(f", w.{column}" for column in upsert.places)
    fates = (
        f"SELECT {names(ranked, 'w')}, w.{HASH}, {known} AS _mp_known, {_fate(upsert)} AS _mp_fate{place} "
        f"FROM ({won}) AS w{remembered}"
    )
    if upsert.redo != "none":
        place = "".join(f", {column}" for column in upsert.places)
        fates += f" UNION ALL SELECT {names(ranked)}, NULL, FALSE, 'lost'{place} FROM {MET} WHERE NOT {staged}"
        if upsert.remembers:
            fates += (
                f" UNION ALL SELECT {names(ranked, 'h')}, NULL, TRUE, 'forgotten'{', NULL' * len(upsert.places)} "
                f"FROM (SELECT * FROM {REMEMBERED} WHERE _mp_redo) AS h ANTI JOIN ({won}) AS w ON {same('h', 'w', key)}"
            )
    return f"CREATE TEMP {'TABLE' if contested or upsert.remembers else 'VIEW'} {FATES} AS {fates}"


def _fate(upsert: Upsert) -> str:
    """The fate of a winning row `w`, given the table's row beside it and the remembered delete `r` of its key."""
    fate = (
        f"WHEN NOT w._mp_redo AND {_newer_held(upsert)} THEN 'stale' WHEN w._mp_same THEN 'same' "
        f"WHEN w._mp_redo IS NULL THEN CASE WHEN w.{GONE} THEN 'absent' ELSE 'new' END "
        f"WHEN w.{GONE} THEN 'gone' ELSE 'other' END"
    )
    if not upsert.remembers:
        return f"CASE {fate}"
    return (
        f"CASE WHEN NOT r._mp_redo AND {after('r', 'w', upsert.order)} THEN 'stale' WHEN NOT r._mp_redo AND "
        f"{equal('r', 'w', upsert.order)} THEN CASE WHEN w.{GONE} THEN 'same' ELSE 'stale' END {fate}"
    )


def _newer_held(upsert: Upsert) -> str:
    """The condition that the table's row comes after the staged one beside it."""
    condition = ""
    for name, held in reversed(list(zip(upsert.order, _held(upsert), strict=True))):
        greater = f"w.{held} > w.{quote(name)}"
        condition = f"({greater} OR (w.{held} = w.{quote(name)} AND {condition}))" if condition else greater
    return condition


def count_fresh(upsert: Upsert, *, contested: bool) -> str:
    """SELECT of the number of rows that are alone and delete nothing."""
    alone = f" AND {HASH} NOT IN (SELECT {HASH} FROM {DOUBLED})" if contested else ""
    return f"SELECT count(*) FROM {JUDGED} WHERE {good()} AND NOT {upsert.gone}{alone}"


GOING = ("other", "gone", "lost")
"""The fates by which a row leaves the table."""


def fate_counts(upsert: Upsert) -> str:
    """SELECT of each fate, and of how many keys have it; by the file of the row that goes."""
    file = f"CASE WHEN {_going()} THEN {FILE} END" if upsert.filled else "NULL"
    return f"SELECT _mp_fate, {file} AS {FILE}, count(*) FROM {FATES} GROUP BY ALL ORDER BY ALL"


def contested_counts() -> str:
    """SELECT of one row: staged rows that are copies of others, and different ones that lost."""
    return (
        "SELECT count(*) FILTER (WHERE _mp_copy > 1), "
        "count(*) FILTER (WHERE _mp_copy = 1) - count(*) FILTER (WHERE _mp_rank = 1) "
        f"FROM {CONTESTED} WHERE _mp_staged"
    )


def create_places(upsert: Upsert, files: int) -> str:
    """Temp relation of the places of the table's rows that are replaced, deleted or explained by no row any more.

    It is read once for each of the files that they are in.
    """
    return (
        f"CREATE TEMP {'TABLE' if files > 1 else 'VIEW'} {PLACES} AS SELECT {', '.join(upsert.places)} FROM {FATES} "
        f"WHERE {_going()}"
    )


def _going() -> str:
    return f"_mp_fate IN ({', '.join(map(literal, GOING))})"


def insert_winners(upsert: Upsert, *, contested: bool, unlucky: bool) -> str:
    """Put the winning rows into the table that are new there; `unlucky` says that some that were alone are not."""
    columns = names(upsert.outputs)
    alone = f"SELECT {columns} FROM {STAGED} WHERE {good()}"
    if upsert.state is not None:
        alone += f" AND NOT {GONE}"
    if contested:
        alone += f" AND {HASH} NOT IN (SELECT {HASH} FROM {DOUBLED})"
    if unlucky:
        out = f"SELECT {HASH} FROM {FATES} WHERE {HASH} IS NOT NULL AND _mp_fate NOT IN ('new', 'other')"
        alone += f" AND {HASH} NOT IN ({out})"
    rows = alone
    if contested:
        into = f"SELECT {names(upsert.key)} FROM {FATES} WHERE {HASH} IS NULL AND _mp_fate IN ('new', 'other')"
        won = f"SELECT * FROM {CONTESTED} WHERE _mp_rank = 1 AND _mp_staged"
        rows += f" UNION ALL SELECT {columns} FROM ({won}) AS c SEMI JOIN ({into}) AS d ON {same('c', 'd', upsert.key)}"
    return f"INSERT INTO {in_lake(upsert.table)} ({columns}) {rows}"


def forget(upsert: Upsert, state: TableName) -> str:
    """Take deletes out of the side table that a newer row or delete replaces, or that no row explains any more."""
    inner = state_columns(upsert.key, ())
    pairs = zip(inner, upsert.key, strict=True)
    on = " AND ".join(f"t.{column} IS NOT DISTINCT FROM d.{quote(name)}" for column, name in pairs)
    old = f"SELECT {names(upsert.key)} FROM {FATES} WHERE _mp_known AND _mp_fate IN ('new', 'absent', 'forgotten')"
    return f"MERGE INTO {in_lake(state)} AS t USING ({old}) AS d ON {on} WHEN MATCHED THEN DELETE"


def remember(upsert: Upsert, state: TableName) -> str:
    """Put the newest deletes into the side table."""
    columns = ", ".join(state_columns(upsert.key, upsert.order))
    gone = f"SELECT {names(upsert.ranked)} FROM {FATES} WHERE _mp_fate IN ('gone', 'absent')"
    return f"INSERT INTO {in_lake(state)} ({columns}) {gone}"


def newer(upsert: Upsert) -> tuple[str, ...]:
    """Queries over a row `w` of the input: one that gives a row says that a newer row or delete of its key is there."""
    pairs = [(in_lake(upsert.table), upsert.ranked)]
    if upsert.state is not None:
        pairs.append((in_lake(upsert.state), state_columns(upsert.key, upsert.order)))
    queries = []
    for relation, columns in (*pairs, (CAME, upsert.ranked)):
        named = ", ".join(f"{quote(own)} AS {quote(name)}" for own, name in zip(columns, upsert.ranked, strict=True))
        held = f"(SELECT {named} FROM {relation}) AS h"
        queries.append(f"SELECT 1 FROM {held} WHERE {same('h', 'w', upsert.key)} AND {after('h', 'w', upsert.order)}")
    return tuple(queries)
