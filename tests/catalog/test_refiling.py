"""Rows that stock DuckDB deletes after a table's partitioning changed are gone for every reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.conversions import from_bytes
from pyiceberg.types import DecimalType, NestedField

from millpond.catalog import avro, manifests
from millpond.catalog.catalog import Catalog
from millpond.catalog.manifests import POSITION_DELETES
from millpond.catalog.refiling import refiled
from millpond.catalog.rewriting import Replacement, replacement
from millpond.catalog.staging import TableChange
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from tests.catalog.clients import rows, step

Duck = Callable[..., duckdb.DuckDBPyConnection]
Json = dict[str, Any]

DAY = {"source-id": 2, "transform": "day", "name": "by_day"}
MONTH = {"source-id": 2, "transform": "month", "name": "by_month"}
WORD = {"source-id": 3, "transform": "identity", "name": "by_word"}
BUCKET = {"source-id": 1, "transform": "bucket[4]", "name": "by_id"}

CHANGES: dict[str, list[list[Json]]] = {
    "none to day": [[], [DAY]],
    "day to month": [[DAY], [MONTH]],
    "day to none": [[DAY], []],
    "word to bucket": [[WORD], [BUCKET]],
    "day and word to month and bucket": [[DAY, WORD], [MONTH, BUCKET]],
    "day to word, to none, back to day": [[DAY], [WORD], [], [DAY]],
}
"""How a table is partitioned at first, and then."""

T = TableName("s", "t")


@pytest.fixture
def web(open_door: str) -> Iterator[httpx.Client]:
    """An HTTP client at the prefix of an open gateway, with a namespace `s`."""
    with httpx.Client(base_url=f"{open_door}/v1/prod") as client:
        assert client.post("/namespaces", json={"namespace": ["s"]}).status_code == 200
        yield client


@pytest.fixture
def lake(open_door: str, web: httpx.Client, duck: Duck) -> duckdb.DuckDBPyConnection:
    """Stock DuckDB, with an empty table."""
    made = duck(open_door)
    made.execute("CREATE TABLE lake.s.t (id BIGINT, ts TIMESTAMP, word VARCHAR)")
    return made


@pytest.fixture
def remote(open_door: str, web: httpx.Client) -> RestCatalog:
    """Stock PyIceberg."""
    catalog = load_catalog("lake", type="rest", uri=open_door, warehouse="prod")
    assert isinstance(catalog, RestCatalog)
    return catalog


def partitioned(web: httpx.Client, fields: list[Json]) -> None:
    """From now on files of `s.t` are partitioned by these fields."""
    updates = [{"action": "add-spec", "spec": {"fields": fields}}, {"action": "set-default-spec", "spec-id": -1}]
    answer = web.post("/namespaces/s/tables/t", json={"updates": updates})
    assert answer.status_code == 200, answer.text


def filled(first: int) -> str:
    """The INSERT of thirty rows, of ten days in two months and three words."""
    return (
        f"INSERT INTO {{t}} SELECT {first} + range, TIMESTAMP '2026-01-27' + to_days((range % 10)::INT), "
        "'w' || (range % 3) FROM range(30)"
    )


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES.keys())
def test_deletes_reach_rows_of_every_partitioning(
    changes: list[list[Json]], lake: duckdb.DuckDBPyConnection, remote: RestCatalog, web: httpx.Client
) -> None:
    """DELETE, UPDATE and MERGE over files of before and after each change: both clients read the same rows."""
    twin = duckdb.connect()
    twin.execute("CREATE TABLE t (id BIGINT, ts TIMESTAMP, word VARCHAR)")
    for number, fields in enumerate(changes):
        partitioned(web, fields)
        merge = f"MERGE INTO {{t}} AS t USING (SELECT {number + 20} AS rest) AS s ON t.id % 30 = s.rest "
        for statement in (
            filled(number * 100),
            f"DELETE FROM {{t}} WHERE id % 30 = {number}",
            f"UPDATE {{t}} SET word = 'u' WHERE id % 30 = {number + 10}",
            f"{merge}WHEN MATCHED THEN DELETE",
        ):
            lake.execute(statement.format(t="lake.s.t"))
            twin.execute(statement.format(t="t"))
    expected = rows(twin, "SELECT * FROM t ORDER BY id")
    assert rows(lake, "SELECT * FROM lake.s.t ORDER BY id") == expected
    assert sorted(tuple(row.values()) for row in remote.load_table("s.t").scan().to_arrow().to_pylist()) == expected


def test_duckdb_changes_the_partitioning_itself(
    lake: duckdb.DuckDBPyConnection, remote: RestCatalog, web: httpx.Client
) -> None:
    """By its own ALTER TABLE; in one transaction rows of older files are deleted, and others come."""
    lake.execute("ALTER TABLE lake.s.t SET PARTITIONED BY (day(ts))")
    lake.execute(filled(0).format(t="lake.s.t"))
    lake.execute("ALTER TABLE lake.s.t SET PARTITIONED BY (month(ts))")
    lake.execute("BEGIN")
    lake.execute("DELETE FROM lake.s.t WHERE id < 7")
    lake.execute(filled(100).format(t="lake.s.t"))
    lake.execute("COMMIT")
    assert rows(lake, "SELECT count(*), min(id) FROM lake.s.t") == [(53, 7)]
    assert remote.load_table("s.t").scan().to_arrow().num_rows == 53


def test_each_delete_stands_with_its_data(lake: duckdb.DuckDBPyConnection, web: httpx.Client, catalog: Catalog) -> None:
    """Under the same spec, with the same partition, and in a manifest whose schema and header say so."""
    partitioned(web, [DAY])
    lake.execute(filled(0).format(t="lake.s.t"))
    partitioned(web, [MONTH])
    lake.execute(filled(100).format(t="lake.s.t"))
    lake.execute("DELETE FROM lake.s.t WHERE id % 100 = 5")
    listed = manifests.of_snapshot(catalog.metadata(catalog.table(T)).current_snapshot)
    data = {
        entry.path: entry for manifest in listed if manifest.content == "data" for entry in manifests.files(manifest)
    }
    deletes = [manifest for manifest in listed if manifest.content == "deletes"]
    assert len(deletes) == 2
    for manifest in deletes:
        (entry,) = manifests.files(manifest)
        home = data[manifests.target(entry) or ""]
        assert (entry.content, entry.spec_id, entry.partition) == (POSITION_DELETES, home.spec_id, home.partition)
        header = avro.contents(manifest.path).header
        assert header["partition-spec-id"] == str(home.spec_id)
        assert [field["name"] for field in json.loads(header["partition-spec"])] == [home.partition[0][0]]
        assert len(manifest.record["partitions"]) == 1
        assert (manifest.added_files, manifest.record["added_rows_count"]) == (1, 1)


def test_nothing_is_written_anew_where_all_is_in_place(
    lake: duckdb.DuckDBPyConnection, web: httpx.Client, catalog: Catalog
) -> None:
    """Deletes of rows in files of the present partitioning stay as their client wrote them."""
    partitioned(web, [DAY])
    lake.execute(filled(0).format(t="lake.s.t"))
    lake.execute("DELETE FROM lake.s.t WHERE id = 5")
    present = catalog.metadata(catalog.table(T))
    assert refiled(None, present) is present
    assert refiled(present, present) is present


def test_deletes_that_name_files_of_several_partitions_are_refused(
    lake: duckdb.DuckDBPyConnection, web: httpx.Client, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the writer does not say for which file they are, they would be lost for every other reader."""
    partitioned(web, [DAY])
    lake.execute(filled(0).format(t="lake.s.t"))
    partitioned(web, [MONTH])
    monkeypatch.setattr("millpond.catalog.refiling.target", lambda _entry: None)
    with pytest.raises(duckdb.Error, match="cannot be told to which data file"):
        lake.execute("DELETE FROM lake.s.t WHERE id = 5")
    assert rows(lake, "SELECT count(*) FROM lake.s.t") == [(30,)]


