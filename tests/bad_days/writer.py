"""A process that is a stock client: it appends numbers to tables, reads them, and keeps a diary.

ENDPOINT CLIENT WHO FOLDER TABLE...: until there is a file `stop` in the folder. A refused commit (409) is tried again
by a rule, each try a transaction of its own with a new number.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException, RESTError

from millpond.core.retry import Backoff, retry
from tests.bad_days.history import Diary
from tests.catalog.clients import stock_duckdb

LAYER = "bronze"
RULE = Backoff(tries=8, first=0.02, most=0.5)


UNHEARD = (OSError, duckdb.Error, RESTError, CommitStateUnknownException)
"""What clients say when they heard no answer, or one that they do not understand: the outcome is unknown."""


class RefusedError(Exception):
    """Another commit came first; nothing was changed."""


class Client(Protocol):
    """What is asked of a stock client."""

    most: int
    """How many tables one of its transactions may change."""

    def read(self, table: str) -> list[int]:
        """The numbers in a table, in the transaction if one is open."""
        ...

    def append(self, table: str, number: int) -> None:
        """Put a number into a table. Raises RefusedError."""
        ...

    def transaction(self) -> Any:
        """A block whose reads and appends are one transaction. Raises RefusedError at its end."""
        ...


class ByDuckDB:
    """Stock DuckDB: transactions over several tables."""

    most = 3

    def __init__(self, endpoint: str) -> None:
        self._lake = stock_duckdb(endpoint)

    def read(self, table: str) -> list[int]:
        """See `Client`."""
        return [number for (number,) in self._lake.execute(f"SELECT n FROM lake.{LAYER}.{table}").fetchall()]

    def append(self, table: str, number: int) -> None:
        """See `Client`."""
        with _refusals(duckdb.TransactionException):
            self._lake.execute(f"INSERT INTO lake.{LAYER}.{table} VALUES (?)", [number])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Client`."""
        self._lake.execute("BEGIN")
        try:
            yield
            with _refusals(duckdb.TransactionException):
                self._lake.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):
                self._lake.execute("ROLLBACK")
            raise


class ByPyIceberg:
    """Stock PyIceberg: what it appends goes on what it read last."""

    most = 1

    def __init__(self, endpoint: str) -> None:
        self._catalog = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod")
        self._open: dict[str, Any] | None = None

    def read(self, table: str) -> list[int]:
        """See `Client`."""
        numbers: list[int] = self._table(table).scan().to_arrow()["n"].to_pylist()
        return numbers

    def append(self, table: str, number: int) -> None:
        """See `Client`."""
        with _refusals(CommitFailedException):
            self._table(table).append(pa.table({"n": [number]}))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Client`."""
        self._open = {}
        try:
            yield
        finally:
            self._open = None

    def _table(self, name: str) -> Any:
        if self._open is None:
            return self._catalog.load_table(f"{LAYER}.{name}")
        if name not in self._open:
            self._open[name] = self._catalog.load_table(f"{LAYER}.{name}")
        return self._open[name]


@contextmanager
def _refusals(kind: type[Exception]) -> Iterator[None]:
    """Tell a commit that was refused from one of which nothing is known."""
    try:
        yield
    except kind as error:
        text = str(error)
        if kind is CommitFailedException or "409" in text or "was changed by another commit" in text:
            raise RefusedError(text) from error
        raise


class Writer:
    """Makes transactions of all kinds by chance, and notes them."""

    def __init__(self, client: Client, diary: Diary, tables: list[str], number: int) -> None:
        self._client = client
        self._diary = diary
        self._tables = tables
        self._number = number * 1_000_000
        self._chance = random.Random(number)

    def once(self) -> None:
        """One piece of work, in as many tries as the rule allows."""
        works = (self._blind, self._blind, self._look_and_append, self._over_several, self._look)
        work = self._chance.choice(works)
        with suppress(RefusedError):
            retry(lambda _attempt: self._try(work), on=RefusedError, backoff=RULE)

    def _try(self, work: Callable[[], None]) -> None:
        self._diary.begin()
        try:
            work()
        except RefusedError:
            self._diary.end("fail")
            raise
        except UNHEARD as error:
            self._diary.end("unknown")
            sys.stderr.write(f"{self._diary.who}/{self._diary.count}: {type(error).__name__}: {error}\n")
        else:
            self._diary.end("ok")

    def _blind(self) -> None:
        self._append(self._tables[0])

    def _look_and_append(self) -> None:
        table = self._chance.choice(self._tables)
        with self._client.transaction():
            self._read(table)
            self._append(table)

    def _over_several(self) -> None:
        """Appends to several tables; what is read is appended to as well, as only that is compared at the commit."""
        tables = self._chance.sample(self._tables, min(self._client.most, self._chance.randint(1, 3)))
        with self._client.transaction():
            for table in tables:
                if self._chance.random() < 0.6:
                    self._read(table)
            for table in tables:
                self._append(table)

    def _look(self) -> None:
        self._read(self._chance.choice(self._tables))

    def _read(self, table: str) -> None:
        self._diary.read(table, self._client.read(table))

    def _append(self, table: str) -> None:
        self._number += 1
        self._diary.append(table, self._number)
        self._client.append(table, self._number)


CLIENTS: dict[str, Callable[[str], Client]] = {"duckdb": ByDuckDB, "pyiceberg": ByPyIceberg}


def main(endpoint: str, kind: str, who: str, folder: Path, tables: list[str]) -> None:
    """Work until told to stop."""
    writer = Writer(CLIENTS[kind](endpoint), Diary(folder / f"{who}.diary", who), tables, int(who.strip("w")))
    while not (folder / "stop").exists():
        writer.once()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]), sys.argv[5:])
