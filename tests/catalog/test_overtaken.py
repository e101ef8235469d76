"""A client's commit that a rewrite overtook is moved onto it, or refused; it is never half in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ValidationException
from pyiceberg.table.snapshots import ancestors_of

from millpond.catalog import avro, manifests, publishing
from millpond.catalog.cleaning import expire, maintenance
from millpond.catalog.commits import Commit
from millpond.catalog.deleting import DeleteFile, delete_entry, delete_header
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.manifests import EQUALITY_DELETES
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.sheets import Sheet
from millpond.catalog.snapshots import added, new_id
from millpond.catalog.staging import TableChange
from millpond.core.errors import ConflictError
from millpond.core.names import TableName
from millpond.pipeline.compaction import batches, compact, merge_manifests, planned
from tests.catalog.clients import rows, stock_duckdb
from tests.catalog.test_reachability import nothing
from tests.tables.lake import Lake, small_lake

T = TableName("silver", "t")
NAME = '"lake"."silver"."t"'
_keys = count(1)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    """A lake with a table of five small files, ten rows each."""
    with small_lake(tmp_path) as made:
        made.run(f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
        for place in range(5):
            made.run(f"INSERT INTO {NAME} SELECT i, 'x' || i FROM range({place * 10}, {place * 10 + 10}) t(i)")
        yield made


@pytest.fixture
def endpoint(lake: Lake) -> Iterator[str]:
    """Where stock clients reach the lake."""
    gateway = Gateway(lake.catalog, open_access=True)
    yield gateway.start()
    gateway.stop()


def rewrite(lake: Lake) -> None:
    """Put the table's small files together."""
    metadata = lake.metadata(T)
    found, _ = planned(metadata, (), ())
    assert found
    for batch in batches(found):
        assert compact(lake.bench(), T, batch, metadata, (), f"compact-{next(_keys)}").number is not None


def open_transaction(client: duckdb.DuckDBPyConnection, *statements: str) -> None:
    """Begin a transaction that has seen the table and written to it."""
    client.execute("BEGIN")
    assert rows(client, f"SELECT count(*) FROM {NAME}") == [(50,)]
    for statement in statements:
        client.execute(statement)


def test_appends_are_moved_onto_a_rewrite(lake: Lake, endpoint: str) -> None:
    """Two INSERTs in a transaction that began before the rewrite: both are in, once."""
    client = stock_duckdb(endpoint)
    open_transaction(client, f"INSERT INTO {NAME} VALUES (100, 'new')", f"INSERT INTO {NAME} VALUES (101, 'new')")
    rewrite(lake)
    client.execute("COMMIT")
    seen = rows(stock_duckdb(endpoint), f"SELECT a FROM {NAME} ORDER BY a")
    assert seen == [(number,) for number in (*range(50), 100, 101)]
    table = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.t")
    assert table.scan().to_arrow().num_rows == 52
    summary = (lake.metadata(T).current_snapshot or {})["summary"]
    assert (summary["operation"], summary["total-records"], summary["total-data-files"]) == ("append", "52", "3")


def test_deletes_of_files_that_stayed_are_moved(lake: Lake, endpoint: str) -> None:
    """What is deleted lies in a file that was written after the rewrite was planned, and in the own new file."""
    metadata = lake.metadata(T)
    found, _ = planned(metadata, (), ())
    lake.run(f"INSERT INTO {NAME} VALUES (60, 'late')")
    client = stock_duckdb(endpoint)
    client.execute("BEGIN")
    client.execute(f"INSERT INTO {NAME} VALUES (100, 'own'), (101, 'own')")
    client.execute(f"DELETE FROM {NAME} WHERE a IN (60, 100)")
    for batch in batches(found):
        compact(lake.bench(), T, batch, metadata, (), f"compact-{next(_keys)}")
    client.execute("COMMIT")
    seen = rows(stock_duckdb(endpoint), f"SELECT a FROM {NAME} ORDER BY a")
    assert seen == [(number,) for number in (*range(50), 101)]


def test_deletes_of_rewritten_files_are_refused(lake: Lake, endpoint: str) -> None:
    """Positions in a file that is gone mean nothing: the client hears a conflict, and nothing is changed."""
    client = stock_duckdb(endpoint)
    open_transaction(client, f"INSERT INTO {NAME} VALUES (100, 'new')", f"DELETE FROM {NAME} WHERE a = 7")
    rewrite(lake)
    with pytest.raises(duckdb.Error, match="branch main has changed"):
        client.execute("COMMIT")
    assert rows(stock_duckdb(endpoint), f"SELECT count(*) FROM {NAME}") == [(50,)]


def test_pyiceberg_appends_and_deletes_across_rewrites(lake: Lake, endpoint: str) -> None:
    """Its append is moved; its delete, which writes files anew, is refused until it has loaded the table again."""
    table = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.t")
    stale = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.t")
    merge_manifests(lake.bench(), T, f"merge-{next(_keys)}")
    table.append(table.scan(row_filter="a = 8").to_arrow())
    assert table.scan().to_arrow().num_rows == 51
    rewrite(lake)
    with pytest.raises(ValidationException):
        stale.delete("a = 7")
    stale.refresh()
    stale.delete("a = 7")
    seen = rows(stock_duckdb(endpoint), f"SELECT a FROM {NAME} ORDER BY a")
    assert seen == [(number,) for number in (*range(7), 8, 8, *range(9, 50))]


