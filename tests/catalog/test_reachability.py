"""Which snapshots and files are still needed, and the refusal to remove them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Cursor
from millpond.catalog.reachability import (
    History,
    check_removal,
    needed_snapshots,
    needed_versions,
    reachable_files,
    recent,
)
from millpond.core.errors import CatalogError

from .clients import NAME, OTHER, files_under, rows, step
from .conftest import Duck
from .listed import Listed

START = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def nothing(history: History) -> Collection[int]:
    """A rule that keeps no history."""
    return ()


@pytest.fixture
def lake(open_door: str, duck: Duck) -> duckdb.DuckDBPyConnection:
    """A table with three snapshots: numbers 1, 2 and 3 were added one by one."""
    made = duck(open_door)
    made.execute("CREATE SCHEMA lake.silver")
    made.execute("CREATE TABLE lake.silver.positions (id BIGINT)")
    for number in (1, 2, 3):
        made.execute("INSERT INTO lake.silver.positions VALUES (?)", [number])
    return made


def ids(catalog: Catalog) -> list[int]:
    """The snapshots of the table, oldest first."""
    return [int(row["snapshot-id"]) for row in catalog.metadata(catalog.table(NAME)).snapshots]


def test_recent_history_is_the_last_day_and_the_state_at_its_beginning() -> None:
    """A commit of 25 hours ago was the state until the next one, so it is kept; the ones before it are not."""
    moments = [(number, START - timedelta(hours=hours)) for number, hours in ((1, 50), (2, 25), (3, 5), (4, 0))]
    assert recent(Listed(moments, START)) == {2, 3, 4}
    assert recent(Listed(moments, START + timedelta(days=9))) == {4}
    assert recent(Listed([], START)) == frozenset()


def test_without_history_only_the_pointer_is_needed(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """What no rule, tag or cursor keeps is not needed once the pointer has moved on."""
    assert lake is not None
    entry = catalog.table(NAME)
    assert needed_snapshots(catalog, entry.uuid, nothing) == {ids(catalog)[-1]}
    assert [version.commit for version in needed_versions(catalog, keep=nothing)] == [entry.commit]
    assert needed_snapshots(catalog, entry.uuid) == set(ids(catalog))


def test_every_file_of_the_pointers_is_reachable(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Each Parquet file and manifest of a table is reachable, and the metadata file that is pointed at."""
    lake.execute("DELETE FROM lake.silver.positions WHERE id = 2")
    folder = Path(catalog.table(NAME).location)
    found = reachable_files(catalog, keep=nothing)
    assert {str(path) for path in files_under(folder, "*.parquet")} <= found
    assert {path for path in found if path.endswith(".metadata.json")} == {catalog.table(NAME).metadata_location}
    assert found == reachable_files(catalog, {catalog.table(NAME).uuid}, nothing)
    assert all(Path(path).exists() for path in found)


def test_a_cursor_keeps_the_version_that_it_goes_on_from(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """The input as of a live cursor is needed; when the consumer's table is gone it is not."""
    assert lake is not None
    first, second, _ = ids(catalog)
    uuid, at = catalog.table(NAME).uuid, catalog.head() - 1
    stage = catalog.begin("a")
    stage.create_table(OTHER, catalog.metadata(catalog.table(NAME)).schema())
    stage.publish(step("a", cursors=(Cursor(OTHER, NAME, at),)))
    assert second in needed_snapshots(catalog, uuid, nothing)
    assert first not in needed_snapshots(catalog, uuid, nothing)
    dropping = catalog.begin("b")
    dropping.drop_table(OTHER)
    dropping.publish(step("b"))
    assert second not in needed_snapshots(catalog, uuid, nothing)


def test_needed_snapshots_cannot_be_removed(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """A request to remove a snapshot of the history that is kept is refused; an old one may go."""
    first, *_ = ids(catalog)
    removal = [{"action": "remove-snapshots", "snapshot-ids": [first]}]
    with pytest.raises(CatalogError) as refused:
        check_removal(catalog, NAME, removal, recent)
    assert refused.value.code == "MP-3075"
    check_removal(catalog, NAME, removal, nothing)
    assert rows(lake, "SELECT count(*) FROM lake.silver.positions") == [(3,)]
