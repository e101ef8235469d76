"""Stock PyIceberg through the gateway."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NamespaceNotEmptyError,
    NoSuchNamespaceError,
    NoSuchTableError,
    TableAlreadyExistsError,
    UnauthorizedError,
)
from pyiceberg.transforms import DayTransform
from pyiceberg.types import DoubleType

from millpond.catalog.catalog import Catalog
from millpond.core.names import TableName

from .clients import KEPT, NAME, SCHEMA, rows, step

Duck = Callable[..., duckdb.DuckDBPyConnection]
WORDS = pa.schema([("id", pa.int64()), ("word", pa.string())])


def some(*ids: int) -> pa.Table:
    """Rows with these ids."""
    return pa.table({"id": list(ids), "word": [f"w{number}" for number in ids]}, schema=WORDS)


@pytest.fixture
def remote(open_door: str) -> RestCatalog:
    """PyIceberg on an open gateway, with a namespace `s`."""
    client: Any = load_catalog("lake", type="rest", uri=open_door, warehouse="prod")
    client.create_namespace("s")
    return client


def test_namespaces_are_made_listed_changed_and_dropped(remote: RestCatalog) -> None:
    """Every namespace has a location; errors have the class that the client expects."""
    assert remote.list_namespaces() == [("s",)]
    assert remote.load_namespace_properties("s")["location"].endswith("/lake/s")
    summary = remote.update_namespace_properties("s", removals={"no"}, updates={"owner": "team"})
    assert (summary.updated, summary.missing) == (["owner"], ["no"])
    assert remote.load_namespace_properties("s")["owner"] == "team"
    assert remote.list_namespaces("s") == []
    with pytest.raises(NamespaceAlreadyExistsError):
        remote.create_namespace("s")
    with pytest.raises(NoSuchNamespaceError):
        remote.list_tables("nowhere")
    with pytest.raises(NoSuchNamespaceError):
        remote.create_table("nowhere.t", WORDS)
    remote.drop_namespace("s")
    assert not remote.namespace_exists("s")


def test_tables_are_made_evolved_and_written(remote: RestCatalog) -> None:
    """Append, evolve, delete, overwrite, upsert, and reading an earlier snapshot."""
    table = remote.create_table("s.t", WORDS)
    table.append(some(1, 2))
    first = table.metadata.current_snapshot_id
    with table.update_schema() as update:
        update.add_column("score", DoubleType())
    table.delete("id == 1")
    table.upsert(pa.table({"id": [2, 3], "word": ["two", "three"], "score": [2.0, 3.0]}), join_cols=["id"])
    assert sorted(table.scan().to_arrow().to_pylist(), key=lambda row: row["id"]) == [
        {"id": 2, "word": "two", "score": 2.0},
        {"id": 3, "word": "three", "score": 3.0},
    ]
    assert table.scan(snapshot_id=first).to_arrow().num_rows == 2
    table.overwrite(pa.table({"id": [9], "word": ["nine"], "score": [9.0]}))
    assert table.scan().to_arrow().to_pylist() == [{"id": 9, "word": "nine", "score": 9.0}]


def test_partitions_and_properties_change(remote: RestCatalog) -> None:
    """Partition specs, properties and tags go through."""
    schema = pa.schema([("ts", pa.timestamp("us")), ("id", pa.int64())])
    table = remote.create_table("s.t", schema, properties={"a": "1"})
    with table.update_spec() as update:
        update.add_field("ts", DayTransform())
    with table.transaction() as change:
        change.set_properties({"b": "2"})
        change.remove_properties("a")
    table.append(pa.table({"ts": [0, 86_400_000_000], "id": [1, 2]}).cast(schema))
    table.manage_snapshots().create_tag(table.metadata.current_snapshot_id, "kept").commit()
    again = remote.load_table("s.t")
    assert again.properties == KEPT | {"b": "2"}
    assert [field.name for field in again.spec().fields] == ["ts_day"]
    assert set(again.refs()) == {"main", "kept"}
    assert len(list(again.scan().plan_files())) == 2


def test_names_move_and_end(remote: RestCatalog) -> None:
    """Rename, drop, register and their errors."""
    table = remote.create_table("s.t", WORDS)
    table.append(some(1))
    with pytest.raises(TableAlreadyExistsError):
        remote.create_table("s.t", WORDS)
    with pytest.raises(NamespaceNotEmptyError):
        remote.drop_namespace("s")
    remote.rename_table("s.t", "s.u")
    assert (remote.table_exists("s.t"), remote.table_exists("s.u")) == (False, True)
    metadata = remote.load_table("s.u").metadata_location
    remote.drop_table("s.u")
    with pytest.raises(NoSuchTableError):
        remote.drop_table("s.u")
    with pytest.raises(NoSuchTableError):
        remote.load_table("s.u")
    registered = remote.register_table("s.again", metadata)
    assert registered.scan().to_arrow().num_rows == 1
    registered.append(some(2))
    assert remote.list_tables("s") == [("s", "again")]


def test_a_stale_writer_is_refused(remote: RestCatalog) -> None:
    """A commit on what is no longer the newest snapshot is a failed commit, and changes nothing."""
    remote.create_table("s.t", WORDS, properties={"commit.retry.num-retries": "0"})
    one, two = remote.load_table("s.t"), remote.load_table("s.t")
    one.append(some(1))
    with pytest.raises(CommitFailedException):
        two.append(some(2))
    assert remote.load_table("s.t").scan().to_arrow().to_pylist() == [{"id": 1, "word": "w1"}]


def test_a_table_is_made_together_with_its_first_rows(remote: RestCatalog) -> None:
    """A create transaction becomes visible with its data, as one commit."""
    with remote.create_table_transaction("s.t", WORDS) as change:
        change.append(some(1, 2))
    assert remote.load_table("s.t").scan().to_arrow().num_rows == 2


def test_what_one_client_writes_the_other_reads(
    remote: RestCatalog, open_door: str, duck: Duck, catalog: Catalog
) -> None:
    """Rows and deletes of PyIceberg and DuckDB on one table."""
    remote.create_table("s.t", WORDS).append(some(1, 2, 3))
    lake = duck(open_door)
    lake.execute("DELETE FROM lake.s.t WHERE id = 2")
    lake.execute("INSERT INTO lake.s.t VALUES (4, 'w4')")
    assert sorted(remote.load_table("s.t").scan().to_arrow()["id"].to_pylist()) == [1, 3, 4]
    remote.load_table("s.t").delete("id == 3")
    assert rows(lake, "SELECT id FROM lake.s.t ORDER BY id") == [(1,), (4,)]
    assert catalog.table(TableName("s", "t")).commit == 5


def test_a_step_token_stages_what_pyiceberg_commits(catalog: Catalog, closed_door: str) -> None:
    """A step may work with PyIceberg: staged until it is published."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    client = load_catalog("lake", type="rest", uri=closed_door, warehouse="prod", token=stage.token)
    client.load_table("silver.positions").append(some(1, 2))
    assert catalog.find(NAME) is None
    stage.publish(step("a"))
    reader = load_catalog("lake", type="rest", uri=closed_door, warehouse="prod", token=catalog.read_token())
    assert reader.load_table("silver.positions").scan().to_arrow().num_rows == 2


def test_a_wrong_token_is_unauthorized(closed_door: str) -> None:
    """The client hears a clean 401."""
    with pytest.raises(UnauthorizedError):
        load_catalog("lake", type="rest", uri=closed_door, warehouse="prod", token="wrong")
