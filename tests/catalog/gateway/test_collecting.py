"""Which clients may delete files themselves, as Iceberg's Java library does, and which snapshots they may give up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import duckdb
import httpx
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Cursor
from millpond.catalog.forks import Forks
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.retention import Retention
from millpond.catalog.tags import Tags
from millpond.core.names import TableName
from millpond.testing import FakeClock, TemporaryLake, temporary_lake
from tests.catalog.clients import step, stock_duckdb

from .talk import made, properties, refused

TABLE, COPY = TableName("s", "t"), TableName("s", "copy")
READER = TableName("gold", "reader")
WANTS = properties(gc_enabled="true")


@pytest.fixture
def web(open_door: str) -> Iterator[httpx.Client]:
    """An HTTP client at the prefix of an open gateway, with a table that says it wants its files deleted by clients."""
    with httpx.Client(base_url=f"{open_door}/v1/prod") as client:
        client.post("/namespaces", json={"namespace": ["s"]})
        made(client)
        assert client.post("/namespaces/s/tables/t", json={"updates": [WANTS]}).status_code == 200
        yield client


def collects(web: httpx.Client, name: str = "t") -> str:
    """What clients are told of a table."""
    return str(web.get(f"/namespaces/s/tables/{name}").json()["metadata"]["properties"]["gc.enabled"])


def test_clients_are_told_to_delete_no_files(web: httpx.Client, catalog: Catalog) -> None:
    """Of every table, also in the answer to its creation; the metadata itself says nothing."""
    content = made(web, "other")
    assert content["metadata"]["properties"] == {"gc.enabled": "false"}
    assert collects(web, "other") == "false"
    assert catalog.metadata(catalog.table(TableName("s", "other"))).properties == {}


def test_a_table_may_say_that_clients_tidy_it(web: httpx.Client) -> None:
    """Nobody may keep what they are told of such a table: it depends on more than its metadata."""
    assert collects(web) == "true"
    assert "etag" not in web.get("/namespaces/s/tables/t").headers
    back = {"action": "remove-properties", "removals": ["gc.enabled"]}
    assert "etag" in web.post("/namespaces/s/tables/t", json={"updates": [back]}).headers
    assert collects(web) == "false"


def test_a_tag_keeps_clients_from_it(web: httpx.Client, catalog: Catalog) -> None:
    """While it names an earlier state."""
    tags, number = Tags(catalog), catalog.head()
    tags.add("then", number, "owner")
    assert collects(web) == "true"
    web.post("/namespaces/s/tables/t", json={"updates": [properties(a="b")]})
    assert collects(web) == "false"
    tags.delete("then")
    assert collects(web) == "true"


def test_a_fork_keeps_clients_from_both(web: httpx.Client, catalog: Catalog) -> None:
    """DuckDB puts a fork's deletes beside the data of the table that it was forked from."""
    Forks(catalog, "owner").fork(TABLE, COPY, into="dev")
    assert collects(web) == "false"
    elsewhere = httpx.get(f"{str(web.base_url).replace('/prod', '/dev')}namespaces/s/tables/copy")
    assert elsewhere.json()["metadata"]["properties"]["gc.enabled"] == "false"


def test_a_reader_that_is_behind_keeps_clients_from_it(web: httpx.Client, catalog: Catalog) -> None:
    """Until it has read what there is."""
    number = catalog.head()
    web.post("/namespaces/s/tables/t", json={"updates": [properties(a="b")]})
    for key, read, told in (("one", number, "false"), ("two", catalog.head(), "true")):
        stage = catalog.begin(key)
        if key == "one":
            stage.create_table(READER, catalog.metadata(catalog.table(TABLE)).schema())
        stage.publish(step(key, cursors=(Cursor(READER, TABLE, read),)))
        assert collects(web) == told


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A lake whose clock the test moves."""
    with temporary_lake({"millpond.yaml": "version: 1\nname: kept\n"}, clock=FakeClock(datetime.now(UTC))) as made_:
        yield made_


def removed(duck: duckdb.DuckDBPyConnection, lake: TemporaryLake, endpoint: str) -> httpx.Response:
    """Two states, the first given up three days later."""
    duck.execute("CREATE TABLE lake.s.t AS SELECT 1 AS id")
    entry = lake.lakehouse.catalog.table(TABLE)
    first = lake.lakehouse.catalog.metadata(entry).document["current-snapshot-id"]
    lake.clock.advance(hours=2)
    duck.execute("INSERT INTO lake.s.t VALUES (2)")
    lake.clock.advance(days=3)
    update = {"action": "remove-snapshots", "snapshot-ids": [first]}
    return httpx.post(f"{endpoint}/v1/prod/namespaces/s/tables/t", json={"updates": [update]})


@pytest.mark.parametrize("hourly", [True, False])
def test_retention_binds_clients_too(hourly: bool, lake: TemporaryLake) -> None:
    """A state that the rule keeps by the hour stays, also after the day in which every commit stays."""
    none = timedelta(0)
    rule = Retention() if hourly else Retention(timedelta(hours=24), none, none)
    gateway = Gateway(lake.lakehouse.catalog, open_access=True, rule=rule)
    endpoint = gateway.start()
    with stock_duckdb(endpoint) as duck:
        duck.execute("CREATE SCHEMA lake.s")
        answer = removed(duck, lake, endpoint)
        if hourly:
            refused(answer, 400, "BadRequestException", "still needed")
        else:
            assert answer.status_code == 200
    gateway.stop()