def test_a_list_outside_of_the_table_is_not_read(
    web: httpx.Client, lake: duckdb.DuckDBPyConnection, catalog: Catalog, tmp_path: Path
) -> None:
    """What a client names is looked at only where it may lie."""
    partitioned(web, [DAY])
    lake.execute(filled(0).format(t="lake.s.t"))
    present = catalog.metadata(catalog.table(T))
    snapshot = {
        **present.snapshots[-1],
        "snapshot-id": 7,
        "sequence-number": 9,
        "manifest-list": str(tmp_path / "x.avro"),
    }
    answer = web.post("/namespaces/s/tables/t", json={"updates": [{"action": "add-snapshot", "snapshot": snapshot}]})
    assert (answer.status_code, answer.json()["error"]["stack"]) == (400, ["MP-3035"])
    with pytest.raises(CatalogError):
        refiled(None, present.__class__({**present.document, "snapshots": [snapshot]}))


EDGES = {
    "BOOLEAN": ["true", "false"],
    "INTEGER": ["-2147483648", "7"],
    "BIGINT": ["-5", "9223372036854775807"],
    "FLOAT": ["1.5", "'NaN'"],
    "DOUBLE": ["-1.5", "'NaN'", "'inf'"],
    "DECIMAL(9,2)": ["-1.50", "1.27", "1.28"],
    "DECIMAL(38,10)": ["-1.5", "123456789012345.5"],
    "VARCHAR": ["''", "'🧊'", "repeat(chr(1114111), 20)"],
    "DATE": ["'0044-03-15 (BC)'", "'1969-12-31'", "'20000-01-01'"],
    "TIMESTAMP": ["'1969-12-31 23:59:59.999999'", "'294246-12-31'"],
    "TIMESTAMPTZ": ["'1969-12-31 23:59:59+00'", "'9999-12-31 00:00:00+00'"],
    "UUID": ["'00000000-0000-0000-0000-000000000001'", "'ffffffff-ffff-4fff-bfff-ffffffffffff'"],
}
"""Values that partitions are made of."""


