"""A lake of plain tables in memory, for landing files without catalog and gateway."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb

from millpond.catalog.commits import SeenFile
from millpond.core.errors import EngineError
from millpond.core.names import TableName, quote
from millpond.core.schema import Column, Schema
from millpond.ingest.files.discovery import Discovery, discover
from millpond.ingest.files.identity import parser_hash
from millpond.ingest.files.landing import land
from millpond.ingest.files.looks import looks_at
from millpond.ingest.source import Landed, Load
from millpond.project.model import Project, Source
from millpond.project.settings import ProjectSettings
from millpond.project.source import FilesSource

BRONZE = TableName("bronze", "things")


class PlainSession:
    """The session of the engine's protocol, over tables in memory."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("SET threads = 2")
        self.connection.execute("SET preserve_insertion_order = false")
        self.connection.execute("ATTACH ':memory:' AS lake")
        self.connection.execute("CREATE SCHEMA lake.bronze")
        self.connection.execute("CREATE SCHEMA lake.quarantine")

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run a statement; the number that it gives."""
        rows = self.rows(sql, parameters)
        return rows[0][0] if rows and isinstance(rows[0][0], int) else 0

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a query."""
        try:
            return self.connection.execute(sql, list(parameters)).fetchall()
        except duckdb.Error as failed:
            raise EngineError("MP-4004", str(failed).splitlines()[0], next_step="see the file") from failed

    def describe(self, sql: str, parameters: Sequence[object] = ()) -> Schema:
        """The columns of a query."""
        return Schema(tuple(Column(row[0], row[1]) for row in self.rows(f"DESCRIBE {sql}", parameters)))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")


class PlainTables:
    """Catalog and stage in one: tables are made at once."""

    def __init__(self, session: PlainSession, folder: Path) -> None:
        self.session = session
        self.folder = folder
        self.schemas: dict[TableName, Schema] = {}

    base = 0

    @property
    def warehouse(self) -> PlainTables:
        """The lake's roots are asked of the same object."""
        return self

    def root_of(self, _layer: str) -> str:
        """One root for every layer."""
        return str(self.folder)

    def find(self, name: TableName, at: int | None = None) -> TableName | None:
        """The name, if there is such a table."""
        return name if name in self.schemas else None

    def published(self, load: str) -> int:
        """The number of a load; they are told apart by it at the end of their names."""
        return int("".join(filter(str.isdigit, load)))

    def metadata(self, entry: TableName) -> Any:
        """What knows the table's columns."""
        return SimpleNamespace(schema=lambda: self.schemas[entry])

    def create_table(self, name: TableName, schema: Schema, _partition: object = ()) -> None:
        """Make a table at once; plain tables have no partitions."""
        columns = ", ".join(f"{quote(column.name)} {column.type}" for column in schema)
        self.session.execute(f"CREATE TABLE lake.{name.quoted} ({columns})")
        self.schemas[name] = schema

    def repartition(self, _name: TableName, _partition: object) -> bool:
        """Plain tables have no partitions."""
        return False

    def add_columns(self, name: TableName, columns: tuple[Column, ...], wider: tuple[Column, ...] = ()) -> None:
        """Add columns at once, and widen others."""
        for column in wider:
            self.session.execute(f"ALTER TABLE lake.{name.quoted} ALTER {quote(column.name)} TYPE {column.type}")
        new = {column.name: column for column in wider}
        self.schemas[name] = Schema(tuple(new.get(column.name, column) for column in self.schemas[name]))
        for column in columns:
            self.session.execute(f"ALTER TABLE lake.{name.quoted} ADD COLUMN {quote(column.name)} {column.type}")
        self.schemas[name] = Schema((*self.schemas[name].columns, *columns))

    def forget(self, name: TableName) -> None:
        """Drop a table, if it is there."""
        if self.schemas.pop(name, None):
            self.session.execute(f"DROP TABLE lake.{name.quoted}")


class FixedClock:
    """A clock that stands an hour after every file was written, so that all are settled."""

    def __init__(self, ahead: float = 3600) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        """The present, moved ahead."""
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.ahead, UTC)


@dataclass
class Lake:
    """A project with one source, and what it has loaded."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    clock: FixedClock = field(default_factory=FixedClock)
    seen: dict[str, SeenFile] = field(default_factory=dict)
    contents: dict[str, set[str]] = field(default_factory=dict)
    loads: int = 0

    def __post_init__(self) -> None:
        self.session = PlainSession()
        self.tables = PlainTables(self.session, self.folder / ".millpond" / "lake")

    @property
    def source(self) -> Source:
        """The source as it is declared now."""
        settings = FilesSource(kind="files", **{"paths": ("data/*",), **self.settings})
        return Source("things", self.folder / "sources" / "things.yaml", BRONZE, settings)

    @property
    def project(self) -> Project:
        """The project around it."""
        return Project(self.folder, ProjectSettings(version=1, name="test"), "prod", {}, (self.source,), ())

    def discover(self) -> Discovery:
        """What there is to load."""
        loaded = frozenset(self.contents.get(parser_hash(self.source), ()))
        looks = partial(looks_at, self.source, self.project)
        return discover(self.source, looks, tuple(self.seen.values()), loaded, self.clock)

    def load(self) -> Landed:
        """Discover and land, and remember it as the catalog would."""
        self.loads += 1
        landed = land(
            self.source,
            self.project,
            Load(
                self.session,
                self.tables,  # type: ignore[arg-type]
                self.tables,  # type: ignore[arg-type]
                f"load-{self.loads}",
                datetime(2024, 5, 1, 12, tzinfo=UTC),
            ),
            self.discover(),
        )
        assert landed.ledger.adds_up
        for file in landed.files:
            known = self.contents.setdefault(file.parser, set())
            if file.outcome == "replaced":
                self.contents.get(file.parser, known).discard(file.content)
                continue
            self.seen[file.path] = file
            if file.outcome == "loaded":
                known.add(file.content)
        return landed

    def write(self, name: str, content: str | bytes) -> Path:
        """Put a file into the project; text is written as UTF-8."""
        path = self.folder / name if "/" in name else self.folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query, in which `things` is the bronze table and `records` the quarantine."""
        text = sql.replace("{things}", "lake.bronze.things").replace("{records}", "lake.quarantine.records")
        return self.session.rows(text)

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of bronze, by file and record; without any, all of the records' own."""
        names = columns or tuple(
            column.name for column in self.tables.schemas[BRONZE] if not column.name.startswith("_")
        )
        return self.ask(f"SELECT {', '.join(map(quote, names))} FROM {{things}} ORDER BY _origin, _position, _load")


def age(path: Path, seconds: float) -> None:
    """Say that a file was written this long ago."""
    told = path.stat()
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns - int(seconds * 1e9)))
