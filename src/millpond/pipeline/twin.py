"""A lake of plain tables in memory, on which a model's step is rehearsed: it answers as catalog and stage do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from millpond.core.names import LAYERS, QUARANTINE, TableName
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Engine, Session
from millpond.pipeline.inputs import InputChanges, row_view
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Partition, Project
from millpond.sql.binding import add_column, create_empty, create_schema, drop_table, empty_table
from millpond.sql.lake import in_lake
from millpond.sql.rehearsal import drop_temporary, plain_lake, stopped_clock, temporary
from millpond.tables.changes import Changes
from millpond.tables.slices import Layout

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.staging import Stage


@frozen
class TwinTable:
    """What is known of a plain table."""

    name: TableName
    columns: Schema

    def schema(self) -> Schema:
        """Its columns."""
        return self.columns


class Twin:
    """Tables that are made, widened and emptied at once, in the session's memory."""

    base = 0
    step_key = "rehearsal"

    def __init__(self, session: Session, now: datetime) -> None:
        self._session = session
        self._tables: dict[TableName, TwinTable] = {}
        for statement in (*plain_lake((*LAYERS, QUARANTINE)), *stopped_clock(now)):
            session.execute(statement)

    @property
    def stage(self) -> Stage:
        """The twin as a step's stage."""
        return cast("Stage", self)

    def find(self, name: TableName, at: int | None = None) -> TwinTable | None:  # noqa: ARG002 - as a catalog does
        """The table, if there is one."""
        return self._tables.get(name)

    def metadata(self, table: TableName | TwinTable) -> TwinTable:
        """What is known of a table."""
        return self._tables[table.name if isinstance(table, TwinTable) else table]

    def create_table(
        self,
        name: TableName,
        schema: Schema,
        partition: tuple[Partition, ...] = (),  # noqa: ARG002 - as a stage does
        properties: Mapping[str, str] | None = None,  # noqa: ARG002 - as a stage does
    ) -> TwinTable:
        """Make a table."""
        self._session.execute(create_schema(name.layer))
        self._session.execute(create_empty(name, schema))
        self._tables[name] = TwinTable(name, schema)
        return self._tables[name]

    def add_columns(self, name: TableName, columns: tuple[Column, ...]) -> None:
        """Give a table more columns."""
        for column in columns:
            self._session.execute(add_column(name, column))
        self._tables[name] = TwinTable(name, Schema((*self._tables[name].columns, *columns)))

    def truncate(self, name: TableName) -> None:
        """Take all rows away."""
        self._session.execute(empty_table(name))

    def drop_table(self, name: TableName) -> None:
        """Take a table away."""
        self._session.execute(drop_table(name))
        del self._tables[name]

    def repartition(self, name: TableName, partition: tuple[Partition, ...]) -> bool:  # noqa: ARG002 - as a stage does
        """Plain tables have no partitions."""
        return False

    def forget(self) -> None:
        """Take away the temporary relations of a step that is done, so that the next may make its own."""
        for name, view in self._session.rows(temporary()):
            self._session.execute(drop_temporary(name, view=view))

    def changed(self) -> tuple[TableName, ...]:
        """All that there is was made in the rehearsal."""
        return tuple(sorted(self._tables))


@frozen
class StandingClock:
    """A clock that always tells the same moment."""

    moment: datetime

    def now(self) -> datetime:
        """The moment."""
        return self.moment


def twin_bench(project: Project, twin: Twin, engine: Engine, now: datetime) -> Workbench:
    """What a step works with in a rehearsal."""
    catalog = cast("Catalog", twin)
    return Workbench(project, catalog, engine, "", StandingClock(now), "rehearsal", "rehearsal")


class GivenRows(InputChanges):
    """All rows of a plain table, as changes that a step takes in."""

    @property
    def inserted(self) -> bool:
        """They all came."""
        return True

    def queries(self) -> tuple[str, ...]:
        """The rows that came."""
        return (self._rows(),)

    def view(self, name: str, *, went: bool = False) -> str:  # noqa: ARG002 - none went
        """The statement that makes the temp view of the rows, with their origin."""
        return row_view(name, self.table, self.changes.schema.names, self._rows())

    def _rows(self) -> str:
        return f"FROM {in_lake(self.table)}"


def given_rows(twin: Twin, table: TableName) -> GivenRows:
    """A table's rows as the changes of an input."""
    schema = twin.metadata(table).schema()
    fields: dict[str, Any] = {name: number for number, name in enumerate(schema.names, start=1)}
    return GivenRows(table, Changes((), (), Layout(schema, fields), whole=False))
