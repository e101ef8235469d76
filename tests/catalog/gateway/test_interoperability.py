"""The same rows in stock DuckDB and stock PyIceberg, whoever wrote them: types, deletes, evolution, branches."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import httpx
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.transforms import DayTransform

from tests.catalog.clients import rows

from .talk import Json

Duck = Callable[..., duckdb.DuckDBPyConnection]

TYPES = {
    "flag": ("BOOLEAN", "true", "false"),
    "small": ("INTEGER", "-2147483648", "2147483647"),
    "large": ("BIGINT", "-9223372036854775808", "9223372036854775807"),
    "single": ("FLOAT", "'NaN'", "'-inf'"),
    "double": ("DOUBLE", "'NaN'", "'inf'"),
    "money": ("DECIMAL(9,2)", "-9999999.99", "0.01"),
    "huge": ("DECIMAL(38,10)", "-1234567890123456789012345678.0123456789", "0"),
    "word": ("VARCHAR", "''", "'日本 \U0001f9ca e\u0301'"),
    "bytes": ("BLOB", "'\\x00\\xFF'::BLOB", "''::BLOB"),
    "day": ("DATE", "'1969-12-31'", "'9999-12-31'"),
    "moment": ("TIMESTAMP", "'0001-01-01 00:00:00'", "'2026-02-28 23:59:59.999999'"),
    "zoned": ("TIMESTAMPTZ", "'1969-12-31 23:59:59.999999+00'", "'9999-12-31 00:00:00+00'"),
    "id": ("UUID", "'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-4fff-bfff-ffffffffffff'"),
    "pair": ("STRUCT(a BIGINT, b VARCHAR)", "{'a': 1, 'b': NULL}", "{'a': NULL, 'b': 'x'}"),
    "list": ("VARCHAR[]", "['a', NULL]", "[]"),
    "map": ("MAP(VARCHAR, BIGINT)", "MAP {'a': 1}", "MAP {'b': NULL}"),
}
"""A type, and two values at its edges."""


@pytest.fixture
def remote(open_door: str, web: httpx.Client) -> RestCatalog:
    """Stock PyIceberg, with a namespace `s`."""
    catalog = load_catalog("lake", type="rest", uri=open_door, warehouse="prod")
    assert isinstance(catalog, RestCatalog)
    return catalog


@pytest.fixture
def lake(open_door: str, web: httpx.Client, duck: Duck) -> duckdb.DuckDBPyConnection:
    """Stock DuckDB, with a namespace `s`."""
    return duck(open_door)


def same(lake: duckdb.DuckDBPyConnection, remote: RestCatalog, table: str = "s.t") -> int:
    """Check that both clients read the same rows; how many they are."""
    read = remote.load_table(table).scan().to_arrow()
    columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind, *_ in rows(lake, f"DESCRIBE lake.{table}"))
    lake.register("other", read)
    mine, theirs = f"SELECT * FROM lake.{table}", f"SELECT {columns} FROM other"
    assert rows(lake, f"({mine}) EXCEPT ALL ({theirs})") == []
    assert rows(lake, f"({theirs}) EXCEPT ALL ({mine})") == []
    lake.unregister("other")
    return int(read.num_rows)


def test_values_at_the_edges_are_the_same_in_both(lake: duckdb.DuckDBPyConnection, remote: RestCatalog) -> None:
    """DuckDB writes, PyIceberg reads and writes them again, DuckDB reads; NULL in every column too."""
    lake.execute(f"CREATE TABLE lake.s.t ({', '.join(f'{name} {kind}' for name, (kind, _, _) in TYPES.items())})")
    for place in (1, 2):
        lake.execute(f"INSERT INTO lake.s.t SELECT {', '.join(str(row[place]) for row in TYPES.values())}")
    lake.execute(f"INSERT INTO lake.s.t SELECT {', '.join('NULL' for _ in TYPES)}")
    assert same(lake, remote) == 3
    table = remote.load_table("s.t")
    table.append(table.scan().to_arrow())
    assert same(lake, remote) == 6
    assert rows(lake, "SELECT DISTINCT count(*) FROM lake.s.t GROUP BY large") == [(2,)]


def test_deletes_of_each_are_seen_by_the_other(lake: duckdb.DuckDBPyConnection, remote: RestCatalog) -> None:
    """Position deletes, updates and merges of DuckDB, copy-on-write deletes of PyIceberg, in turns."""
    lake.execute("CREATE TABLE lake.s.t AS SELECT range AS id, range % 7 AS kind FROM range(100)")
    lake.execute("DELETE FROM lake.s.t WHERE kind = 1")
    assert same(lake, remote) == 85
    remote.load_table("s.t").delete("kind == 2")
    assert same(lake, remote) == 71
    lake.execute("UPDATE lake.s.t SET kind = 9 WHERE kind = 3")
    lake.execute(
        "MERGE INTO lake.s.t USING (SELECT range + 95 AS id FROM range(10)) AS new ON t.id = new.id "
        "WHEN MATCHED THEN UPDATE SET kind = 8 WHEN NOT MATCHED THEN INSERT VALUES (new.id, 7)"
    )
    remote.load_table("s.t").append(pa.table({"id": [1000], "kind": [0]}))
    found = same(lake, remote)
    assert rows(lake, "SELECT count(*), count(DISTINCT id) FROM lake.s.t") == [(found, found)]


def test_a_table_that_one_evolves_the_other_writes(lake: duckdb.DuckDBPyConnection, remote: RestCatalog) -> None:
    """Columns come, are renamed and widened, a partition is added; old and new files read alike."""
    lake.execute("CREATE TABLE lake.s.t (id INTEGER, moment TIMESTAMP)")
    lake.execute("INSERT INTO lake.s.t SELECT range, TIMESTAMP '2026-01-01' + to_days(range::INT) FROM range(5)")
    with remote.load_table("s.t").update_schema() as change:
        change.rename_column("id", "number")
    with remote.load_table("s.t").update_spec() as change:
        change.add_field("moment", DayTransform(), "day")
    lake.execute("ALTER TABLE lake.s.t ADD COLUMN word VARCHAR")
    lake.execute("INSERT INTO lake.s.t VALUES (7, '2026-02-02 01:00:00', 'x'), (8, NULL, NULL)")
    remote.load_table("s.t").append(
        pa.table(
            {"number": pa.array([9], pa.int32()), "moment": pa.array([0], pa.timestamp("us")), "word": pa.array(["y"])}
        )
    )
    assert same(lake, remote) == 8
    assert rows(lake, "SELECT sum(number), count(word) FROM lake.s.t") == [(34, 2)]


def test_branches_and_tags_of_others_stay(
    lake: duckdb.DuckDBPyConnection, remote: RestCatalog, web: httpx.Client
) -> None:
    """DuckDB's commits keep them, and both clients read what they name."""
    lake.execute("CREATE TABLE lake.s.t AS SELECT range AS id FROM range(3)")
    first = web.get("/namespaces/s/tables/t").json()["metadata"]["current-snapshot-id"]
    updates: list[Json] = [
        {"action": "set-snapshot-ref", "ref-name": name, "type": kind, "snapshot-id": first}
        for name, kind in (("audit", "branch"), ("v1", "tag"))
    ]
    assert web.post("/namespaces/s/tables/t", json={"updates": updates}).status_code == 200
    lake.execute("INSERT INTO lake.s.t VALUES (7)")
    metadata = web.get("/namespaces/s/tables/t", params={"snapshots": "refs"}).json()["metadata"]
    assert metadata["refs"].keys() == {"main", "audit", "v1"}
    assert len(metadata["snapshots"]) == 2
    assert rows(lake, f"SELECT count(*) FROM lake.s.t AT (VERSION => {first})") == [(3,)]
    table = remote.load_table("s.t")
    assert table.scan(snapshot_id=table.snapshot_by_name("v1").snapshot_id).to_arrow().num_rows == 3


def test_two_branches_grow_side_by_side(remote: RestCatalog, web: httpx.Client) -> None:
    """A commit on one that another's overtook is a conflict, which the client tries again: no snapshot is lost."""
    table = remote.create_table("s.t", pa.schema([("id", pa.int64())]))
    table.append(pa.table({"id": [1]}))
    table.manage_snapshots().create_branch(table.current_snapshot().snapshot_id, "audit").commit()
    stale = remote.load_table("s.t")
    remote.load_table("s.t").append(pa.table({"id": [2]}), branch="audit")
    stale.append(pa.table({"id": [3]}))
    refs = web.get("/namespaces/s/tables/t").json()["metadata"]["refs"]
    assert refs["main"]["snapshot-id"] != refs["audit"]["snapshot-id"]
    assert sorted(remote.load_table("s.t").scan().to_arrow()["id"].to_pylist()) == [1, 3]
