"""The rows in which two versions of a table differ: planned from their files, equal rows cancelled."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.catalog.metadata import TableMetadata
from millpond.core.names import literal, quote
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.tables.changes import between, whole
from millpond.tables.reading import rows_sql
from millpond.tables.rewrites import Rewrite
from millpond.tables.slices import Reading

CHANGE = "_change"
"""The column that says of a row of `changes_sql` what became of it."""

_CANCELLED = "_mp_cancelled"
_DIFFERENCE = "_mp_difference"


@frozen
class Difference:
    """Statements that find the difference, to be run in order in one session, and the queries that then give it.

    `rows` gives `change` (inserted, deleted or changed), `before` and `after` (structs of the columns, NULL where there
    is no such side). A row is changed when its key stands on both sides with other values. `counts` gives each kind
    of change with its number.
    """

    columns: Schema
    statements: tuple[str, ...]
    rows: str
    counts: str


def difference(before: TableMetadata | None, after: TableMetadata | None, key: Sequence[str] = ()) -> Difference:
    """The difference between two versions of what a name stands for; None where there was no table.

    Columns are those of `after`, by their ids where it is the same table, else by name; columns of both types that
    differ are compared as text. A key that is not among the columns counts as none. Raises CatalogError MP-3036 and
    MP-3038 as `changes` does.
    """
    sides = _sides(before, after)
    columns = sides.columns
    known = tuple(name for name in key if columns.get(name) is not None)
    paired = known if len(known) == len(key) else ()
    names = [quote(name) for name in columns.names]
    row = "{" + ", ".join(f"{literal(name)}: {quote(name)}" for name in columns.names) + "}"
    return Difference(
        columns,
        (_cancelled(sides.gained, sides.lost, names), _matched([quote(name) for name in paired], row)),
        f"SELECT change, before, after FROM {_DIFFERENCE} ORDER BY coalesce(after, before), change",
        f"SELECT change, count(*) FROM {_DIFFERENCE} GROUP BY change",
    )


def changes_sql(before: TableMetadata | None, after: TableMetadata | None, rewritten: Sequence[Rewrite] = ()) -> str:
    """A query of the rows that came and went: `_change` (inserted or deleted) and the columns of `after`.

    A row that is on both sides cancels. `rewritten` are the steps from one version to the other that changed files
    and no rows: those files are not read. Raises as `difference` does.
    """
    sides = _sides(before, after, rewritten)
    gained, lost = f"FROM ({sides.gained})", f"FROM ({sides.lost})"
    if sides.both:
        gained, lost = f"FROM ({gained} EXCEPT ALL {lost})", f"FROM ({lost} EXCEPT ALL {gained})"
    return f"SELECT 'inserted' AS {CHANGE}, * {gained} UNION ALL SELECT 'deleted' AS {CHANGE}, * {lost}"


@frozen
class _Sides:
    """The columns, queries of the rows that came and that went; where there are `both`, a row may be in both."""

    columns: Schema
    gained: str
    lost: str
    both: bool = True


def _sides(before: TableMetadata | None, after: TableMetadata | None, rewritten: Sequence[Rewrite] = ()) -> _Sides:
    if before is not None and after is not None and before.uuid == after.uuid:
        found = between(before, after, rewritten)
        columns = found.schema
        came, went = Reading(found.inserted, found.layout), Reading(found.deleted, found.layout)
        both = bool(found.inserted and found.deleted)
        return _Sides(columns, rows_sql(came, columns.names), rows_sql(went, columns.names), both)
    old = whole(before) if before is not None else None
    new = whole(after) if after is not None else None
    columns = _common(old, new)
    return _Sides(columns, _aligned(new, columns), _aligned(old, columns), bool(old and new))


def _common(old: Reading | None, new: Reading | None) -> Schema:
    """The columns of the newer side, else of the older; as text where the types of the two differ."""
    leading = new or old
    if leading is None:
        return Schema(())
    columns = []
    for column in leading.layout.schema:
        twin = old.layout.schema.get(column.name) if old is not None else None
        same = twin is None or twin.type == column.type
        columns.append(column if same else Column(column.name, "VARCHAR"))
    return Schema(tuple(columns))


def _aligned(side: Reading | None, columns: Schema) -> str:
    known = {} if side is None else {column.name.lower(): column.name for column in side.layout.schema}
    parts = [
        f"CAST({quote(known[c.name.lower()]) if c.name.lower() in known else 'NULL'} AS {c.type}) AS {quote(c.name)}"
        for c in columns
    ]
    if side is None:
        return f"SELECT {', '.join(parts)} WHERE false"
    names = [known[column.name.lower()] for column in columns if column.name.lower() in known]
    return f"SELECT {', '.join(parts)} FROM ({rows_sql(side, names)})"


def _cancelled(gained: str, lost: str, names: Sequence[str]) -> str:
    """Temp table of the rows that one side has more often, `_mp_n` times: above 0 came, below 0 went."""
    listed = ", ".join(names)
    both = f"SELECT {listed}, 1 AS _mp_n FROM ({gained}) UNION ALL SELECT {listed}, -1 AS _mp_n FROM ({lost})"
    return (
        f"CREATE TEMP TABLE {_CANCELLED} AS SELECT {listed}, sum(_mp_n)::BIGINT AS _mp_n FROM ({both}) "
        f"GROUP BY {listed} HAVING sum(_mp_n) <> 0"
    )


def _matched(key: Sequence[str], row: str) -> str:
    """Temp table of the changes; rows of one key, when there are several, are paired in order."""
    columns = [f"{name} AS _mp_k{index}" for index, name in enumerate(key)]
    place = f"row_number() OVER (PARTITION BY {', '.join(key)} ORDER BY {row})" if key else "0"

    def side(sign: str) -> str:
        parts = ", ".join([f"{row} AS _mp_side", f"{place} AS _mp_place", *columns])
        return f"SELECT {parts} FROM {_CANCELLED}, range(abs(_mp_n)) AS _mp_r(_mp_i) WHERE _mp_n {sign} 0"

    if not key:
        return (
            f"CREATE TEMP TABLE {_DIFFERENCE} AS "
            f"SELECT 'inserted' AS change, NULL AS before, _mp_side AS after FROM ({side('>')}) "
            f"UNION ALL SELECT 'deleted' AS change, _mp_side AS before, NULL AS after FROM ({side('<')})"
        )
    on = " AND ".join(f"g._mp_k{index} IS NOT DISTINCT FROM l._mp_k{index}" for index in range(len(key)))
    return (
        f"CREATE TEMP TABLE {_DIFFERENCE} AS SELECT CASE WHEN l._mp_place IS NULL THEN 'inserted' "
        f"WHEN g._mp_place IS NULL THEN 'deleted' ELSE 'changed' END AS change, "
        f"l._mp_side AS before, g._mp_side AS after "
        f"FROM ({side('>')}) AS g FULL JOIN ({side('<')}) AS l ON g._mp_place = l._mp_place AND {on}"
    )
