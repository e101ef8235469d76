"""A real Trino on a lake: started by what `connect` prints, with a token; everyone reads the rows that it wrote."""

from __future__ import annotations

from itertools import count

import pytest

from millpond.core.names import TableName
from millpond.lakehouse import open_lakehouse
from tests.services.printed import ODD, Printed
from tests.services.trino_server import Trino
from tests.services.viewed import read_alike

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

_names = count(1)


@pytest.fixture
def table(trino: Trino) -> str:
    """The name of a table of a thousand rows that DuckDB made."""
    name = f"silver.t{next(_names)}"
    trino.duckdb.execute("CREATE SCHEMA IF NOT EXISTS lake.silver")
    trino.duckdb.execute(
        f"CREATE TABLE lake.{name} AS SELECT i::BIGINT AS id, 'w' || i % 7 AS word, (i / 4)::DECIMAL(9, 2) AS price, "
        "TIMESTAMP '2026-03-01' + to_hours(i::INTEGER) AS ts FROM range(1000) AS r(i)"
    )
    return name


def test_trino_works_by_its_printed_file(trino: Trino, printed: Printed) -> None:
    """The statement that is printed gives the rows, and what Trino writes carries the name of its token."""
    catalog = printed.lake.lakehouse.catalog
    before = len([commit for commit in catalog.history(ODD) if commit.principal == "visitor"])
    assert {(41,), (42,)} <= set(trino.ask(printed.statement("trino")))
    trino.ask('INSERT INTO lake.silver."it\'s odd" VALUES (70)')
    trino.ask('DELETE FROM lake.silver."it\'s odd" WHERE id = 70')
    after = [commit for commit in catalog.history(ODD) if commit.principal == "visitor"]
    assert len(after) == before + 2


def test_everyone_reads_what_the_others_changed(trino: Trino, table: str) -> None:
    """Inserts, updates, deletes and MERGEs of DuckDB and Trino in turn, and upkeep in between."""
    trino.duckdb.execute(f"DELETE FROM lake.{table} WHERE id % 10 = 3")
    trino.duckdb.execute(f"UPDATE lake.{table} SET word = 'changed' WHERE id < 20")
    assert len(trino.rows(table)) == 900
    trino.ask(f"INSERT INTO lake.{table} VALUES (5000, U&'\\00e9', 1.25, TIMESTAMP '2026-05-01 00:00:00.000001')")
    trino.ask(f"UPDATE lake.{table} SET price = price + 1 WHERE id BETWEEN 100 AND 120")
    trino.ask(f"DELETE FROM lake.{table} WHERE id BETWEEN 200 AND 299")
    trino.ask(
        f"MERGE INTO lake.{table} AS t USING (VALUES (1, 'one'), (2, 'gone'), (6000, 'new')) AS s(id, word) "
        "ON t.id = s.id WHEN MATCHED AND s.word = 'gone' THEN DELETE WHEN MATCHED THEN UPDATE SET word = s.word "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.word, 0, NULL)"
    )
    rows = trino.rows(table)
    assert len(rows) == 900 + 1 - 90 + 0
    assert {row[1] for row in rows} >= {"é", "one", "new"}
    with open_lakehouse(trino.lake.folder) as lake:
        report = lake.upkeep.run([table])
        assert report.ok, report.failures
    assert trino.rows(table) == rows


def test_tables_of_trino_are_read_by_everyone(trino: Trino) -> None:
    """Made from a query, by month and by bucket; then others write them and Trino alters them."""
    name = f"silver.t{next(_names)}"
    trino.ask(
        f"CREATE TABLE lake.{name} WITH (partitioning = ARRAY['month(ts)', 'bucket(id, 4)']) AS "
        "SELECT n AS id, CAST(n AS varchar) AS word, TIMESTAMP '2026-01-01 00:00:00.000000' + n * INTERVAL '1' DAY ts "
        "FROM UNNEST(sequence(BIGINT '0', 99)) AS s(n)"
    )
    assert len(trino.rows(name)) == 100
    trino.duckdb.execute(f"INSERT INTO lake.{name} VALUES (1000, 'duck', TIMESTAMP '2026-06-01')")
    trino.duckdb.execute(f"DELETE FROM lake.{name} WHERE id < 10")
    trino.ask(f"ALTER TABLE lake.{name} ADD COLUMN price decimal(9, 2)")
    trino.ask(f"ALTER TABLE lake.{name} RENAME COLUMN word TO label")
    trino.ask(f"INSERT INTO lake.{name} VALUES (2000, 'trino', NULL, 1.5)")
    assert len(trino.rows(name)) == 92
    versions = trino.ask(
        f'SELECT snapshot_id FROM lake.silver."{name.partition(".")[2]}$snapshots" ORDER BY committed_at'
    )
    (old,) = trino.ask(f"SELECT count(*) FROM lake.{name} FOR VERSION AS OF {versions[0][0]}")
    assert old == (100,)


def test_trino_renames_registers_and_drops(trino: Trino, table: str) -> None:
    """The catalog's other calls, as Trino makes them."""
    other = f"t{next(_names)}"
    trino.ask(f"ALTER TABLE lake.{table} RENAME TO lake.silver.{other}")
    assert trino.ask(f"SELECT count(*) FROM lake.silver.{other}") == [(1000,)]
    words = f"SELECT word, count(*) AS n FROM lake.silver.{other} GROUP BY word"
    trino.ask(f"CREATE OR REPLACE VIEW lake.silver.v_{other} AS {words}")
    assert len(trino.ask(f"SELECT * FROM lake.silver.v_{other}")) == 7
    trino.ask(f"DROP VIEW lake.silver.v_{other}")
    location = trino.iceberg.load_table(f"silver.{other}").metadata.location
    again = f"t{next(_names)}"
    trino.ask(f"CALL lake.system.unregister_table('silver', '{other}')")
    assert trino.lake.lakehouse.catalog.find(TableName("silver", other)) is None
    trino.ask(f"CALL lake.system.register_table('silver', '{again}', '{location}')")
    assert trino.ask(f"SELECT count(*) FROM lake.silver.{again}") == [(1000,)]
    trino.ask(f"DROP TABLE lake.silver.{again}")
    assert trino.lake.lakehouse.catalog.find(TableName("silver", again)) is None


def test_trino_reads_a_view_by_its_own_dialect(trino: Trino, table: str) -> None:
    """The same rows as people see through the gate."""
    rows = read_alike(trino.lake, table, trino.ask)
    assert (len(rows), rows[1][1]) == (100, "W3")
