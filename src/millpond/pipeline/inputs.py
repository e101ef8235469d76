"""The changed rows of a step's inputs."""

from __future__ import annotations

from dataclasses import dataclass

from millpond.core.names import TableName, literal
from millpond.core.schema import ORIGIN_COLUMNS
from millpond.pipeline.plan import InputRange
from millpond.pipeline.workbench import Workbench
from millpond.sql.staging import create_input
from millpond.tables.changes import Changes, changes
from millpond.tables.reading import deleted_sql, inserted_sql


@dataclass(frozen=True)
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
        return all(column in self.changes.schema.names for column in ORIGIN_COLUMNS)

    def queries(self) -> tuple[str, ...]:
        """Queries that give the changed rows with the table's columns: those that came, those that went."""
        columns = self.changes.schema.names
        came = (inserted_sql(self.changes, columns),) if self.inserted else ()
        went = (deleted_sql(self.changes, columns),) if self.deleted else ()
        return came + went

    def view(self, name: str, *, went: bool = False) -> str:
        """The statement that makes the temp view of the rows that came, or went, with their origin.

        Rows that do not bear the origin of their record are from the table: where they lie in it may change.
        """
        columns, bronze = self.changes.schema.names, self.bears_origin
        rows = (deleted_sql if went else inserted_sql)(self.changes, columns)
        told = [column for column in columns if column not in ORIGIN_COLUMNS]
        fields = (*told, "_rescued") if bronze else tuple(told)
        nowhere = (literal(str(self.table)), "NULL::BIGINT", "NULL::VARCHAR")
        return create_input(name, rows, fields, ("_origin", "_position", "_load") if bronze else nowhere)


def read_changes(bench: Workbench, ranges: tuple[InputRange, ...], until: int) -> tuple[InputChanges, ...]:
    """What each input brought up to commit `until`."""
    return tuple(InputChanges(r.table, changes(bench.catalog, r.table, r.since, until)) for r in ranges)