def test_other_changes_are_no_rewrites(lake: Lake, endpoint: str) -> None:
    """An append that another append overtook is refused: it may have looked at what was there."""
    client = stock_duckdb(endpoint)
    open_transaction(client, f"INSERT INTO {NAME} VALUES (100, 'new')")
    lake.run(f"INSERT INTO {NAME} VALUES (60, 'other')")
    rewrite(lake)
    with pytest.raises(duckdb.Error, match="branch main has changed"):
        client.execute("COMMIT")


def deleted_by_value(lake: Lake, base: TableMetadata, value: int) -> tuple[Mapping[str, Any], ...]:
    """The updates that delete from a version the rows whose `a` is a value, as Flink does."""
    data, *_ = listed = manifests.of_snapshot(base.current_snapshot)
    path = f"{base.location}/data/by-value.parquet"
    with lake.engine.session() as session:
        session.execute(f"COPY (SELECT {value}::BIGINT AS a) TO '{path}' (FORMAT parquet, FIELD_IDS {{a: 1}})")
    found, number = avro.contents(data.path), new_id()
    deletes = DeleteFile(path, "", 1, Path(path).stat().st_size)
    entry = dict(delete_entry(found.schema, found.records[0]["data_file"], deletes, number))
    by_value = {"content": EQUALITY_DELETES, "equality_ids": [1], "lower_bounds": None, "upper_bounds": None}
    entry["data_file"] |= by_value | {"referenced_data_file": None}
    sheet = Sheet(found.schema, delete_header(found), 1, data.partition_spec_id, [entry])
    record = sheet.write(f"{base.location}/metadata", number, base.sequence_number + 1)
    rows = [*(dict(one.record) for one in listed), record]
    return added(base, number, rows, {"operation": "delete"}, 0, base.document["current-schema-id"])


@pytest.mark.parametrize("overtaken", [False, True])
def test_deletes_by_value_bear_on_the_snapshot_before_them(lake: Lake, overtaken: bool) -> None:
    """A row that one snapshot of a commit added and the next one deleted is gone, or the commit is refused."""
    base = lake.metadata(T)
    stage = lake.begin()
    with lake.engine.session(lake.endpoint, stage.token) as session:
        session.execute(f"INSERT INTO {NAME} VALUES (100, 'own'), (101, 'own')")
    appended = stage.metadata(T)
    stage.discard()
    updates = (
        {"action": "add-snapshot", "snapshot": appended.current_snapshot},
        *deleted_by_value(lake, appended, 100),
    )
    demand = {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": base.document["current-snapshot-id"]}
    if overtaken:
        rewrite(lake)
    stage = lake.begin()
    if overtaken:
        with pytest.raises(ConflictError, match="branch main has changed"):
            stage.commit((TableChange(T, (demand,), updates),))
    else:
        stage.commit((TableChange(T, (demand,), updates),))
        stage.publish(Commit(stage.step_key, "test", "tester"))
    assert list(lake.rows(f"SELECT a FROM {NAME} WHERE a >= 100")) == ([] if overtaken else [(101,)])


def test_a_moved_commit_that_is_asked_again_is_acknowledged(lake: Lake, endpoint: str) -> None:
    """The client that lost the answer asks with all of its snapshots; the table has the last of them."""
    client = stock_duckdb(endpoint)
    open_transaction(client, f"INSERT INTO {NAME} VALUES (100, 'new')", f"INSERT INTO {NAME} VALUES (101, 'new')")
    rewrite(lake)
    client.execute("COMMIT")
    newest = lake.metadata(T).current_snapshot or {}
    lost = {**newest, "snapshot-id": 5, "parent-snapshot-id": newest["parent-snapshot-id"]}
    asked = [
        {"action": "add-snapshot", "snapshot": lost},
        {"action": "add-snapshot", "snapshot": newest},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": newest["snapshot-id"]},
    ]
    stage = lake.catalog.begin("again")
    assert not stage.commit((TableChange(T, (), tuple(asked)),))
    stage.discard()


def test_a_branch_that_is_ahead_can_still_become_main(
    lake: Lake, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Write, audit, publish: until main is moved on to it no rewrite comes between, and no commit is forgotten."""
    monkeypatch.setattr(publishing, "KEPT_SNAPSHOTS", 2)
    table = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod").load_table("silver.t")
    before = lake.metadata(T)
    found, _ = planned(before, (), ())
    table.manage_snapshots().create_branch(table.metadata.current_snapshot_id or 0, "audit").commit()
    assert planned(lake.metadata(T), (), ())[1] == ""
    for number in range(100, 104):
        table.append(pa.table({"a": [number], "b": ["audited"]}), branch="audit")
    assert planned(lake.metadata(T), (), ()) == ((), "its branch audit is ahead, and could not become main any more")
    assert compact(lake.bench(), T, next(batches(found)), before, (), "late").number is None
    assert merge_manifests(lake.bench(), T, "merge") is None
    expire(lake.catalog, T, nothing, maintenance("expire", "owner", None))
    audited = table.refresh().snapshot_by_name("audit")
    assert table.current_snapshot() in ancestors_of(audited, table.metadata)
    table.manage_snapshots().set_current_snapshot(ref_name="audit").commit()
    rewrite(lake)
    assert table.refresh().scan().to_arrow().num_rows == 54
