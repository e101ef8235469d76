"""Tables that go back, as stock clients see them, and the records that count after it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog.rest import RestCatalog

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Commit, Cursor, ModelState, SeenFile
from millpond.catalog.reachability import reachable_files
from millpond.catalog.restoring import plan_restore, restore
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.schema import Column
from millpond.testing import FakeClock

from .clients import NAME, OTHER, SCHEMA, rows, step
from .conftest import Duck
from .test_reachability import nothing


@pytest.fixture
def lake(open_door: str, duck: Duck) -> duckdb.DuckDBPyConnection:
    """Stock DuckDB on an open door."""
    made = duck(open_door)
    made.execute("CREATE SCHEMA lake.silver")
    return made


def test_clients_read_and_write_what_went_back(
    lake: duckdb.DuckDBPyConnection, catalog: Catalog, open_door: str
) -> None:
    """DuckDB and PyIceberg agree on a table that went back, and both go on from there."""
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id, 'a' AS word")
    number = catalog.head()
    lake.execute("INSERT INTO lake.silver.positions VALUES (2, 'b')")
    lake.execute("DELETE FROM lake.silver.positions WHERE id = 1")
    stale = RestCatalog("lake", uri=open_door).load_table(("silver", "positions"))
    restore(catalog, number, NAME, "owner")
    assert rows(lake, "FROM lake.silver.positions") == [(1, "a")]
    stale.append(pa.table({"id": [8], "word": ["x"]}))
    assert rows(lake, "FROM lake.silver.positions ORDER BY id") == [(1, "a"), (8, "x")]
    lake.execute("DELETE FROM lake.silver.positions WHERE id = 8")
    fresh = RestCatalog("lake", uri=open_door).load_table(("silver", "positions"))
    fresh.append(pa.table({"id": [3], "word": ["c"]}))
    lake.execute("INSERT INTO lake.silver.positions VALUES (4, 'd')")
    assert rows(lake, "FROM lake.silver.positions ORDER BY id") == [(1, "a"), (3, "c"), (4, "d")]
    assert fresh.refresh().scan().to_arrow().sort_by("id")["id"].to_pylist() == [1, 3, 4]
    sequences = [row["sequence-number"] for row in catalog.metadata(catalog.table(NAME)).snapshots]
    assert len(set(sequences)) == len(sequences)


def test_columns_added_after_going_back_are_new_ones(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """A column of the commits that were stepped over does not lend its id to another."""
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id")
    number = catalog.head()
    lake.execute("ALTER TABLE lake.silver.positions ADD COLUMN lost VARCHAR")
    lake.execute("INSERT INTO lake.silver.positions VALUES (2, 'lost')")
    lost = catalog.metadata(catalog.table(NAME)).field_ids()["lost"]
    restore(catalog, number, NAME, "owner")
    assert catalog.metadata(catalog.table(NAME)).field_ids() == {"id": 1}
    lake.execute("ALTER TABLE lake.silver.positions ADD COLUMN found INTEGER")
    assert catalog.metadata(catalog.table(NAME)).field_ids()["found"] > lost
    lake.execute("INSERT INTO lake.silver.positions VALUES (3, 3)")
    assert rows(lake, "FROM lake.silver.positions ORDER BY id") == [(1, None), (3, 3)]


def test_a_table_without_rows_is_empty_again(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """A table that nobody had written then is read as empty, and is written again."""
    lake.execute("CREATE TABLE lake.silver.positions (id BIGINT)")
    number = catalog.head()
    lake.execute("INSERT INTO lake.silver.positions VALUES (1)")
    restore(catalog, number, NAME, "owner")
    assert rows(lake, "FROM lake.silver.positions") == []
    lake.execute("INSERT INTO lake.silver.positions VALUES (2)")
    assert rows(lake, "FROM lake.silver.positions") == [(2,)]


def test_dropped_and_remade_tables_are_again_what_they_were(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """A table made anew under the name gives way to the one of then, and comes back by another restore."""
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id")
    first = catalog.table(NAME)
    lake.execute("DROP TABLE lake.silver.positions")
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 'other' AS name")
    second = catalog.head()
    assert [item.work for item in plan_restore(catalog, first.commit).tables] == ["go back"]
    restore(catalog, first.commit, None, "owner")
    assert rows(lake, "FROM lake.silver.positions") == [(1,)]
    assert catalog.table(NAME).uuid == first.uuid
    restore(catalog, second, NAME, "owner")
    assert rows(lake, "FROM lake.silver.positions") == [("other",)]
    restore(catalog, second - 1, NAME, "owner")
    assert catalog.find(NAME) is None
    with pytest.raises(CatalogError) as refused:
        restore(catalog, 0, NAME, "owner")
    assert refused.value.code == "MP-3001"


def test_a_renamed_table_comes_back_once(lake: duckdb.DuckDBPyConnection, catalog: Catalog, open_door: str) -> None:
    """Alone it would be there twice, in one folder and with one identity; with everything, its new name goes."""
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id")
    first = catalog.table(NAME)
    client = RestCatalog("lake", uri=open_door)
    client.rename_table(("silver", "positions"), ("silver", "places"))
    with pytest.raises(CatalogError) as refused:
        restore(catalog, first.commit, NAME, "owner")
    assert refused.value.code == "MP-3078"
    assert "silver.places" in str(refused.value)
    restore(catalog, first.commit, None, "owner")
    assert [(entry.name, entry.uuid) for entry in catalog.tables()] == [(NAME, first.uuid)]
    assert rows(lake, "FROM lake.silver.positions") == [(1,)]


def test_what_went_back_can_be_read_at_every_number(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """History stays whole: what was stepped over is still there, and its files are needed as long as it is kept."""
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id")
    number = catalog.head()
    lake.execute("INSERT INTO lake.silver.positions VALUES (2)")
    later, over = catalog.table(NAME), catalog.head()
    restore(catalog, number, None, "owner")
    assert catalog.table(NAME, over) == later
    snapshot = catalog.metadata(later).current_snapshot
    assert snapshot is not None
    assert snapshot["manifest-list"] in reachable_files(catalog)
    assert later.metadata_location not in reachable_files(catalog, keep=nothing)


def test_branches_go_back_with_their_table(lake: duckdb.DuckDBPyConnection, catalog: Catalog, open_door: str) -> None:
    """One that was made since is gone with its rows, and both come back by another restore."""
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id")
    number = catalog.head()
    remote = RestCatalog("lake", uri=open_door).load_table(("silver", "positions"))
    remote.manage_snapshots().create_branch(remote.metadata.current_snapshot_id or 0, "audit").commit()
    remote.append(pa.table({"id": [2]}), branch="audit")
    later = catalog.head()
    restore(catalog, number, NAME, "owner")
    assert set(remote.refresh().refs()) == {"main"}
    restore(catalog, later, NAME, "owner")
    assert sorted(remote.refresh().scan().use_ref("audit").to_arrow()["id"].to_pylist()) == [1, 2]


def seen(path: str, content: str, outcome: str = "loaded") -> SeenFile:
    """A file of the source events."""
    return SeenFile("events", path, 1, 1, content, "p", outcome, 1)


def publish(catalog: Catalog, key: str, **more: object) -> int:
    """A commit that moves no pointer."""
    return catalog.begin(key).publish(Commit(key, "step", "owner", **more)).number  # type: ignore[arg-type]


def test_records_between_count_no_more(catalog: Catalog) -> None:
    """Cursors, files and model states are those of then; as of earlier commits, and after going forward, of those."""
    bronze = TableName("bronze", "events")
    stage = catalog.begin("make")
    for name in (bronze, NAME, OTHER):
        stage.create_table(name, SCHEMA)
    stage.publish(step("make"))
    first = publish(
        catalog,
        "one",
        table=bronze,
        files=(seen("a", "1"),),
        cursors=(Cursor(NAME, bronze, 1),),
        models=(ModelState(NAME, "f1", "{}"),),
    )
    second = publish(
        catalog,
        "two",
        table=bronze,
        files=(seen("a", "1", "replaced"), seen("a", "2"), seen("b", "3")),
        cursors=(Cursor(NAME, bronze, 2), Cursor(OTHER, bronze, 2)),
        models=(ModelState(NAME, "f2", "{}"), ModelState(OTHER, "g2", "{}")),
    )

    def told(at: int | None = None) -> tuple[object, ...]:
        return (
            *(catalog.cursors(at).get((name, bronze)) for name in (NAME, OTHER)),
            {file.path: file.content for file in catalog.seen_files("events", at)},
            set(catalog.loaded_contents("events", "p", at)),
            {str(name): state.fingerprint for name, state in catalog.model_states(at).items()},
        )

    was = (1, None, {"a": "1"}, {"1"}, {str(NAME): "f1"})
    became = (2, 2, {"a": "2", "b": "3"}, {"2", "3"}, {str(NAME): "f2", str(OTHER): "g2"})
    assert (told(first), told(second)) == (was, became)
    back = restore(catalog, first, None, "owner").number
    assert (told(), told(back), told(second)) == (was, was, became)
    restore(catalog, second, None, "owner")
    assert told() == became
    restore(catalog, first, bronze, "owner")
    assert told() == (2, 2, {"a": "1"}, {"1"}, became[-1])
    restore(catalog, first, NAME, "owner")
    assert told() == (1, 2, {"a": "1"}, {"1"}, {str(NAME): "f1", str(OTHER): "g2"})
    publish(catalog, "three", table=bronze, files=(seen("b", "3"),), cursors=(Cursor(NAME, bronze, 9),))
    assert told() == (9, 2, {"a": "1", "b": "3"}, {"1", "3"}, {str(NAME): "f1", str(OTHER): "g2"})
    restore(catalog, second, None, "owner")
    assert told() == became


def test_clients_see_what_went_back_though_the_clock_was_set_back(
    store_url: str, tmp_path: Path, lake: duckdb.DuckDBPyConnection, catalog: Catalog
) -> None:
    """A client's clock may be ahead of the catalog's, and columns altered since its last write."""
    lake.execute("CREATE TABLE lake.silver.positions AS SELECT 1::BIGINT AS id")
    number = catalog.head()
    lake.execute("INSERT INTO lake.silver.positions VALUES (2)")
    late = Catalog(catalog.store, catalog.warehouse, "prod", FakeClock(), catalog.tokens, catalog.cache)
    stage = late.begin("alter")
    stage.add_columns(NAME, (Column("word", "VARCHAR"),))
    stage.publish(step("alter"))
    restore(late, number, NAME, "owner")
    assert rows(lake, "FROM lake.silver.positions") == [(1,)]
    log = catalog.metadata(catalog.table(NAME)).document["snapshot-log"]
    assert sorted(row["timestamp-ms"] for row in log) == [row["timestamp-ms"] for row in log]
