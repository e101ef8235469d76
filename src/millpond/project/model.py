"""What a model's file says: front matter and SQL, frozen, with the place of each word."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path
from typing import Literal

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.project.check import Check, CheckSeverity
from millpond.project.settings import ProjectSettings
from millpond.project.source import SourceSettings
from millpond.project.sql_file import Shift, SqlFile

ModelKind = Literal["append", "upsert", "scd2", "snapshot", "aggregate", "replace", "view"]

Dialect = Literal[
    "duckdb",
    "athena",
    "bigquery",
    "clickhouse",
    "databricks",
    "hive",
    "mysql",
    "oracle",
    "postgres",
    "presto",
    "redshift",
    "snowflake",
    "spark",
    "sqlite",
    "teradata",
    "trino",
    "tsql",
]

HISTORIES: tuple[ModelKind, ...] = ("scd2", "snapshot")
"""Kinds whose tables hold what was beside what is."""


@frozen
class ColumnNotes:
    """What the author says of one column; None where nothing is said."""

    description: str | None = None
    pii: str | None = None
    tags: tuple[str, ...] = ()
    type: str | None = None
    nullable: bool | None = None
    renamed_from: str | None = None


@frozen
class Partition:
    """One partition field: a transform (identity, year, month, day, hour, bucket, truncate) of a column."""

    column: str
    transform: str
    argument: int | None = None


@frozen
class Breaker:
    """When a model stops taking new input, and for how long until one increment is tried.

    It stops when more than `max_failed` (a share) of its rows are rejected, judged by at least `after` of them.
    """

    max_failed: float
    after: int
    retry_seconds: int


@frozen
class Function:
    """The function of a Python model: its name, the table that each argument reads, and the text of its file."""

    name: str
    inputs: tuple[tuple[str, TableName], ...]
    text: str
    """Without layout, comments and declaration."""


@frozen
class Model:
    """A SQL (or Python) file under `models/<layer>/` that makes the table `<layer>.<file name>`.

    `sql` is the file's text with the front matter blanked out (spaces and newlines kept), so that every line and
    column in it is the author's own, and with `${NAME}` replaced by values of one line; `file` knows the
    author's column where that moved one.
    """

    table: TableName
    kind: ModelKind
    path: Path
    sql: str
    dialect: Dialect = "duckdb"
    key: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    event_time: str | None = None
    delete_when: str | None = None
    tombstones: bool = False
    exclude: tuple[str, ...] = ()
    lookback: int | None = None
    """Seconds that windows may reach back."""
    partition: tuple[Partition, ...] = ()
    cluster: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    on_fail: CheckSeverity = "quarantine"
    review_by: str | None = None
    breaker: Breaker | None = None
    columns: dict[str, ColumnNotes] = field(default_factory=dict)
    description: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    function: Function | None = None
    """What makes the rows of a Python model, whose `sql` is empty."""
    places: dict[str, Location] = field(default_factory=dict, compare=False)
    """Where each front-matter entry stands, by dotted path such as `key.0` or `checks.1`."""
    shifts: tuple[Shift, ...] = field(default=(), compare=False)
    """Variables that were replaced in `sql`, in the order of the text."""

    @property
    def deletes(self) -> bool:
        """Whether rows of the query can delete keys."""
        return self.delete_when is not None or self.tombstones

    @property
    def row_key(self) -> tuple[str, ...]:
        """The columns that name one row of the table: a key has several where its history is kept."""
        return (*self.key, "valid_from") if self.kind in HISTORIES else self.key

    def place(self, entry: str = "kind") -> Location:
        """Where an entry of the front matter stands, or what holds it; the file itself when it is not written."""
        return _place(self.places, entry, self.path)

    @property
    def file(self) -> SqlFile:
        """The query, with the author's place of each of its words."""
        return SqlFile(self.path, self.sql, self.shifts)


@frozen
class Source:
    """A file under `sources/`: the name, what it says, and the table that it lands in."""

    name: str
    path: Path
    table: TableName
    settings: SourceSettings
    partition: tuple[Partition, ...] = ()
    places: dict[str, Location] = field(default_factory=dict, compare=False)

    def place(self, entry: str = "kind") -> Location:
        """Where an entry stands, or what holds it; the file itself when it is not written."""
        return _place(self.places, entry, self.path)


@frozen
class Project:
    """A whole project, as read; every path is absolute."""

    folder: Path
    settings: ProjectSettings
    environment: str
    variables: dict[str, str]
    sources: tuple[Source, ...]
    models: tuple[Model, ...]
    macros: tuple[SqlFile, ...] = ()
    """The files under `macros/`."""

    @property
    def state(self) -> Path:
        """The folder of everything that Millpond itself keeps."""
        return self.folder / ".millpond"

    def model(self, table: TableName) -> Model | None:
        """The model that makes a table, or None."""
        return next((model for model in self.models if model.table == table), None)

    def source(self, table: TableName) -> Source | None:
        """The source that lands in a table, or None."""
        return next((source for source in self.sources if source.table == table), None)


def _place(places: dict[str, Location], entry: str, path: Path) -> Location:
    while entry and entry not in places:
        entry = entry.rpartition(".")[0]
    return places.get(entry, Location(path))
