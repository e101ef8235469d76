"""Forks: tables that began with another's files, written by stock clients."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import BadRequestError

from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.forks import Forks
from millpond.catalog.reachability import History, check_removal, needed_snapshots, reachable_files
from millpond.catalog.restoring import restore
from millpond.core.errors import CatalogError
from millpond.core.names import TableName

from .clients import NAME, files_under, rows
from .conftest import Duck

FORK = TableName("silver", "positions_fork")
NUMBERS = [(1, "a"), (2, "b"), (3, "c")]


def nothing(history: History) -> Collection[int]:
    """A rule that keeps no history."""
    return ()


@pytest.fixture
def lake(open_door: str, duck: Duck) -> duckdb.DuckDBPyConnection:
    """A table with three rows in two files."""
    made = duck(open_door)
    made.execute("CREATE SCHEMA lake.silver")
    made.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id, 'a' AS word")
    made.execute("INSERT INTO lake.silver.positions VALUES (2, 'b'), (3, 'c')")
    return made


@pytest.fixture
def forks(catalog: Catalog) -> Forks:
    """What makes forks."""
    return Forks(catalog, "owner")


@pytest.fixture
def remote(open_door: str) -> RestCatalog:
    """Stock PyIceberg on the open door."""
    return RestCatalog("lake", uri=open_door)


def held(lake: duckdb.DuckDBPyConnection, name: TableName) -> list[tuple[object, ...]]:
    """The rows of a table."""
    return rows(lake, f"SELECT id, word FROM lake.{name} ORDER BY ALL")


def test_a_fork_holds_the_same_rows_and_copies_nothing(
    lake: duckdb.DuckDBPyConnection, catalog: Catalog, forks: Forks
) -> None:
    """The fork has a uuid and a folder of its own, and not one data file in it."""
    entry = forks.fork(NAME, FORK)
    origin = catalog.table(NAME)
    assert held(lake, FORK) == NUMBERS
    assert (entry.uuid != origin.uuid, entry.location != origin.location) == (True, True)
    assert files_under(Path(entry.location), "*.parquet") == []
    (newest,) = catalog.history(limit=1)
    assert (newest.kind, newest.tables) == ("fork", (FORK,))


def test_duckdb_alters_and_writes_a_fork(lake: duckdb.DuckDBPyConnection, catalog: Catalog, forks: Forks) -> None:
    """Columns, inserts, updates and deletes of the fork leave the original as it is, and the other way round."""
    entry = forks.fork(NAME, FORK)
    before = catalog.table(NAME)
    lake.execute(f"ALTER TABLE lake.{FORK} ADD COLUMN more INTEGER")
    lake.execute(f"INSERT INTO lake.{FORK} VALUES (4, 'd', 4)")
    lake.execute(f"UPDATE lake.{FORK} SET word = 'bb' WHERE id = 2")
    lake.execute(f"DELETE FROM lake.{FORK} WHERE id = 1")
    assert held(lake, FORK) == [(2, "bb"), (3, "c"), (4, "d")]
    assert held(lake, NAME) == NUMBERS
    assert catalog.table(NAME) == before
    written = files_under(Path(entry.location), "*.parquet")
    assert written
    lake.execute("DELETE FROM lake.silver.positions WHERE id = 3")
    lake.execute("INSERT INTO lake.silver.positions VALUES (9, 'z')")
    assert held(lake, FORK) == [(2, "bb"), (3, "c"), (4, "d")]
    assert held(lake, NAME) == [(1, "a"), (2, "b"), (9, "z")]
    assert {str(path) for path in written} <= reachable_files(catalog, {before.uuid}, nothing)


def test_pyiceberg_alters_and_writes_a_fork(lake: duckdb.DuckDBPyConnection, remote: RestCatalog, forks: Forks) -> None:
    """PyIceberg rewrites inherited files when it deletes, and appends its own."""
    forks.fork(NAME, FORK)
    table = remote.load_table(("silver", FORK.name))
    table.append(pa.table({"id": [7], "word": ["p"]}))
    table.delete("id = 2")
    with table.update_schema() as update:
        update.rename_column("word", "letter")
    table.append(pa.table({"id": [8], "letter": ["q"]}))
    found = table.refresh().scan().to_arrow().sort_by("id").to_pydict()
    assert found == {"id": [1, 3, 7, 8], "letter": ["a", "c", "p", "q"]}
    assert rows(lake, f"SELECT id, letter FROM lake.{FORK} ORDER BY id") == [(1, "a"), (3, "c"), (7, "p"), (8, "q")]
    assert held(lake, NAME) == NUMBERS
    remote.load_table(("silver", NAME.name)).delete("id = 1")
    assert table.refresh().scan().to_arrow().num_rows == 4


def test_a_fork_of_then_in_another_environment(
    lake: duckdb.DuckDBPyConnection, catalog: Catalog, forks: Forks, open_door: str, duck: Duck
) -> None:
    """Another environment gets what the table held at a commit, under the same name."""
    entry = forks.fork(NAME, NAME, into="dev", at=catalog.head() - 1)
    assert entry == in_environment(catalog, "dev").table(NAME)
    other = duck(open_door)
    other.execute("DETACH lake")
    other.execute(f"ATTACH 'dev' AS lake (TYPE iceberg, ENDPOINT '{open_door}', AUTHORIZATION_TYPE 'none')")
    assert held(other, NAME) == [(1, "a")]
    other.execute("INSERT INTO lake.silver.positions VALUES (5, 'dev')")
    assert held(other, NAME) == [(1, "a"), (5, "dev")]
    assert held(lake, NAME) == NUMBERS
    with pytest.raises(CatalogError) as refused:
        forks.fork(NAME, NAME, into="dev")
    assert refused.value.code == "MP-3003"


def test_a_fork_of_a_fork_goes_back_too(lake: duckdb.DuckDBPyConnection, catalog: Catalog, forks: Forks) -> None:
    """A restored fork reads inherited files again, and takes new ones."""
    forks.fork(NAME, FORK)
    second = TableName("silver", "again")
    forks.fork(FORK, second)
    number = catalog.head()
    lake.execute(f"DELETE FROM lake.{second} WHERE id < 3")
    restore(catalog, number, second, "owner")
    assert held(lake, second) == NUMBERS
    lake.execute(f"DELETE FROM lake.{second} WHERE id = 3")
    assert held(lake, second) == NUMBERS[:2]
    assert (held(lake, FORK), held(lake, NAME)) == (NUMBERS, NUMBERS)


def test_what_a_fork_reads_cannot_be_removed(lake: duckdb.DuckDBPyConnection, catalog: Catalog, forks: Forks) -> None:
    """The original gave its rows up; its old snapshot stays as long as the fork does, and the other way round."""
    shared = int(catalog.metadata(catalog.table(NAME)).document["current-snapshot-id"])
    entry = forks.fork(NAME, FORK)
    removal = [{"action": "remove-snapshots", "snapshot-ids": [shared]}]
    lake.execute(f"DELETE FROM lake.{FORK} WHERE id = 1")
    with pytest.raises(CatalogError) as refused:
        check_removal(catalog, FORK, removal, nothing)
    assert refused.value.code == "MP-3075"
    lake.execute("DELETE FROM lake.silver.positions")
    assert shared in needed_snapshots(catalog, catalog.table(NAME).uuid, nothing)
    with pytest.raises(CatalogError):
        check_removal(catalog, NAME, removal, nothing)
    lake.execute(f"DROP TABLE lake.{FORK}")
    check_removal(catalog, NAME, removal, nothing)
    assert not [path for path in reachable_files(catalog, keep=nothing) if path.startswith(entry.location)]


def test_a_client_is_told_why_its_expiry_is_refused(
    lake: duckdb.DuckDBPyConnection, remote: RestCatalog, catalog: Catalog
) -> None:
    """PyIceberg's request to expire a snapshot of the last day gets a clear refusal, and nothing changes."""
    assert lake is not None
    before = catalog.table(NAME)
    first = catalog.metadata(before).snapshots[0]["snapshot-id"]
    with pytest.raises(BadRequestError, match=r"Cannot remove snapshots of silver\.positions: .* is still needed"):
        remote.load_table(("silver", NAME.name)).maintenance.expire_snapshots().by_id(first).commit()
    assert catalog.table(NAME) == before
