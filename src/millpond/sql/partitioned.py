"""Tables that are replaced by partition: the rows of a partition come from input rows of that partition alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from millpond.core.names import TableName, literal, quote
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.sql.difference import GROUPS
from millpond.sql.groups import GroupKey, proven
from millpond.sql.keys import names, same
from millpond.sql.lake import in_lake
from millpond.sql.parse import Query
from millpond.sql.quarantine import raw_field
from millpond.sql.references import volatile
from millpond.sql.staging import STAGED, good

_TIMES = ("year", "month", "day", "hour")


@frozen
class PartitionField:
    """A partition field whose values the engine can tell: a column, or a column's time cut to a unit."""

    column: str
    unit: str | None

    def value(self, column: str) -> str:
        """The partition's value of a column that is given as SQL."""
        return column if self.unit is None else f"date_trunc({literal(self.unit)}, {column})"


def partition_fields(partition: Sequence[tuple[str, str]]) -> tuple[PartitionField, ...] | None:
    """The fields of (transform, column) pairs; None where one is of another kind, or there is none."""
    found = [
        PartitionField(column, None if transform == "identity" else transform)
        for transform, column in partition
        if transform == "identity" or transform in _TIMES
    ]
    return tuple(found) if found and len(found) == len(partition) else None


def keyed(key: Sequence[str]) -> tuple[PartitionField, ...]:
    """The fields of a table that is replaced key by key."""
    return tuple(PartitionField(column, None) for column in key)


def find_partitions(query: Query, fields: Sequence[PartitionField]) -> GroupKey | str:
    """The partition of the rows that an input row gives, over that row; or why partitions meet."""
    called = next(iter(volatile(query)), None)
    if called is not None:
        return f"{called[0]} gives another value in each run"
    return proven(query, [(field.column, _cut(field.unit)) for field in fields])


def _cut(unit: str | None) -> Callable[[exp.Expr], exp.Expr]:
    """What makes a partition's value of a column's."""
    if unit is None:
        return lambda traced: traced
    return lambda traced: exp.Anonymous(this="date_trunc", expressions=[exp.Literal.string(unit), traced])


def changed_partitions(fields: Sequence[PartitionField], columns: Mapping[str, str]) -> str:
    """The condition that a row is of a changed partition; `columns` are its partition columns as SQL."""
    return f"EXISTS (SELECT 1 FROM {GROUPS} AS g WHERE {_same(fields, columns)})"


def of_row(fields: Sequence[PartitionField], alias: str) -> dict[str, str]:
    """The partition columns of the rows of a relation."""
    return {field.column: f"{alias}.{quote(field.column)}" for field in fields}


def of_partitions(fields: Sequence[PartitionField], schema: Schema) -> str:
    """The scope of a step that replaced partitions: records in quarantine whose raw row is of one of them."""
    columns = {column.name: column.type for column in schema}
    given = {field.column: f"TRY_CAST({raw_field(field.column)} AS {columns[field.column]})" for field in fields}
    return changed_partitions(fields, given)


def count_replaced(table: TableName, fields: Sequence[PartitionField]) -> str:
    """SELECT of how many rows of the table are of changed partitions."""
    return f"SELECT count(*) FROM {in_lake(table)} AS p WHERE {changed_partitions(fields, of_row(fields, 'p'))}"


def delete_replaced(table: TableName, fields: Sequence[PartitionField]) -> str:
    """Take all rows of changed partitions out of the table."""
    on = _same(fields, of_row(fields, "p"))
    return f"MERGE INTO {in_lake(table)} AS p USING {GROUPS} AS g ON {on} WHEN MATCHED THEN DELETE"


def key_elsewhere(table: TableName, fields: Sequence[PartitionField], key: Sequence[str]) -> str:
    """SELECT of one key of a staged row that another row has in a partition that did not change."""
    elsewhere = f"NOT {changed_partitions(fields, of_row(fields, 'p'))}"
    rows = f"SELECT {names(key)} FROM {in_lake(table)} AS p WHERE {elsewhere}"
    return (
        f"SELECT {names(key, 's')} FROM {STAGED} AS s SEMI JOIN ({rows}) AS t ON {same('s', 't', key)} "
        f"WHERE {good()} LIMIT 1"
    )


def _same(fields: Sequence[PartitionField], columns: Mapping[str, str]) -> str:
    return " AND ".join(
        f"{field.value(columns[field.column])} IS NOT DISTINCT FROM g._mp_g{index}"
        for index, field in enumerate(fields)
    )
