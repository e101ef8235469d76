"""Rows that a step takes out of files by their places: every reader sees them gone, from whatever file they were in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog import manifests
from millpond.catalog.commits import Commit
from millpond.catalog.deleting import DeleteFile, deletion
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.staging import TableChange
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake
from tests.catalog.clients import stock_duckdb

TRIPS = TableName("silver", "trips")
HEAD = "/*---\nkind: upsert\nkey: [id]\norder: changed\n{more}---*/\n"
QUERY = "SELECT id::BIGINT AS id, day::DATE AS day, v, changed::INTEGER AS changed FROM bronze.rows\n"

Rows = list[tuple[Any, ...]]


def project(more: str = "") -> dict[str, str]:
    """One upsert model, with more in its header."""
    return {
        "millpond.yaml": "version: 1\nname: shop\n",
        "sources/rows.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
        "models/silver/trips.sql": HEAD.format(more=more) + QUERY,
    }


def run(lake: TemporaryLake, name: str, *records: str) -> None:
    """Deliver a file and run."""
    lake.deliver(f"data/{name}.csv", "\n".join(("id,day,v,changed", *records, "")))
    report = lake.run()
    assert report.ok, report.failures


def metadata(lake: TemporaryLake) -> TableMetadata:
    """The table as it is now."""
    return lake.lakehouse.catalog.metadata(lake.lakehouse.catalog.table(TRIPS))


def delete_files(lake: TemporaryLake) -> list[manifests.DataFile]:
    """The delete files of the present snapshot."""
    listed = manifests.of_snapshot(metadata(lake).current_snapshot)
    return [entry for one in listed if one.content == "deletes" for entry in manifests.files(one)]


@contextmanager
def door(lake: TemporaryLake) -> Iterator[str]:
    """An open gateway on the lake."""
    gateway = Gateway(lake.lakehouse.catalog, open_access=True)
    try:
        yield gateway.start()
    finally:
        gateway.stop()


def seen(lake: TemporaryLake) -> list[Rows]:
    """The ids and values as the lake, a stock DuckDB and a stock PyIceberg see them."""
    own = [tuple(row.values()) for row in lake.rows("SELECT id, v FROM silver.trips ORDER BY id")]
    with door(lake) as endpoint:
        with stock_duckdb(endpoint) as duck:
            ducks = duck.execute("SELECT id, v FROM lake.silver.trips ORDER BY id").fetchall()
        table = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.trips")
        rows = table.scan().to_arrow().select(["id", "v"]).sort_by("id").to_pylist()
    return [own, ducks, [tuple(row.values()) for row in rows]]


@pytest.mark.parametrize("more", ["", "partition: [day(day)]\n", "partition: ['bucket(3, id)', month(day)]\n"])
def test_rows_go_from_every_file_that_they_are_in(more: str) -> None:
    """Old rows of several files and partitions are replaced in one step; each file's delete file names it alone."""
    with temporary_lake(project(more)) as lake:
        run(lake, "a", *(f"{n},2026-01-0{1 + n % 3},old,1" for n in range(9)))
        run(lake, "b", *(f"{n},2026-02-01,late,1" for n in range(9, 12)))
        run(lake, "c", *(f"{n},2026-01-0{1 + n % 2},new,2" for n in range(1, 11)))
        want = [(0, "old"), *((n, "new") for n in range(1, 11)), (11, "late")]
        assert seen(lake) == [want, want, want]
        found = delete_files(lake)
        assert sum(entry.records for entry in found) == 10
        data = {
            entry.path: entry
            for one in manifests.of_snapshot(metadata(lake).current_snapshot)
            if one.content == "data"
            for entry in manifests.files(one)
        }
        for entry in found:
            target = manifests.target(entry)
            assert target is not None
            assert data[target].partition == entry.partition
            assert data[target].spec_id == entry.spec_id
        summary = (metadata(lake).current_snapshot or {})["summary"]
        assert (summary["operation"], summary["added-position-deletes"]) == ("delete", "10")
        assert summary["total-position-deletes"] == "10"
        run(lake, "d", "5,2026-01-01,newer,3", "0,2026-01-01,newer,3")
        want[0], want[5] = (0, "newer"), (5, "newer")
        assert seen(lake) == [want, want, want]


