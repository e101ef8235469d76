"""Stock DuckDB through the gateway, without a token and with the rights of one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import duckdb
import httpx
import pytest

from millpond.catalog.catalog import Catalog
from millpond.core.names import TableName

from .clients import NAME, SCHEMA, files_under, rows, step, stock_duckdb

Duck = Callable[..., duckdb.DuckDBPyConnection]
TABLE = TableName("s", "t")


@pytest.fixture
def lake(open_door: str, duck: Duck) -> duckdb.DuckDBPyConnection:
    """DuckDB on an open gateway, with a schema `s` and a table `s.t` of ten rows."""
    connection = duck(open_door)
    connection.execute("CREATE SCHEMA lake.s")
    connection.execute("CREATE TABLE lake.s.t (id BIGINT, word VARCHAR)")
    connection.execute("INSERT INTO lake.s.t SELECT range, 'w' || range FROM range(10)")
    return connection


def test_tables_are_made_evolved_and_written(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Every statement that the extension knows does what it says."""
    lake.execute("ALTER TABLE lake.s.t ADD COLUMN score DOUBLE")
    lake.execute("ALTER TABLE lake.s.t RENAME COLUMN word TO text")
    lake.execute("UPDATE lake.s.t SET score = 1.5 WHERE id < 2")
    lake.execute("DELETE FROM lake.s.t WHERE id >= 8")
    lake.execute(
        "MERGE INTO lake.s.t USING (SELECT range AS id FROM range(6, 12)) AS s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET text = 'met' WHEN NOT MATCHED THEN INSERT (id, text) VALUES (s.id, 'new')"
    )
    assert rows(lake, "SELECT text, count(*), count(score) FROM lake.s.t GROUP BY text ORDER BY text")[:2] == [
        ("met", 2, 0),
        ("new", 4, 0),
    ]
    assert rows(lake, "SELECT sum(score) FROM lake.s.t") == [(3.0,)]
    assert catalog.metadata(catalog.table(TABLE)).schema().names == ("id", "text", "score")


