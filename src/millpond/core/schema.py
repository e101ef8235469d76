"""What a table's columns are: names, types as the embedded engine writes them, meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from millpond.core.records import frozen

ORIGIN_COLUMNS = ("_origin", "_position", "_load", "_loaded_at", "_rescued")
"""The columns that bronze adds to each record.

_origin     VARCHAR    where it came from: a file's path, topic/partition, a device
_position   BIGINT     record number in the file from 1, offset, or sequence
_load       VARCHAR    the step that brought it
_loaded_at  TIMESTAMP  when, in UTC
_rescued    VARCHAR    JSON object of what fitted no column, else NULL
"""


@frozen
class Column:
    """One column. `type` is a DuckDB type name such as BIGINT, DECIMAL(18,3) or STRUCT(a BIGINT)."""

    name: str
    type: str
    required: bool = False
    doc: str | None = None


@frozen
class Schema:
    """Columns in order."""

    columns: tuple[Column, ...]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    def get(self, name: str) -> Column | None:
        """The column of that name, compared without case, or None."""
        folded = name.lower()
        return next((column for column in self.columns if column.name.lower() == folded), None)

    def of(self, names: Iterable[str]) -> tuple[Column, ...]:
        """The columns of those names, in their order, without those that are not there."""
        return tuple(column for column in map(self.get, names) if column is not None)


ORIGIN_SCHEMA = Schema(
    (
        Column("_origin", "VARCHAR"),
        Column("_position", "BIGINT"),
        Column("_load", "VARCHAR"),
        Column("_loaded_at", "TIMESTAMP"),
        Column("_rescued", "VARCHAR"),
    )
)
