"""The changed rows of a step's inputs."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import TableName, literal
from millpond.core.records import frozen
from millpond.core.schema import ORIGIN_COLUMNS
from millpond.pipeline.plan import InputRange
from millpond.pipeline.workbench import Workbench
from millpond.sql.staging import create_input
from millpond.tables.changes import Changes, changes
from millpond.tables.reading import deleted_sql, inserted_sql


@frozen
class InputChanges:
    """The rows of one input that came and went since the step last read it."""

    table: TableName
    changes: Changes

    @property
    def inserted(self) -> bool:
        """Whether any rows came."""
        return bool(self.changes.inserted)

    @property
    def deleted(self) -> bool:
        """Whether any rows went."""
        return bool(self.changes.deleted)

    @property
    def whole(self) -> bool:
        """Whether the table was made anew, so that what was made of its older rows must be made anew as well."""
        return self.changes.whole

    @property
    def any(self) -> bool:
        """Whether anything happened."""
        return self.inserted or self.deleted or self.whole

    @property
    def bears_origin(self) -> bool:
        """Whether each row says which record it was."""
        return bears_origin(self.changes.schema.names)

    def queries(self) -> tuple[str, ...]:
        """Queries that give the changed rows with the table's columns: those that came, those that went."""
        columns = self.changes.schema.names
        came = (inserted_sql(self.changes, columns),) if self.inserted else ()
        went = (deleted_sql(self.changes, columns),) if self.deleted else ()
        return came + went

    def view(self, name: str, *, went: bool = False) -> str:
        """The statement that makes the temp view of the rows that came, or went, with their origin."""
        columns = self.changes.schema.names
        return row_view(name, self.table, columns, (deleted_sql if went else inserted_sql)(self.changes, columns))


def row_view(name: str, table: TableName, columns: tuple[str, ...], rows: str) -> str:
    """The statement that makes the temp view of some of a table's rows, each with its origin.

    Rows that do not bear the origin of their record are from the table: where they lie in it may change.
    """
    bronze = bears_origin(columns)
    told = tuple(column for column in columns if column not in ORIGIN_COLUMNS)
    nowhere = (literal(str(table)), "NULL::BIGINT", "NULL::VARCHAR")
    origin = ("_origin", "_position", "_load") if bronze else nowhere
    return create_input(name, rows, (*told, "_rescued") if bronze else told, origin)


def bears_origin(columns: Sequence[str]) -> bool:
    """Whether rows of these columns say which record each was."""
    return all(column in columns for column in ORIGIN_COLUMNS)


def read_changes(bench: Workbench, ranges: tuple[InputRange, ...], until: int) -> tuple[InputChanges, ...]:
    """What each input brought up to commit `until`."""
    return tuple(InputChanges(r.table, changes(bench.catalog, r.table, r.since, until)) for r in ranges)