def test_earlier_snapshots_can_be_read(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Time travel by snapshot id and by timestamp."""
    (first,) = catalog.metadata(catalog.table(TABLE)).snapshots
    lake.execute("DELETE FROM lake.s.t")
    assert rows(lake, "SELECT count(*) FROM lake.s.t") == [(0,)]
    assert rows(lake, f"SELECT count(*) FROM lake.s.t AT (VERSION => {first['snapshot-id']})") == [(10,)]
    moment = f"make_timestamp({first['timestamp-ms']} * 1000)"
    assert rows(lake, f"SELECT count(*) FROM lake.s.t AT (TIMESTAMP => {moment})") == [(10,)]


def test_direct_commits_are_numbered(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Each has a number, says that it came from outside and which program sent it."""
    records = catalog.history(TABLE)
    assert [record.number for record in records] == [2, 1]
    assert {record.kind for record in records} == {"external"}
    assert all("duckdb" in record.client.lower() for record in records)
    assert all(record.step_key is None for record in records)


def test_a_transaction_over_two_tables_is_one_commit(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """What is done in one transaction has one number."""
    lake.execute("CREATE TABLE lake.s.u AS SELECT 1 AS id")
    before = catalog.head()
    lake.execute("BEGIN; INSERT INTO lake.s.t VALUES (99, 'x'); INSERT INTO lake.s.u VALUES (2); COMMIT")
    assert catalog.head() == before + 1
    assert catalog.history()[0].tables == (TABLE, TableName("s", "u"))


def test_the_second_of_two_writers_is_refused(lake: duckdb.DuckDBPyConnection, open_door: str, duck: Duck) -> None:
    """A conflict is a clean 409, and the first writer's rows stay readable."""
    other = duck(open_door)
    for connection, number in ((lake, 100), (other, 200)):
        connection.execute("BEGIN")
        connection.execute(f"INSERT INTO lake.s.t VALUES ({number}, 'x')")
    lake.execute("COMMIT")
    with pytest.raises(duckdb.Error, match="409"):
        other.execute("COMMIT")
    assert rows(lake, "SELECT id FROM lake.s.t WHERE id >= 100") == [(100,)]


def test_tables_and_schemas_are_renamed_and_dropped(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """A schema goes only when it is empty; odd but honest names work."""
    lake.execute("ALTER TABLE lake.s.t RENAME TO v")
    lake.execute('CREATE TABLE lake.s."my table" AS SELECT 1 AS x')
    assert rows(lake, 'FROM lake.s."my table"') == [(1,)]
    with pytest.raises(duckdb.Error, match="not empty"):
        lake.execute("DROP SCHEMA lake.s")
    lake.execute('DROP TABLE lake.s."my table"')
    lake.execute("DROP TABLE lake.s.v")
    lake.execute("DROP SCHEMA lake.s")
    assert catalog.tables() == ()


def test_dropped_tables_keep_their_files(lake: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Earlier commits still name them."""
    entry = catalog.table(TABLE)
    lake.execute("DROP TABLE lake.s.t")
    assert len(files_under(Path(entry.location) / "data", "*.parquet")) == 1
    assert catalog.find(TABLE, at=2) == entry


def test_any_warehouse_name_leads_to_this_lake(lake: duckdb.DuckDBPyConnection, open_door: str) -> None:
    """What a client calls the lake matters only when an environment has that name."""
    other = stock_duckdb(open_door, warehouse="anything")
    assert rows(other, "SELECT count(*) FROM lake.s.t") == [(10,)]
    other.close()


def test_a_read_token_is_pinned_and_cannot_write(
    lake: duckdb.DuckDBPyConnection, catalog: Catalog, open_door: str, duck: Duck
) -> None:
    """It sees one commit, whatever happens meanwhile, and every write is refused."""
    reader = duck(open_door, catalog.read_token())
    old = duck(open_door, catalog.read_token(at=1))
    lake.execute("DELETE FROM lake.s.t WHERE id < 9")
    assert rows(reader, "SELECT count(*) FROM lake.s.t") == [(10,)]
    assert rows(old, "SELECT count(*) FROM lake.s.t") == [(0,)]
    for statement in ("INSERT INTO lake.s.t VALUES (1, 'x')", "DROP TABLE lake.s.t", "CREATE TABLE lake.s.n (a INT)"):
        with pytest.raises(duckdb.Error, match="only reads"):
            reader.execute(statement)


def test_a_closed_door_wants_a_token(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """No token, a wrong one and a released one are refused."""
    token = catalog.read_token()
    catalog.release(token)
    for bad in (None, "wrong", token):
        with pytest.raises(duckdb.Error, match="Unauthorized"):
            duck(closed_door, bad)


def test_a_forgotten_token_is_no_anonymous_caller(catalog: Catalog, open_door: str, duck: Duck) -> None:
    """At an open door a step that has ended cannot go on writing as anyone."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    lake = duck(open_door, stage.token)
    stage.publish(step("a"))
    with pytest.raises(duckdb.Error, match="Unauthorized"):
        lake.execute("INSERT INTO lake.silver.positions VALUES (1, 'x')")


def test_layers_are_there_for_a_step_before_they_are_made(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """A step may create its tables in any layer; the layer is made when it publishes."""
    stage = catalog.begin("a")
    lake = duck(closed_door, stage.token)
    lake.execute("CREATE SCHEMA IF NOT EXISTS lake.gold")
    lake.execute("CREATE TABLE lake.gold.x AS SELECT 1 AS a")
    stage.publish(step("a"))
    reader = duck(closed_door, catalog.read_token())
    assert rows(reader, "FROM lake.gold.x") == [(1,)]


def test_a_table_that_lost_its_main_branch_is_empty_to_all(
    lake: duckdb.DuckDBPyConnection, open_door: str, duck: Duck, catalog: Catalog
) -> None:
    """As Java's CREATE OR REPLACE leaves it: DuckDB reads the newest snapshot where none is current. A tag stays."""
    lake.execute("CREATE TABLE lake.s.tagged AS FROM lake.s.t")
    for name in ("t", "tagged"):
        number = catalog.metadata(catalog.table(TableName("s", name))).document["current-snapshot-id"]
        tagged = {"action": "set-snapshot-ref", "ref-name": "kept", "type": "tag", "snapshot-id": number}
        removed = {"action": "remove-snapshot-ref", "ref-name": "main"}
        updates = [tagged, removed] if name == "tagged" else [removed]
        place = f"{open_door}/v1/prod/namespaces/s/tables/{name}"
        answer = httpx.post(place, json={"requirements": [], "updates": updates})
        assert answer.status_code == 200, answer.text
        fresh = duck(open_door)
        assert rows(fresh, f"SELECT count(*) FROM lake.s.{name}") == [(0,)]
        fresh.execute(f"INSERT INTO lake.s.{name} VALUES (1, 'new')")
        assert rows(fresh, f"SELECT * FROM lake.s.{name}") == [(1, "new")]
    assert rows(lake, f"SELECT count(*) FROM lake.s.tagged AT (VERSION => {number})") == [(10,)]


def test_two_names_that_differ_in_case_alone_are_one(lake: duckdb.DuckDBPyConnection, open_door: str) -> None:
    """However they are made: the second is refused, as DuckDB and others could not tell them apart."""
    column = {"id": 1, "name": "id", "required": False, "type": "long"}
    schema = {"type": "struct", "schema-id": 0, "fields": [column]}
    spaces = f"{open_door}/v1/prod/namespaces/s/tables"
    staged = httpx.post(spaces, json={"name": "T", "schema": schema, "stage-create": True})
    assert staged.status_code == 409
    changes = [
        {
            "identifier": {"namespace": ["s"], "name": name},
            "requirements": [{"type": "assert-create"}],
            "updates": [
                {"action": "assign-uuid", "uuid": str(uuid4())},
                {"action": "add-schema", "schema": schema, "last-column-id": 1},
                {"action": "set-current-schema", "schema-id": -1},
                {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
                {"action": "set-default-spec", "spec-id": -1},
                {"action": "set-location", "location": f"s/{name}-{number}"},
            ],
        }
        for number, name in enumerate(("Dup", "dup"))
    ]
    for change in changes:
        location = httpx.post(spaces, json={"name": "other", "schema": schema, "stage-create": True})
        change["updates"][-1]["location"] = location.json()["metadata"]["location"]  # type: ignore[index]
    both = f"{open_door}/v1/prod/transactions/commit"
    answer = httpx.post(both, json={"table-changes": changes})
    assert (answer.status_code, answer.json()["error"]["type"]) == (409, "AlreadyExistsException"), answer.text
    assert httpx.post(both, json={"table-changes": changes[:1]}).status_code in (200, 204)
    assert httpx.post(both, json={"table-changes": changes[1:]}).status_code == 409
    assert rows(lake, "SELECT count(*) FROM lake.s.t") == [(10,)]
