"""Snapshots of the same rows in other files: other engines read them as they read any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog import avro, manifests
from millpond.catalog.deleting import DeleteFile, deletion
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.rewriting import Replacement, replacement
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.pipeline.compaction import batches, compact, planned
from tests.catalog.clients import rows, stock_duckdb
from tests.tables.lake import Lake, small_lake

T = TableName("silver", "t")
NAME = '"lake"."silver"."t"'


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with a table that was compacted while rows were deleted."""
    with small_lake(tmp_path) as made:
        made.run(f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
        for place in range(5):
            made.run(f"INSERT INTO {NAME} SELECT i, 'x' || i FROM range({place * 10}, {place * 10 + 10}) t(i)")
        made.run(f"DELETE FROM {NAME} WHERE a % 4 = 0")
        metadata = made.metadata(T)
        found, _ = planned(metadata, (), ("a",))
        for batch in batches(found):
            compact(made.bench(), T, batch, metadata, ("a",), "compact")
        yield made


WANTED = sorted((a, f"x{a}") for a in range(50) if a % 4)


def test_a_rewritten_file_keeps_its_place_in_history(lake: Lake) -> None:
    """Its data sequence number is the highest of what it replaces, its file's is the snapshot's own."""
    (manifest,) = [one for one in manifests.of_snapshot(lake.metadata(T).current_snapshot) if manifests.files(one)]
    (entry,) = manifests.files(manifest)
    assert (entry.sequence_number, entry.file_sequence_number) == (5, 7)
    summary = (lake.metadata(T).current_snapshot or {})["summary"]
    assert (summary["operation"], summary["total-records"], summary["total-delete-files"]) == ("replace", "37", "0")


def test_stock_clients_read_and_write_a_compacted_table(lake: Lake) -> None:
    """DuckDB and PyIceberg see the same rows, and what they delete later is deleted."""
    gateway = Gateway(lake.catalog, open_access=True)
    endpoint = gateway.start()
    duck = stock_duckdb(endpoint)
    assert rows(duck, f"SELECT * FROM {NAME} ORDER BY a") == WANTED
    table = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.t")
    assert sorted(map(tuple, (row.values() for row in table.scan().to_arrow().to_pylist()))) == WANTED
    duck.execute(f"DELETE FROM {NAME} WHERE a = 1")
    assert rows(duck, f"SELECT * FROM {NAME} ORDER BY a") == WANTED[1:]
    table.refresh()
    table.delete("a = 2")
    assert rows(stock_duckdb(endpoint), f"SELECT * FROM {NAME} ORDER BY a") == WANTED[2:]
    gateway.stop()


def test_manifests_of_the_first_version_are_left(lake: Lake) -> None:
    """Their entries have no sequence numbers: neither a rewrite nor a delete may copy them."""
    metadata = lake.metadata(T)
    (manifest,) = [one for one in manifests.of_snapshot(metadata.current_snapshot) if manifests.files(one)]
    (entry,) = manifests.files(manifest)
    found = avro.contents(manifest.path)
    schema = json.loads(found.schema)
    schema["fields"] = [one for one in schema["fields"] if "sequence_number" not in one["name"]]
    avro.write(manifest.path, schema, list(found.records), dict(found.header))
    deletes = DeleteFile(str(Path(entry.path).with_name("d.parquet")), entry.path, 1, 100)
    with pytest.raises(CatalogError, match="MP-3181"):
        deletion(metadata, [deletes], now_ms=0)
    with pytest.raises(CatalogError, match="MP-3181"):
        replacement(metadata, Replacement(deletes=(deletes,)), now_ms=0)


def test_a_delete_file_of_a_file_that_is_gone_is_refused(lake: Lake) -> None:
    """Nothing would say what it bears on."""
    metadata = lake.metadata(T)
    deletes = DeleteFile("/nowhere/d.parquet", "/nowhere/a.parquet", 1, 100)
    with pytest.raises(CatalogError, match="MP-3182"):
        replacement(metadata, Replacement(deletes=(deletes,)), now_ms=0)


def test_rows_that_came_together_lie_together(tmp_path: Path) -> None:
    """Small files are put together in the order in which they came, whatever the number of threads."""
    with small_lake(tmp_path, threads=4) as made:
        made.run(f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
        for place in range(12):
            made.run(f"INSERT INTO {NAME} SELECT i, 'x' FROM range({place * 40_000}, {place * 40_000 + 40_000}) t(i)")
        metadata = made.metadata(T)
        for batch in batches(planned(metadata, (), ())[0]):
            compact(made.bench(), T, batch, metadata, (), "compact")
        listed = manifests.of_snapshot(made.metadata(T).current_snapshot)
        (path,) = [entry.path for manifest in listed for entry in manifests.files(manifest)]
        with duckdb.connect() as con:
            found = con.execute(
                "SELECT stats_min_value::BIGINT, stats_max_value::BIGINT FROM parquet_metadata(?) "
                "WHERE path_in_schema = 'a' ORDER BY 1",
                [path],
            ).fetchall()
        assert len(found) > 2
        assert all(before[1] < after[0] for before, after in pairwise(found))
