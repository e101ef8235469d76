"""SELECT statements that describe a table's rows: what each column holds, its common values, its newest times."""

from __future__ import annotations

import re
from collections.abc import Sequence

from millpond.core.names import TableName, quote
from millpond.core.records import frozen
from millpond.core.schema import Column

PORTIONS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The quantiles that a profile tells."""

_NUMBER = re.compile(r"(U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)|FLOAT|DOUBLE|DECIMAL\(.*\))\Z")
_NESTED = re.compile(r"(STRUCT|MAP|UNION|BLOB|BIT|VARIANT|GEOMETRY|JSON)\b|.*\]\Z")
_FLOATING = ("FLOAT", "DOUBLE")


@frozen
class Described:
    """A column to be described, and its place among the columns of the statement."""

    place: int
    column: Column

    @property
    def number(self) -> bool:
        """Whether it holds numbers."""
        return bool(_NUMBER.match(self.column.type))

    @property
    def text(self) -> bool:
        """Whether it holds text."""
        return self.column.type == "VARCHAR"

    @property
    def plain(self) -> bool:
        """Whether its values can be compared and grouped by."""
        return not _NESTED.match(self.column.type)

    @property
    def name(self) -> str:
        """The column, quoted."""
        return quote(self.column.name)


def measures(table: TableName, columns: Sequence[Described], *, exact: bool) -> str:
    """SELECT of one row: `rows`, and for each column `known_N`, `distinct_N`, `least_N`, `most_N`, for numbers
    `mean_N`, `stddev_N` and `quantiles_N`, for text `shortest_N` and `longest_N`. Quantiles are estimated unless
    `exact`; distinct values always."""
    asked = ["count(*) AS rows"]
    for one in columns:
        asked.append(f"count({one.name}) AS known_{one.place}")
        if not one.plain:
            continue
        asked.append(f"approx_count_distinct({one.name}) AS distinct_{one.place}")
        asked += [f"min({one.name}) AS least_{one.place}", f"max({one.name}) AS most_{one.place}"]
        if one.text:
            asked += [
                f"min(length({one.name})) AS shortest_{one.place}",
                f"max(length({one.name})) AS longest_{one.place}",
            ]
        if one.number:
            number = _finite(one)
            called = "quantile_cont" if exact else "approx_quantile"
            portions = ", ".join(map(str, PORTIONS))
            asked += [f"avg({number}) AS mean_{one.place}", f"stddev_samp({number}) AS stddev_{one.place}"]
            asked.append(f"{called}({number}, [{portions}]) AS quantiles_{one.place}")
    return f"SELECT {', '.join(asked)} FROM {table.quoted}"


def common_values(table: TableName, columns: Sequence[Described], most: int) -> str:
    """SELECT of (place, value, records, groups): the commonest values of each column, and how many distinct ones it
    has, exact."""
    parts = [
        f"(SELECT {one.place} AS place, {one.name}::VARCHAR AS value, count(*) AS records, count(*) OVER () AS groups "
        f"FROM {table.quoted} WHERE {one.name} IS NOT NULL GROUP BY {one.name} "
        f"ORDER BY records DESC, value LIMIT {int(most)})"
        for one in columns
    ]
    return " UNION ALL ".join(parts)


def distinct_values(table: TableName, columns: Sequence[Described]) -> str:
    """SELECT of how many distinct values each column has, exact: `distinct_N`."""
    asked = ", ".join(f"count(DISTINCT {one.name}) AS distinct_{one.place}" for one in columns)
    return f"SELECT {asked} FROM {table.quoted}"


def newest_times(table: TableName, moment: str, partition: Sequence[tuple[str, str]], most: int) -> str:
    """SELECT of `rows` and `newest` for each partition, the newest first; `partition` names its expressions."""
    named = "".join(f"{expression} AS {quote(name)}, " for name, expression in partition)
    return (
        f"SELECT {named}count(*) AS rows, max({moment}) AS newest FROM {table.quoted} "
        f"GROUP BY ALL ORDER BY newest DESC NULLS LAST LIMIT {int(most)}"
    )


def _finite(one: Described) -> str:
    """The column as numbers to reckon with: not a number and infinity are left out."""
    if one.column.type in _FLOATING:
        return f"(CASE WHEN isfinite({one.name}) THEN {one.name}::DOUBLE END)"
    return f"{one.name}::DOUBLE"
