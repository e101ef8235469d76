"""Where a lake's files lie: one root, or a root for each layer, and folders that a person can read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from millpond.catalog.commits import Commit
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.layout import TARGET_SIZE
from millpond.catalog.staging import TableChange
from millpond.core.names import TableName
from millpond.pipeline.doctor import diagnose
from millpond.testing import TemporaryLake, temporary_lake
from tests.catalog.clients import stock_duckdb

EVENTS = TableName("silver", "events")
FILES = {
    "millpond.yaml": (
        "version: 1\nname: shop\nstorage:\n  layers: {bronze: raw, quarantine: rejected}\n"
        "retention: {all: 0m, hourly: 0m, daily: 0m, orphans: 0m}\n"
    ),
    "sources/e.yaml": "kind: files\npaths: ['data/*']\nformat: csv\nsettle_seconds: 0\n",
    "models/silver/events.sql": (
        "/*---\nkind: append\nkey: id\npartition: [day(ts), word]\n---*/\n"
        "SELECT id::INTEGER AS id, ts::TIMESTAMP AS ts, word FROM bronze.e\n"
    ),
}


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A lake whose bronze and quarantine lie elsewhere, with one file run."""
    with temporary_lake(FILES) as made:
        made.deliver("data/1.csv", "id,ts,word\n1,2026-01-02 03:04:05,a b\n2,2026-01-03 00:00:00,c\n3,x,c\n")
        made.deliver("data/2.csv", b"\x00\xff\xfe" * 100)
        made.run()
        yield made


def folders(root: Path) -> set[str]:
    """The folders of files under a root, with what is made up left out."""
    found = {str(path.parent.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return {re.sub(r"-[0-9a-f]{8}(?=/|$)", "-ID", folder) for folder in found}


def test_each_layer_lies_under_its_root_by_layer_table_and_partition(lake: TemporaryLake) -> None:
    """The words of a partition are those of the model; a day is Iceberg's number of days since 1970."""
    assert folders(lake.folder / "raw") == {"bronze/e-ID/data", "bronze/e-ID/metadata"}
    assert folders(lake.folder / ".millpond/lake") == {
        "silver/events-ID/metadata",
        "silver/events-ID/data/ts_day=20455/word=a%20b",
        "silver/events-ID/data/ts_day=20456/word=c",
    }
    assert "quarantine/files" in folders(lake.folder / "rejected")


def test_every_reader_finds_the_layers(lake: TemporaryLake) -> None:
    """The gate, and stock DuckDB through the gateway, which writes where the layer lies."""
    assert lake.rows("SELECT count(*) AS n FROM bronze.e") == [{"n": 3}]
    gateway = Gateway(lake.lakehouse.catalog, open_access=True)
    client = stock_duckdb(gateway.start())
    client.execute("CREATE TABLE lake.bronze.mine AS SELECT 1 AS id")
    client.execute("INSERT INTO lake.bronze.e (id, ts, word) VALUES ('4', '2026-01-04', 'd')")
    assert client.execute("SELECT count(*) FROM lake.silver.events").fetchall() == [(2,)]
    client.close()
    gateway.stop()
    entry = lake.lakehouse.catalog.table(TableName("bronze", "mine"))
    assert Path(entry.location).parent == lake.folder / "raw/bronze"
    assert lake.run().ok
    assert lake.rows("SELECT count(*) AS n FROM silver.events") == [{"n": 3}]


def test_upkeep_and_doctor_look_under_every_root(lake: TemporaryLake) -> None:
    """A file that no table names is found in each, and what is needed stays."""
    strays = []
    for table in (TableName("bronze", "e"), TableName("silver", "events"), TableName("quarantine", "records")):
        stray = Path(lake.lakehouse.catalog.table(table).location) / "data/left-behind.parquet"
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"x")
        os.utime(stray, (0, 0))
        strays.append(stray)
    lake.clock.advance(days=30000)
    kept = [path for path in (lake.folder / "rejected/quarantine/files").iterdir() if path.is_file()]
    told = [finding.message for finding in diagnose_of(lake)]
    assert any("belong to no table" in message for message in told)
    assert lake.lakehouse.upkeep.run().ok
    assert [stray.exists() for stray in strays] == [False, False, False]
    assert all(path.exists() for path in kept)
    assert diagnose_of(lake) == ()
    assert lake.rows("SELECT count(*) AS n FROM silver.events") == [{"n": 2}]


def diagnose_of(lake: TemporaryLake) -> tuple[object, ...]:
    """What doctor finds."""
    home = lake.lakehouse
    return diagnose(home.project, home.catalog, home.engine).findings


def test_a_layer_moves_with_its_tables_left_where_they_are(lake: TemporaryLake) -> None:
    """Tables that are there are read, written and kept on as before; new ones lie under the new root."""
    lake.write("millpond.yaml", FILES["millpond.yaml"].replace("bronze: raw", "bronze: new"))
    lake.deliver("data/3.csv", "id,ts,word\n9,2026-01-05,z\n")
    lake.write("sources/f.yaml", "kind: files\npaths: ['more/*']\nformat: csv\nsettle_seconds: 0\n")
    lake.deliver("more/1.csv", "a\n1\n")
    assert lake.run().ok
    assert folders(lake.folder / "new") == {"bronze/f-ID/data", "bronze/f-ID/metadata"}
    assert lake.rows("SELECT count(*) AS n FROM silver.events") == [{"n": 3}]
    assert lake.lakehouse.upkeep.run().ok
    assert diagnose_of(lake) == ()


def test_files_are_packed_with_zstd(lake: TemporaryLake) -> None:
    """Every file that the engine wrote."""
    found = [*(lake.folder / "raw").rglob("*.parquet"), *(lake.folder / ".millpond/lake").rglob("*.parquet")]
    assert found
    assert {pq.ParquetFile(path).metadata.row_group(0).column(0).compression for path in found} == {"ZSTD"}


def test_a_large_load_comes_in_files_of_the_target_size(lake: TemporaryLake) -> None:
    """Not in one of every few row groups, which upkeep would have to put together."""
    lake.write("sources/g.yaml", "kind: files\npaths: ['large/*']\nsettle_seconds: 0\n")
    (lake.folder / "large").mkdir()
    pq.write_table(pa.table({"n": range(700_000)}), lake.folder / "large/1.parquet")
    assert lake.run("source:g").ok
    (file,) = Path(lake.lakehouse.catalog.table(TableName("bronze", "g")).location).glob("data/*.parquet")
    groups = pq.ParquetFile(file).metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)][:5] == [122_880] * 5


def test_properties_that_duckdb_refuses_stop_no_step(lake: TemporaryLake) -> None:
    """A partitioned table may bear what Spark understands: the engine writes as it can."""
    catalog = lake.lakehouse.catalog
    words = {TARGET_SIZE: "1000000", "write.parquet.row-group-size-bytes": "1000000"}
    stage = catalog.begin("others")
    change = TableChange(EVENTS, (), ({"action": "set-properties", "updates": words},))
    stage.commit((change,))
    stage.publish(Commit("others", "test", "tester"))
    lake.deliver("data/3.csv", "id,ts,word\n9,2026-01-05,z\n")
    assert lake.run().ok
    assert lake.rows("SELECT count(*) AS n FROM silver.events") == [{"n": 3}]
