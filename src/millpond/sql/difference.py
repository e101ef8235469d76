"""Statements of a step that recomputes rows by key: only what differs is changed in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from millpond.core.names import TableName, quote
from millpond.core.records import frozen
from millpond.sql.groups import GroupKey
from millpond.sql.joins import JoinKey
from millpond.sql.keys import names, same
from millpond.sql.lake import in_lake
from millpond.sql.staging import STAGED, good

GROUPS = "changed_groups"
PRESENT = "present"
DIFFERENCE = "difference"


@frozen
class Difference:
    """What is compared: the staged rows with the table's, over the groups that may have changed.

    `grouped` says that only the keys in `changed_groups` are compared (else every row of the table), `among` is a
    condition of the table's rows that are, or empty. `staged` is the query of the rows they are compared with.
    """

    table: TableName
    outputs: tuple[str, ...]
    key: tuple[str, ...]
    grouped: bool
    staged: str = f"SELECT * FROM {STAGED} WHERE {good()}"
    among: str = ""


def create_groups(groups: GroupKey, changed: Mapping[TableName, Sequence[str]]) -> str:
    """Temp table of the keys whose groups changed, as columns _mp_g0, _mp_g1 and so on.

    `changed` are queries that give the changed rows of each table. A row of the input changes the group of its key; a
    row of a table that is joined to it, the groups of the input's rows that may be joined to that row.
    """
    named = ", ".join(f"{expression} AS _mp_g{index}" for index, expression in enumerate(groups.expressions))
    table = in_lake(groups.input)
    parts = [f"SELECT {named} FROM {table} WHERE FALSE"]
    parts += [f"SELECT {named} FROM ({rows}) AS changed_rows" for rows in changed.get(groups.input, ())]
    for join in groups.joins:
        if rows := changed.get(join.table, ()):
            parts.append(f"SELECT {named} FROM {table} AS i SEMI JOIN ({_values(join, rows)}) AS j ON {_joined(join)}")
    return f"CREATE TEMP TABLE {GROUPS} AS SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)}) AS keys"


def _values(join: JoinKey, changed: Sequence[str]) -> str:
    """The values by which the changed rows of a joined table are found."""
    named = ", ".join(f"{theirs} AS _mp_j{index}" for index, (_, _, theirs) in enumerate(join.pairs))
    return " UNION ".join(f"SELECT {named} FROM ({rows}) AS changed_rows" for rows in changed)


def _joined(join: JoinKey) -> str:
    return " AND ".join(f"({ours}) {operator} _mp_j{index}" for index, (ours, operator, _) in enumerate(join.pairs))


def repeated_key(key: tuple[str, ...]) -> str:
    """SELECT of one key that stands for several staged rows; no row when the key is one."""
    return f"SELECT {names(key)} FROM {STAGED} WHERE {good()} GROUP BY ALL HAVING count(*) > 1 LIMIT 1"


def create_difference(difference: Difference) -> str:
    """Temp table with a row for each key on either side: `_mp_change` is new, gone, other or same."""
    table = in_lake(difference.table)
    present = f"SELECT p.* FROM {table} AS p"
    if difference.grouped:
        present = f"{present} SEMI JOIN {GROUPS} AS g ON {_in_groups('p', difference.key)}"
    if difference.among:
        present = f"{present} WHERE {difference.among}"
    rest = [name for name in difference.outputs if name not in difference.key]
    equal = " AND ".join(f"s.{quote(name)} IS NOT DISTINCT FROM p.{quote(name)}" for name in rest) or "TRUE"
    key = ", ".join(f"coalesce(s.{quote(name)}, p.{quote(name)}) AS {quote(name)}" for name in difference.key)
    return (
        f"CREATE TEMP TABLE {DIFFERENCE} AS SELECT {key}, "
        f"CASE WHEN p._mp_here IS NULL THEN 'new' WHEN s._mp_here IS NULL THEN 'gone' WHEN {equal} THEN 'same' "
        "ELSE 'other' END AS _mp_change "
        f"FROM (SELECT *, TRUE AS _mp_here FROM ({difference.staged}) AS n) AS s "
        f"FULL JOIN (SELECT *, TRUE AS _mp_here FROM ({present}) AS t) AS p ON {same('s', 'p', difference.key)}"
    )


def difference_counts() -> str:
    """SELECT of one row: keys that are new, other, same, gone."""
    counted = ", ".join(
        f"count(*) FILTER (WHERE _mp_change = '{change}')" for change in ("new", "other", "same", "gone")
    )
    return f"SELECT {counted} FROM {DIFFERENCE}"


def delete_changed(difference: Difference) -> str:
    """Take the rows that are gone or other out of the table."""
    return (
        f"MERGE INTO {in_lake(difference.table)} AS t "
        f"USING (SELECT * FROM {DIFFERENCE} WHERE _mp_change IN ('gone', 'other')) AS d "
        f"ON {same('t', 'd', difference.key)} WHEN MATCHED THEN DELETE"
    )


def insert_rows(table: TableName, outputs: tuple[str, ...], rows: str) -> str:
    """Put the rows of a query into the table."""
    return f"INSERT INTO {in_lake(table)} ({names(outputs)}) {rows}"


def changed_rows(difference: Difference) -> str:
    """SELECT of the staged rows that are new or other."""
    return (
        f"SELECT {names(difference.outputs)} FROM {STAGED} AS s SEMI JOIN "
        f"(SELECT * FROM {DIFFERENCE} WHERE _mp_change IN ('new', 'other')) AS d ON {same('s', 'd', difference.key)} "
        f"WHERE {good()}"
    )


def other_keys(difference: Difference) -> str:
    """SELECT of the keys whose row is another now."""
    return f"SELECT {names(difference.key)} FROM {DIFFERENCE} WHERE _mp_change = 'other'"


def group_keys(key: tuple[str, ...]) -> str:
    """SELECT of the keys whose groups changed."""
    return f"SELECT {', '.join(f'_mp_g{i} AS {quote(name)}' for i, name in enumerate(key))} FROM {GROUPS}"


def all_rows(outputs: tuple[str, ...]) -> str:
    """SELECT of every good staged row."""
    return f"SELECT {names(outputs)} FROM {STAGED} WHERE {good()}"


def _in_groups(left: str, key: tuple[str, ...]) -> str:
    return " AND ".join(f"{left}.{quote(name)} IS NOT DISTINCT FROM g._mp_g{i}" for i, name in enumerate(key))


def create_narrowed(name: str, table: TableName, expressions: tuple[str, ...], within: str = "") -> str:
    """Temp view of the input's rows that belong to changed groups; `within` is a condition that all of these meet."""
    pairs = " AND ".join(f"({expression}) IS NOT DISTINCT FROM g._mp_g{i}" for i, expression in enumerate(expressions))
    rows = f"SELECT * FROM {in_lake(table)}{f' WHERE {within}' if within else ''}"
    return f"CREATE TEMP VIEW {quote(name)} AS SELECT i.* FROM ({rows}) AS i SEMI JOIN {GROUPS} AS g ON {pairs}"
