"""What clients gave a table is never taken for an orphan: whatever way its files are named, and whatever its ids."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog import load_catalog

from millpond.catalog import avro
from millpond.catalog.catalog import Catalog
from millpond.catalog.cleaning import expire, expired, maintenance, remove, strays
from millpond.core.names import TableName
from tests.catalog.clients import rows
from tests.catalog.test_reachability import nothing

from .talk import made
from .test_registering import foreign, register

Duck = Callable[..., duckdb.DuckDBPyConnection]

__all__ = ["foreign"]


def clean(catalog: Catalog) -> None:
    """Remove all that nothing needs, however young."""
    remove(catalog, strays(catalog, nothing, timedelta()), nothing, maintenance("clean", "owner", None))


def copied(path: str) -> str:
    """Copy a table's folder and rewrite its paths, as Spark's `rewrite_table_path` does: snapshots keep their ids."""
    old = Path(path.removeprefix("file://")).parents[1]
    new = old.with_name("copy")

    def moved(value: Any) -> Any:
        return value.replace(f"{old}/", f"{new}/") if isinstance(value, str) else value

    shutil.copytree(old, new)
    for file in (new / "metadata").glob("*.avro"):
        found = avro.contents(str(file))
        records = [
            {key: {k: moved(v) for k, v in value.items()} if key == "data_file" else moved(value) for key, value in row}
            for row in (record.items() for record in found.records)
        ]
        avro.write(str(file), json.loads(found.schema), records, dict(found.header))
    for file in (new / "metadata").glob("*.json"):
        file.write_text(file.read_text().replace(str(old), str(new)))
    return path.replace(f"{old}/", f"{new}/")


def test_a_copied_table_keeps_its_files(
    web: httpx.Client, foreign: Callable[[int], str], open_door: str, duck: Duck, catalog: Catalog
) -> None:
    """Both tables have a snapshot of the same id, each with files of its own."""
    first = foreign(2)
    second = copied(first)
    assert register(web, first, "first").status_code == register(web, second, "second").status_code == 200
    clean(catalog)
    lake = duck(open_door)
    for name in ("first", "second"):
        assert rows(lake, f"SELECT id FROM lake.s.{name} ORDER BY id") == [(1,), (2,)]


def test_a_file_that_is_named_by_a_link_to_its_folder_stays(
    web: httpx.Client, open_door: str, duck: Duck, catalog: Catalog, tmp_path: Path
) -> None:
    """The lake's folder may have several names, as /tmp and /private/tmp are one on some machines."""
    made(web)
    (tmp_path / "other").symlink_to(tmp_path, target_is_directory=True)
    table = load_catalog("x", type="rest", uri=open_door, warehouse="prod").load_table("s.t")
    file = Path(table.location()) / "data/own.parquet"
    pq.write_table(pa.table({"id": [7]}), file)
    table.add_files([str(tmp_path / "other" / file.relative_to(tmp_path))])
    assert rows(duck(open_door), "FROM lake.s.t") == [(7,)]
    left = file.with_name("left.parquet")
    left.write_bytes(b"x")
    found = [one.path for one in strays(catalog, nothing, timedelta())]
    assert [path for path in found if path.endswith(".parquet")] == [str(left)]


def test_what_a_client_staged_stays_until_it_is_published(web: httpx.Client, open_door: str, catalog: Catalog) -> None:
    """A snapshot that no branch names, to be looked at first: upkeep neither forgets it nor takes its files."""
    made(web)
    table = load_catalog("x", type="rest", uri=open_door, warehouse="prod").load_table("s.t")
    table.append(pa.table({"id": [1]}))
    table.append(pa.table({"id": [2]}), branch=None)
    table.append(pa.table({"id": [3]}))
    old, staged, _ = (snapshot.snapshot_id for snapshot in table.snapshots())
    assert expired(catalog, TableName("s", "t"), nothing) == (old,)
    expire(catalog, TableName("s", "t"), nothing, maintenance("expire", "owner", None))
    found = [one.path for one in strays(catalog, nothing, timedelta())]
    assert [path for path in found if path.endswith(".parquet")] == []
    table.refresh().manage_snapshots().set_current_snapshot(staged).commit()
    assert sorted(table.refresh().scan().to_arrow()["id"].to_pylist()) == [1, 2]