@pytest.mark.parametrize("kind", EDGES)
def test_no_partition_is_hidden_from_others(kind: str, lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """The list's bounds hold every value, those that DuckDB leaves out too, also after manifests were merged."""
    lake.execute(f"CREATE TABLE lake.s.p (id BIGINT, v {kind}) PARTITIONED BY (v)")
    for place, given in enumerate([*EDGES[kind], "NULL"]):
        lake.execute(f"INSERT INTO lake.s.p VALUES ({place}, {given})")
    lake.execute("INSERT INTO lake.s.p VALUES " + ", ".join(f"(9, {given})" for given in EDGES[kind]))
    lake.execute("DELETE FROM lake.s.p WHERE id = 9")
    name = TableName("s", "p")
    _shown(catalog, name, parts=len(EDGES[kind]) + 3)
    stage = catalog.begin("merge")
    updates = replacement(stage.metadata(name), Replacement(), 0)
    stage.commit((TableChange(name, (), updates),))
    stage.publish(step("merge"))
    _shown(catalog, name, parts=2)
    assert rows(lake, "SELECT count(*) FROM lake.s.p") == [(len(EDGES[kind]) + 1,)]


def _shown(catalog: Catalog, name: TableName, parts: int) -> None:
    """Check the summaries of a table's manifests as PyIceberg reads them."""
    metadata = catalog.metadata(catalog.table(name))
    kind: Any = NestedField(2, "v", metadata.schema_document["fields"][1]["type"]).field_type
    listed = manifests.of_snapshot(metadata.current_snapshot)
    assert len(listed) == parts
    for manifest in listed:
        values = [entry.partition[0][1] for entry in manifests.entries(manifest)]
        nans = [value for value in values if value != value]
        (told,) = manifest.record["partitions"]
        assert (told["contains_null"], bool(told["contains_nan"])) == (None in values, bool(nans))
        real = [value for value in values if value is not None and value == value]
        if isinstance(kind, DecimalType):
            real = [Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-kind.scale) for value in real]
        if real:
            low, high = (from_bytes(kind, told[f"{side}_bound"]) for side in ("lower", "upper"))
            assert low == min(real)
            assert high == max(real)
        else:
            assert (told["lower_bound"], told["upper_bound"]) == (None, None)
