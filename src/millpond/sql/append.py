"""Statements of an `append` step: duplicates dropped, conflicts decided by content, new rows added."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.sql.keys import by_content, names, same
from millpond.sql.lake import in_lake
from millpond.sql.staging import HASH, JUDGED, STAGED, good, key_hash, staged_twice

DOUBLED = "doubled"
CONTESTED = "contested"
KNOWN = "known_keys"


@frozen
class Append:
    """What an append step works on.

    `history` is a condition over the table's rows that no staged row's key can lie outside of (bounds), or empty;
    `exists` is False for a table without rows. `whole` says that the key is one whole number, `apart` that no two good
    staged rows have the same. `aside` is the table of rows that won their keys and that a check keeps out of the table.
    `known` says that KNOWN has the hashes that the table may hold.
    """

    table: TableName
    outputs: tuple[str, ...]
    key: tuple[str, ...]
    exists: bool
    history: str = ""
    carried: tuple[str, ...] = ()
    whole: bool = False
    apart: bool = False
    aside: TableName | None = None
    known: bool = False

    @property
    def payload(self) -> tuple[str, ...]:
        """The outputs that are not in the key; empty when the key is the whole row."""
        return tuple(name for name in self.outputs if name not in self.key)


def create_doubled(append: Append) -> str:
    """Temp table of the key hashes that stand for more than one row: staged twice, or staged and in the table."""
    twice = f"SELECT {HASH} FROM {JUDGED} WHERE FALSE" if append.apart else staged_twice(whole=append.whole)
    if not append.exists:
        return f"CREATE TEMP TABLE {DOUBLED} AS {twice}"
    held = f"SELECT {_hashed(append)} FROM {_history(append)} AS h"
    if append.known:
        held = f"SELECT {HASH} FROM {JUDGED} SEMI JOIN {KNOWN} ON {_wide(HASH, append)} = _mp_known"
    known = f"SELECT DISTINCT {HASH} FROM {JUDGED} WHERE {good()} AND {HASH} IN ({held})"
    return f"CREATE TEMP TABLE {DOUBLED} AS {twice} UNION {known}"


def staged_hashes(append: Append) -> str:
    """SELECT of the good staged rows' key hashes as UBIGINT, each once, in ascending order."""
    return f"SELECT DISTINCT {_wide(HASH, append)} AS h FROM {JUDGED} WHERE {good()} ORDER BY h"


def hashes_of(append: Append, rows: str) -> str:
    """SELECT of the key hashes of the rows in a FROM clause, as `staged_hashes` gives them, each as often as it is."""
    return f"SELECT {_wide(_hashed(append), append)} AS h {rows} ORDER BY h"


def create_known(hashes: Sequence[int]) -> str:
    """Temp table of some hashes. As text: to bind a list DuckDB would load pandas wherever that is installed."""
    listed = ", ".join(map(str, hashes))
    return f"CREATE TEMP TABLE {KNOWN} AS SELECT unnest([{listed}]::UBIGINT[]) AS _mp_known"


def _wide(hashed: str, append: Append) -> str:
    """A key hash as 64 bits that lie anywhere: where it is the key itself, the hash of that."""
    return f"hash({hashed})" if append.whole else hashed


def create_contested(append: Append) -> str:
    """Temp table of every row, staged or in the table, whose key hash is doubled, ranked.

    `_mp_rank` orders the different payloads of a key by content (1 stays), `_mp_copy` the equal rows of one payload
    (the table's row first). Both are independent of the order of arrival. `_mp_aside` says that a row stands aside.
    """
    columns = names(append.outputs)
    carried = "".join(f", {name}" for name in append.carried)
    nothing = "".join(f", NULL AS {name}" for name in append.carried)
    staged = (
        f"SELECT {columns}{carried}, TRUE AS _mp_staged, FALSE AS _mp_aside FROM {STAGED} "
        f"WHERE {good()} AND {HASH} IN (SELECT {HASH} FROM {DOUBLED})"
    )
    rows = staged
    if append.exists:
        table = (
            f"SELECT {columns}{nothing}, FALSE AS _mp_staged, _mp_aside FROM {_history(append)} AS h "
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
        f"count(*) FILTER (WHERE {_REPLACED}), "
        "count(*) FILTER (WHERE _mp_copy > 1 AND _mp_staged), "
        "count(*) FILTER (WHERE _mp_rank > 1 AND _mp_copy = 1 AND _mp_staged) "
        f"FROM {CONTESTED}"
    )


_REPLACED = "_mp_rank > 1 AND _mp_copy = 1 AND NOT _mp_staged AND NOT _mp_aside"


def losers() -> str:
    """The rows that lost to another payload of the same key, as a parenthesised query."""
    return f"(SELECT * FROM {CONTESTED} WHERE _mp_rank > 1 AND _mp_copy = 1)"


def replaced(append: Append) -> str:
    """SELECT of the keys of which the table's row lost."""
    return f"SELECT {names(append.key)} FROM {CONTESTED} WHERE {_REPLACED}"


def beaten_aside(append: Append) -> str:
    """SELECT of the keys of which the row that stands aside lost."""
    return f"SELECT {names(append.key)} FROM {CONTESTED} WHERE _mp_rank > 1 AND _mp_aside"


def delete_losers(append: Append) -> str:
    """Take the rows of the table that lost out of it."""
    return (
        f"MERGE INTO {in_lake(append.table)} AS t USING ({replaced(append)}) AS d "
        f"ON {same('t', 'd', append.key)} WHEN MATCHED THEN DELETE"
    )


def insert_new(append: Append, *, contested: bool) -> str:
    """Add the new rows."""
    columns = names(append.outputs)
    return f"INSERT INTO {in_lake(append.table)} ({columns}) {new_rows(append.outputs, contested=contested)}"


def new_rows(given: Sequence[str], *, contested: bool) -> str:
    """SELECT of some columns of the rows that nobody contests, and of the winners of those that were."""
    columns = names(given)
    alone = f"SELECT {columns} FROM {STAGED} WHERE {good()}"
    if not contested:
        return alone
    alone = f"{alone} AND {HASH} NOT IN (SELECT {HASH} FROM {DOUBLED})"
    winners = f"SELECT {columns} FROM {CONTESTED} WHERE _mp_rank = 1 AND _mp_copy = 1 AND _mp_staged"
    return f"{alone} UNION ALL {winners}"


def _hashed(append: Append) -> str:
    return key_hash(append.key, whole=append.whole)


def _history(append: Append) -> str:
    columns = names(append.outputs)
    known = f"SELECT {columns}, FALSE AS _mp_aside FROM {in_lake(append.table)}"
    if append.history:
        known += f" WHERE {append.history}"
    if append.aside is not None:
        known += f" UNION ALL SELECT {columns}, TRUE FROM {in_lake(append.aside)}"
    return f"({known})"
