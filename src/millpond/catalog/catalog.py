"""The catalog of one environment: which tables there are, what every commit recorded, and the start of new work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from millpond.catalog import records
from millpond.catalog.cache import MetadataCache
from millpond.catalog.commits import (
    TABLE,
    CommitRecord,
    Edge,
    Ledger,
    ModelState,
    SeenFile,
    TableEntry,
    Verdict,
)
from millpond.catalog.keeper import Keeper
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.publishing import Publisher
from millpond.catalog.recording import micros
from millpond.catalog.soundness import Soundness
from millpond.catalog.staging import Stage, no_such_table
from millpond.catalog.store import Store
from millpond.catalog.tokens import Tokens
from millpond.catalog.warehouse import Warehouse
from millpond.core.clock import Clock
from millpond.core.names import TableName
from millpond.core.records import frozen

P = ParamSpec("P")
T = TypeVar("T")

CLIENT = "millpond"


@frozen
class Grant:
    """What a token stands for: a view of the tables, and whether it may stage changes."""

    stage: Stage
    writes: bool


class Catalog:
    """The tables of one environment. Make it with `Catalog.open`; safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        warehouse: Warehouse,
        environment: str,
        clock: Clock,
        tokens: Tokens[Grant],
        cache: MetadataCache,
    ) -> None:
        self.store = store
        self.warehouse = warehouse
        self.environment = environment
        self.clock = clock
        self.tokens = tokens
        self.cache = cache
        self.soundness = Soundness(store, cache.compared)

    @classmethod
    def open(cls, url: str, warehouse: str | Warehouse, environment: str, clock: Clock) -> Catalog:
        """Open the pointer store at `url`, a path, `sqlite:///PATH` or `postgresql://...`, made where it is not.

        `warehouse` is the folder of all tables, or where those of each layer lie. Raises as `Store.open` does, also
        CatalogError MP-3057 when there is no store though the warehouse holds tables, MP-3055 for a warehouse that is
        no folder, and MP-3058 for one that was moved or copied.
        """
        place = Warehouse(warehouse) if isinstance(warehouse, str) else warehouse
        store = Store.open(url, lambda: not place.holds_tables())
        location = store.ask(records.newest_location)
        if location is not None:
            place.check_home(location, store.place)
        return cls(store, place, environment, clock, Tokens(), MetadataCache())

    def close(self) -> None:
        """Close the store's connections."""
        self.store.close()

    def head(self) -> int:
        """The number of the newest commit of all environments, 0 before the first."""
        return self._ask(records.head)

    def number_at(self, when: datetime) -> int:
        """The number of the newest commit not later than a moment, 0 for none."""
        return self._ask(records.number_at, when)

    def tables(self, at: int | None = None, kind: str = TABLE) -> tuple[TableEntry, ...]:
        """Every table (or, by its kind, every view), by name, now or as of a commit."""
        return self._ask(records.tables, self.environment, at, kind)

    def find(self, name: TableName, at: int | None = None, kind: str = TABLE) -> TableEntry | None:
        """A table (or, by its kind, a view) now or as of a commit, None when there is none."""
        return self._ask(records.find, self.environment, name, at, kind)

    def table(self, name: TableName, at: int | None = None) -> TableEntry:
        """A table now or as of a commit. Raises CatalogError MP-3001 when there is none."""
        entry = self.find(name, at)
        if entry is None:
            raise no_such_table(name, (known.name for known in self.tables(at)))
        return entry

    def metadata(self, entry: TableEntry) -> TableMetadata:
        """The metadata that a pointer names. Raises CatalogError MP-3032 (gone), MP-3033 or MP-3192 (damaged)."""
        found = self.cache.load(entry.metadata_location)
        self.soundness.check((entry.metadata_location,))
        return found

    def history(self, name: TableName | None = None, limit: int = 100) -> tuple[CommitRecord, ...]:
        """The newest commits, of all or of those that moved one table, newest first."""
        return self._ask(records.history, self.environment, name, limit)

    def cursors(self, at: int | None = None) -> dict[tuple[TableName, TableName], int]:
        """How far each consumer has read each of its inputs, by consumer and input: commit numbers."""
        return self._ask(records.all_cursors, self.environment, self._until(at))

    def seen_files(self, source: str, at: int | None = None) -> tuple[SeenFile, ...]:
        """The newest row of each path that a source has dealt with, by path."""
        return self._ask(records.seen_files, self.environment, source, self._until(at))

    def loaded_contents(self, source: str, parser: str, at: int | None = None) -> frozenset[str]:
        """The contents (SHA-256, hex) that a source has loaded with these settings and not replaced since."""
        return self._ask(records.loaded_contents, self.environment, source, parser, self._until(at))

    def model_states(self, at: int | None = None) -> dict[TableName, ModelState]:
        """What each table was last built by; tables that were dropped since are left out."""
        return self._ask(records.model_states, self.environment, self._until(at))

    def published(self, step_key: str) -> int | None:
        """The number of the commit with a step key, None when that step is not published."""
        return self._ask(records.published, step_key)

    def verdicts(self, number: int) -> tuple[Verdict, ...]:
        """What came of each check of a commit's step."""
        return self._ask(records.verdicts_of, number)

    def ledger(self, number: int) -> Ledger | None:
        """Where every row of a commit's step went; None for a commit without a ledger."""
        return self._ask(records.ledger_of, number)

    def lineage(self, output: TableName, at: int | None = None) -> tuple[Edge, ...]:
        """From which input columns a table's columns were made."""
        return self._ask(records.edges, self.environment, output, self._until(at))

    def begin(self, step_key: str, base: int | None = None) -> Stage:
        """Start a step that sees the tables as of commit `base`, by default the newest, and its own staged work."""
        stage = open_stage(self, step_key, self._until(base), CLIENT)
        stage.token = self.tokens.issue(Grant(stage, writes=True))
        stage.on_close(lambda: self.tokens.revoke(stage.token))
        return stage

    def read_token(self, at: int | None = None) -> str:
        """A token that only reads, the tables as of commit `at`, by default the newest. Give it back by `release`."""
        return self.tokens.issue(Grant(open_stage(self, "", self._until(at), CLIENT), writes=False))

    def release(self, token: str) -> None:
        """Forget a token."""
        self.tokens.revoke(token)

    def _until(self, at: int | None) -> int:
        return self.head() if at is None else at

    def _ask(self, question: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.store.ask(lambda connection: question(connection, *args, **kwargs))


def open_stage(catalog: Catalog, step_key: str, base: int, client: str, keeper: Keeper | None = None) -> Stage:
    """A stage without a token. An empty step key is that of a direct commit of an outside client."""
    publisher = Publisher(catalog.store, catalog, catalog.cache, catalog.clock.now, client, keeper)
    return Stage(catalog, base, step_key, lambda: micros(catalog.clock.now()) // 1000, publisher.publish)


def in_environment(catalog: Catalog, environment: str) -> Catalog:
    """The same store, seen for another environment."""
    if environment == catalog.environment:
        return catalog
    return Catalog(catalog.store, catalog.warehouse, environment, catalog.clock, catalog.tokens, catalog.cache)


def keeper_of(catalog: Catalog) -> Keeper:
    """What looks after the files of outside clients' commits, in every environment of the store."""

    def alive(location: str, snapshots: frozenset[int]) -> bool:
        with catalog.store.read() as connection:
            entries = records.at_location(connection, location)
        documents = (catalog.metadata(entry) for entry in entries)
        return any(metadata.snapshot(number) is not None for metadata in documents for number in snapshots)

    return Keeper(catalog.warehouse.roots, alive)
