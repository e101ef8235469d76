"""Statements of an `append` step: duplicates dropped, conflicts decided by content, new rows added."""

from __future__ import annotations

from dataclasses import dataclass

from millpond.core.names import TableName
from millpond.sql.keys import by_content, names, same
from millpond.sql.staging import HASH, JUDGED, STAGED, good, key_hash, staged_twice

DOUBLED = "doubled"
CONTESTED = "contested"


@dataclass(frozen=True)
class Append:
    """What an append step works on.

    `history` is a condition over the table's rows that no staged row's key can lie outside of (bounds), or empty;
    `exists` is False for a table without rows. `whole` says that the key is one whole number, `apart` that no two good
    staged rows have the same.
    """

    table: TableName
    outputs: tuple[str, ...]
    key: tuple[str, ...]
    exists: bool
    history: str = ""
    carried: tuple[str, ...] = ()
    whole: bool = False
    apart: bool = False

    @property
    def payload(self) -> tuple[str, ...]:
        """The outputs that are not in the key; empty when the key is the whole row."""
        return tuple(name for name in self.outputs if name not in self.key)


def create_doubled(append: Append) -> str:
    """Temp table of the key hashes that stand for more than one row: staged twice, or staged and in the table."""
    twice = f"SELECT {HASH} FROM {JUDGED} WHERE FALSE" if append.apart else staged_twice(whole=append.whole)
    if not append.exists:
        return f"CREATE TEMP TABLE {DOUBLED} AS {twice}"
    known = (
        f"SELECT DISTINCT {HASH} FROM {JUDGED} WHERE {good()} "
        f"AND {HASH} IN (SELECT {_hashed(append)} FROM {_history(append)} AS h)"
    )
    return f"CREATE TEMP TABLE {DOUBLED} AS {twice} UNION {known}"


def create_contested(append: Append) -> str:
    """Temp table of every row, staged or in the table, whose key hash is doubled, ranked.

    `_mp_rank` orders the different payloads of a key by content (1 stays), `_mp_copy` the equal rows of one payload
    (the table's row first). Both are independent of the order of arrival.
    """
    columns = names(append.outputs)
    carried = "".join(f", {name}" for name in append.carried)
    nothing = "".join(f", NULL AS {name}" for name in append.carried)
    staged = (
        f"SELECT {columns}{carried}, TRUE AS _mp_staged FROM {STAGED} "
        f"WHERE {good()} AND {HASH} IN (SELECT {HASH} FROM {DOUBLED})"
    )
    rows = staged
    if append.exists:
        table = (
            f"SELECT {columns}{nothing}, FALSE AS _mp_staged FROM {_history(append)} AS h "
            f"WHERE {_hashed(append)} IN (SELECT {HASH} FROM {DOUBLED})"
        )
        rows = f"{staged} UNION ALL {table}"
    ranked = f"PARTITION BY {names(append.key)} ORDER BY {by_content(append.payload)}"
    rank = f"dense_rank() OVER ({ranked})" if append.payload else "1"
    ties = "".join(f", {name}" for name in append.carried)
    copy = f"row_number() OVER (PARTITION BY {columns} ORDER BY _mp_staged{ties})"
    return f"CREATE TEMP TABLE {CONTESTED} AS SELECT *, {rank} AS _mp_rank, {copy} AS _mp_copy FROM ({rows}) AS rows"


def contested_counts() -> str:
    """SELECT of one row: winners to insert, winners that replace a row of the table, copies dropped, losers staged."""
    return (
        "SELECT count(*) FILTER (WHERE _mp_rank = 1 AND _mp_copy = 1 AND _mp_staged), "
        "count(*) FILTER (WHERE _mp_rank > 1 AND _mp_copy = 1 AND NOT _mp_staged), "
        "count(*) FILTER (WHERE _mp_copy > 1 AND _mp_staged), "
        "count(*) FILTER (WHERE _mp_rank > 1 AND _mp_copy = 1 AND _mp_staged) "
        f"FROM {CONTESTED}"
    )


def losers() -> str:
    """The rows that lost to another payload of the same key, as a parenthesised query."""
    return f"(SELECT * FROM {CONTESTED} WHERE _mp_rank > 1 AND _mp_copy = 1)"


def delete_losers(append: Append) -> str:
    """Take the rows of the table that lost out of it."""
    lost = "_mp_rank > 1 AND _mp_copy = 1 AND NOT _mp_staged"
    doomed = f"(SELECT DISTINCT {names(append.key)} FROM {CONTESTED} WHERE {lost})"
    return (
        f'MERGE INTO "lake".{append.table.quoted} AS t USING {doomed} AS d '
        f"ON {same('t', 'd', append.key)} WHEN MATCHED THEN DELETE"
    )


def insert_new(append: Append, *, contested: bool) -> str:
    """Add the rows that nobody contests, and the winners of those that were."""
    columns = names(append.outputs)
    alone = f"SELECT {columns} FROM {STAGED} WHERE {good()}"
    if not contested:
        return f'INSERT INTO "lake".{append.table.quoted} ({columns}) {alone}'
    alone = f"{alone} AND {HASH} NOT IN (SELECT {HASH} FROM {DOUBLED})"
    winners = f"SELECT {columns} FROM {CONTESTED} WHERE _mp_rank = 1 AND _mp_copy = 1 AND _mp_staged"
    return f'INSERT INTO "lake".{append.table.quoted} ({columns}) {alone} UNION ALL {winners}'


def _hashed(append: Append) -> str:
    return key_hash(append.key, whole=append.whole)


def _history(append: Append) -> str:
    table = f'"lake".{append.table.quoted}'
    return f"(SELECT * FROM {table} WHERE {append.history})" if append.history else table
