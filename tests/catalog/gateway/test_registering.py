"""Tables that others made get a name: with and without a scheme, of every format version, and never from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.sql import SqlCatalog

from millpond.catalog import manifests
from millpond.catalog.catalog import Catalog
from millpond.core.names import TableName
from tests.catalog.clients import KEPT, rows

from .talk import made, refused

Duck = Callable[..., duckdb.DuckDBPyConnection]


def register(web: httpx.Client, location: str, name: str = "r", **more: Any) -> httpx.Response:
    """Ask for a name for a table's metadata."""
    return web.post("/namespaces/s/register", json={"name": name, "metadata-location": location, **more})


@pytest.fixture
def foreign(catalog: Catalog, tmp_path: Path) -> Callable[[int], str]:
    """Makes a table with another catalog, its files in our warehouse named by `file:` URLs; gives its metadata file."""
    Path(catalog.warehouse.root).mkdir(exist_ok=True)

    def make(version: int = 2) -> str:
        other = SqlCatalog("o", uri=f"sqlite:///{tmp_path}/other.db", warehouse=f"file://{catalog.warehouse.root}")
        other.create_namespace("f")
        table = other.create_table("f.t", pa.schema([("id", pa.int64())]), properties={"format-version": str(version)})
        table.append(pa.table({"id": [1, 2]}))
        other.engine.dispose()
        return str(table.metadata_location)

    return make


@pytest.mark.parametrize("scheme", ["file://", "local://", "file:", ""])
def test_a_foreign_table_is_registered_read_and_written(
    scheme: str,
    web: httpx.Client,
    foreign: Callable[[int], str],
    open_door: str,
    duck: Duck,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With and without a scheme, and although its own files are named by URLs."""
    monkeypatch.chdir(tmp_path)
    plain = foreign(2).removeprefix("file://")
    assert register(web, scheme + plain).json()["metadata-location"] == plain
    remote = load_catalog("x", type="rest", uri=open_door, warehouse="prod")
    remote.load_table("s.r").append(pa.table({"id": [3]}))
    lake = duck(open_door)
    lake.execute("INSERT INTO lake.s.r VALUES (4)")
    lake.execute("DELETE FROM lake.s.r WHERE id = 1")
    assert rows(lake, "SELECT id FROM lake.s.r ORDER BY id") == [(2,), (3,), (4,)]
    assert sorted(remote.load_table("s.r").scan().to_arrow()["id"].to_pylist()) == [2, 3, 4]
    assert not Path("file:").exists()


def test_a_url_hides_no_overlap(web: httpx.Client, foreign: Callable[[int], str]) -> None:
    """A table at a `file:` URL and one at the same plain path are one place."""
    path = foreign(2)
    assert register(web, path).status_code == 200
    refused(register(web, path, "again"), 400, "BadRequestException", "another table")
    location = Path(path.removeprefix("file://")).parents[1]
    body = {"name": "x", "schema": {"type": "struct", "fields": []}, "location": str(location)}
    refused(web.post("/namespaces/s/tables", json=body), 400, "BadRequestException", "another table")


def test_a_table_of_version_3_is_written_registered_and_read(
    web: httpx.Client, open_door: str, duck: Duck, catalog: Catalog
) -> None:
    """Deletion vectors and row ids come back; our own tables stay version 2."""
    lake = duck(open_door)
    lake.execute("CREATE TABLE lake.s.t (id BIGINT, word VARCHAR) WITH ('format-version' = '3')")
    lake.execute("INSERT INTO lake.s.t SELECT range, 'x' FROM range(10)")
    lake.execute("DELETE FROM lake.s.t WHERE id < 3")
    lake.execute("UPDATE lake.s.t SET word = 'z' WHERE id = 5")
    loaded = web.get("/namespaces/s/tables/t").json()
    assert loaded["metadata"]["format-version"] == 3
    assert loaded["metadata"]["next-row-id"] >= 10
    web.delete("/namespaces/s/tables/t")
    assert register(web, loaded["metadata-location"]).status_code == 200
    fresh = duck(open_door)
    assert rows(fresh, "SELECT count(*), sum(id), max(word) FROM lake.s.r") == [(7, 42, "z")]
    fresh.execute("INSERT INTO lake.s.r VALUES (11, 'n')")
    manifests.check_readable(catalog.metadata(catalog.table(TableName("s", "r"))))
    assert made(web, "own")["metadata"]["format-version"] == 2


def test_version_3_without_a_next_row_id_gets_one(web: httpx.Client) -> None:
    """Java demands it in every version 3 metadata, also before the first snapshot."""
    loaded = made(web, properties={"format-version": "3"})
    assert loaded["metadata"]["next-row-id"] == 0
    path = Path(loaded["metadata-location"])
    document = json.loads(path.read_text())
    del document["next-row-id"]
    other = path.with_name("00001-other.metadata.json")
    other.write_text(json.dumps(document))
    web.delete("/namespaces/s/tables/t")
    assert register(web, str(other)).json()["metadata"]["next-row-id"] == 0


def test_a_version_of_the_future_is_refused(web: httpx.Client) -> None:
    """What this catalog cannot understand gets no name."""
    path = Path(made(web)["metadata-location"])
    other = path.with_name("00001-other.metadata.json")
    other.write_text(json.dumps(json.loads(path.read_text()) | {"format-version": 4}))
    web.delete("/namespaces/s/tables/t")
    refused(register(web, str(other)), 400, "BadRequestException", "format version 4")


def test_a_registered_table_names_no_file_outside_the_warehouse(
    web: httpx.Client, tmp_path: Path, catalog: Catalog
) -> None:
    """Nor one that is missing: who reads the table must not be led elsewhere."""
    path = Path(made(web)["metadata-location"])
    web.delete("/namespaces/s/tables/t")
    document = json.loads(path.read_text())
    (tmp_path / "list.avro").write_bytes(b"x")
    for place, words in ((tmp_path / "list.avro", "outside"), (path.with_name("none.avro"), "does not exist")):
        snapshot = {"snapshot-id": 1, "timestamp-ms": 1, "manifest-list": str(place), "summary": {}}
        other = path.with_name("00001-other.metadata.json")
        other.write_text(json.dumps(document | {"snapshots": [snapshot], "current-snapshot-id": 1}))
        refused(register(web, str(other)), 400, "BadRequestException", words)
    assert catalog.tables() == ()


def test_overwrite_moves_a_name_to_other_metadata(web: httpx.Client) -> None:
    """Back to an earlier version of the same table, and to another table."""
    first = made(web, "r")["metadata-location"]
    web.post("/namespaces/s/tables/r", json={"updates": [{"action": "set-properties", "updates": {"a": "b"}}]})
    refused(register(web, first), 409, "AlreadyExistsException", "Table already exists: s.r")
    assert register(web, first, overwrite=True).json()["metadata"]["properties"] == KEPT
    other = made(web, "other")["metadata-location"]
    web.delete("/namespaces/s/tables/other")
    assert register(web, other, overwrite=True).json()["metadata-location"] == other
