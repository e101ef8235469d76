"""Statements of the `unique` check."""

from __future__ import annotations

from millpond.core.names import TableName, quote
from millpond.sql.scd2 import CURRENT
from millpond.sql.staging import BAD, REJECT, STAGED, good


def repeated(table: TableName, columns: tuple[str, ...], *, staged: bool = False, current: bool = False) -> str:
    """SELECT of one row: how many values of the columns stand in more than one row, and one of them as text.

    With `staged`, only values of good staged rows are looked at, with `current` only versions that hold still. NULL is
    no value: rows with a NULL among the columns are never repeated (SQL:2016, 11.7).
    """
    names = ", ".join(quote(name) for name in columns)
    known = " AND ".join([f"{quote(name)} IS NOT NULL" for name in columns] + [CURRENT] * current)
    rows = f'"lake".{table.quoted} AS t'
    if staged:
        same = " AND ".join(f"t.{quote(name)} IS NOT DISTINCT FROM s.{quote(name)}" for name in columns)
        rows += f" SEMI JOIN (SELECT {names} FROM {STAGED} WHERE {good()}) AS s ON {same}"
    return (
        f"SELECT count(*), min(shown) FROM (SELECT concat_ws(', ', {names}) AS shown "
        f"FROM {rows} WHERE {known} GROUP BY {names} HAVING count(*) > 1)"
    )


def reject_repeated(table: TableName | None, columns: tuple[str, ...], outputs: tuple[str, ...], reject: str) -> str:
    """UPDATE that rejects the good staged rows whose columns stand in the table, or in an earlier row by content.

    `reject` is the expression of the JSON that says why; `table` is None when there is none yet.
    """
    names = ", ".join(quote(name) for name in columns)
    known = " AND ".join(f"{quote(name)} IS NOT NULL" for name in columns)
    order = ", ".join(quote(name) for name in outputs)
    later = (
        f"SELECT rowid FROM (SELECT rowid, row_number() OVER (PARTITION BY {names} ORDER BY {order}) AS n "
        f"FROM {STAGED} WHERE {good()} AND {known}) WHERE n > 1"
    )
    if table is not None:
        same = " AND ".join(f"s.{quote(name)} IS NOT DISTINCT FROM t.{quote(name)}" for name in columns)
        stands = f'SELECT s.rowid FROM {STAGED} AS s SEMI JOIN "lake".{table.quoted} AS t ON {same} WHERE {known}'
        later = f"{later} UNION {stands}"
    return f"UPDATE {STAGED} SET {REJECT} = {reject}, {BAD} = TRUE WHERE {good()} AND rowid IN ({later})"
