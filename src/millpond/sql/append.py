"""Statements of an `append` step: duplicates dropped, conflicts decided by content, new rows added."""

from __future__ import annotations

from dataclasses import dataclass

from millpond.core.names import TableName, quote
from millpond.sql.staging import HASH, JUDGED, STAGED, good, key_hash
from millpond.sql.values import value

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


def key_bounds(column: str) -> str:
    """SELECT of the least and greatest value that a key column has among the good staged rows."""
    return f"SELECT min({quote(column)}), max({quote(column)}) FROM {JUDGED} WHERE {good()}"


def within(column: str, low: object, high: object) -> str:
    """The condition of rows that can share a key with a staged row, by the bounds of one key column."""
    return f"{quote(column)} >= {value(low)} AND {quote(column)} <= {value(high)}"


def whole_bounds() -> str:
    """SELECT of the least and greatest whole-number key of the good staged rows, and of their number."""
    return f"SELECT min({HASH}), max({HASH}), count(*) FROM {JUDGED} WHERE {good()}"


def whole_numbers(low: int, high: int) -> str:
    """SELECT of how many different whole-number keys the good staged rows have, all of them within the bounds.

    A bit for each number of the range: ten times as fast as telling equal keys from each other by sorting.
    """
    return f"SELECT bit_count(bitstring_agg({HASH}, {low}, {high})) FROM {JUDGED} WHERE {good()}"


def create_doubled(append: Append) -> str:
    """Temp table of the key hashes that stand for more than one row: staged twice, or staged and in the table."""
    twice = f"SELECT {HASH} FROM {JUDGED} WHERE FALSE" if append.apart else _staged_twice(append)
    if not append.exists:
        return f"CREATE TEMP TABLE {DOUBLED} AS {twice}"
    known = (
        f"SELECT DISTINCT {HASH} FROM {JUDGED} WHERE {good()} "
        f"AND {HASH} IN (SELECT {_hashed(append)} FROM {_history(append)} AS h)"
    )
    return f"CREATE TEMP TABLE {DOUBLED} AS {twice} UNION {known}"


def _staged_twice(append: Append) -> str:
    """The hashes that several staged rows have.

    The upper halves of the hashes are sorted and neighbours compared, and only where two are equal are whole hashes
    grouped: grouping all of them takes three times as long and four times the memory.
    """
    half = f"({f'hash({HASH})' if append.whole else HASH} >> 32)::UINTEGER"
    halves = f"SELECT {half} AS _mp_half FROM {JUDGED} WHERE {good()}"
    following = f"SELECT _mp_half, lag(_mp_half) OVER (ORDER BY _mp_half) AS _mp_before FROM ({halves}) AS halves"
    likely = f"SELECT _mp_half FROM ({following}) AS following WHERE _mp_half = _mp_before"
    return f"SELECT {HASH} FROM {JUDGED} WHERE {good()} AND {half} IN ({likely}) GROUP BY {HASH} HAVING count(*) > 1"


def create_contested(append: Append) -> str:
    """Temp table of every row, staged or in the table, whose key hash is doubled, ranked.

    `_mp_rank` orders the different payloads of a key by content (1 stays), `_mp_copy` the equal rows of one payload
    (the table's row first). Both are independent of the order of arrival.
    """
    columns = ", ".join(quote(name) for name in append.outputs)
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
    key = ", ".join(quote(name) for name in append.key)
    order = ", ".join(f"{quote(name)} NULLS LAST" for name in append.payload) or "1"
    rank = f"dense_rank() OVER (PARTITION BY {key} ORDER BY {order})" if append.payload else "1"
    every = ", ".join(quote(name) for name in append.outputs)
    ties = "".join(f", {name}" for name in append.carried)
    copy = f"row_number() OVER (PARTITION BY {every} ORDER BY _mp_staged{ties})"
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
    doomed = f"(SELECT DISTINCT {_names(append.key)} FROM {CONTESTED} WHERE {lost})"
    return (
        f'MERGE INTO "lake".{append.table.quoted} AS t USING {doomed} AS d '
        f"ON {_equal('t', 'd', append.key)} WHEN MATCHED THEN DELETE"
    )


def insert_new(append: Append, *, contested: bool, rejected: bool) -> str:
    """Add the rows that nobody contests, and the winners of those that were; `rejected` says that some are bad."""
    columns = _names(append.outputs)
    # Where no row is bad, the rules are not asked again.
    alone = f"SELECT {columns} FROM {STAGED} WHERE {good() if rejected else 'TRUE'}"
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


def _names(columns: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in columns)


def _equal(left: str, right: str, columns: tuple[str, ...]) -> str:
    """Keys have no NULL; IS NOT DISTINCT FROM finds NaN where `=` is cut short by the bounds of files."""
    return " AND ".join(f"{left}.{quote(name)} IS NOT DISTINCT FROM {right}.{quote(name)}" for name in columns)