def test_columns_may_be_called_as_the_engine_calls_places() -> None:
    """A column `filename` hides the engine's own: places are then told by reading the files themselves."""
    files = project()
    files["models/silver/trips.sql"] = HEAD.format(more="").replace("[id]", "[file_row_number]") + (
        'SELECT id::BIGINT AS file_row_number, v AS "FileName", changed::INTEGER AS changed FROM bronze.rows\n'
    )
    with temporary_lake(files) as lake:
        for name in ("old", "new", "newer"):
            run(lake, name, *(f"{n},2026-01-01,{name},{len(name)}" for n in range(len(name), 9)))
        rows = [tuple(row.values()) for row in lake.rows("SELECT * EXCLUDE changed FROM silver.trips ORDER BY 1")]
        assert rows == [(3, "new"), (4, "new"), *((n, "newer") for n in range(5, 9))]
        with door(lake) as endpoint:
            table = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.trips")
            assert table.scan().to_arrow().num_rows == len(rows)


def test_what_a_step_took_out_is_a_change_like_any_other() -> None:
    """The difference between two commits has the old rows as gone and the new ones as come; upkeep changes nothing."""
    with temporary_lake(project()) as lake:
        run(lake, "a", *(f"{n},2026-01-01,old,1" for n in range(6)))
        before = lake.lakehouse.catalog.head()
        run(lake, "b", "2,2026-01-01,new,2", "9,2026-01-01,new,2")
        changed = "SELECT _change, id, v FROM changes('silver.trips', since => {}) ORDER BY ALL"
        told = [tuple(row.values()) for row in lake.rows(changed.format(before))]
        assert told == [("deleted", 2, "old"), ("inserted", 2, "new"), ("inserted", 9, "new")]
        assert lake.lakehouse.upkeep.run().ok
        assert [tuple(row.values()) for row in lake.rows(changed.format(before))] == told


def test_rows_that_another_client_wrote_are_replaced_too() -> None:
    """PyIceberg's own file is told by its own path."""
    with temporary_lake(project()) as lake:
        run(lake, "a", "1,2026-01-01,old,1")
        with door(lake) as endpoint:
            table = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.trips")
            rows = lake.rows("SELECT * REPLACE (7 AS id, 'theirs' AS v) FROM silver.trips")
            table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
        run(lake, "b", "7,2026-01-01,ours,2", "1,2026-01-01,ours,2")
        assert seen(lake) == [[(1, "ours"), (7, "ours")]] * 3


def test_a_table_that_a_client_gave_a_later_format_is_made_anew() -> None:
    """There the engine's deletes would be lost without a word, so the step stops and says what to do."""
    with temporary_lake(project()) as lake:
        run(lake, "a", "1,2026-01-01,old,1", "2,2026-01-01,old,1")
        stage = lake.lakehouse.catalog.begin("upgrade")
        stage.commit((TableChange(TRIPS, (), ({"action": "upgrade-format-version", "format-version": 3},)),))
        stage.publish(Commit("upgrade", "external", "somebody"))
        lake.deliver("data/b.csv", "id,day,v,changed\n2,2026-01-01,new,2\n")
        assert lake.run().failures[TRIPS].code == "MP-3184"
        assert lake.run(rebuild=(str(TRIPS),)).ok
        assert metadata(lake).format_version == 2
        assert seen(lake) == [[(1, "old"), (2, "new")]] * 3


def test_a_table_without_files_takes_rows_in() -> None:
    """Where every row went with the input, there is no file left to tell a place in."""
    with temporary_lake(project()) as lake:
        run(lake, "a", "1,2026-01-01,old,1")
        with door(lake) as endpoint, stock_duckdb(endpoint) as duck:
            duck.execute("DELETE FROM lake.silver.trips")
        assert lake.lakehouse.upkeep.run().ok
        run(lake, "b", "1,2026-01-01,new,2")
        assert seen(lake) == [[(1, "new")]] * 3


def test_deletes_of_a_file_that_is_gone_are_refused() -> None:
    """A delete file that names no file of the table would take out nothing, in silence."""
    with temporary_lake(project()) as lake:
        run(lake, "a", "1,2026-01-01,old,1")
        with pytest.raises(CatalogError) as refused:
            deletion(metadata(lake), (DeleteFile("/x/deletes.parquet", "/x/data.parquet", 1, 100),), 0)
        assert refused.value.code == "MP-3182"
