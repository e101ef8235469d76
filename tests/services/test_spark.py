"""Spark, DuckDB, PyIceberg and Millpond's own engine on the same tables: each writes, all read the same."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest

from tests.services.everyone import Everyone, made_by_spark

pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:Merge on read is not yet supported:UserWarning"),
]


@pytest.mark.parametrize("merge_on_read", [True, False])
def test_rows_written_changed_and_deleted_by_each_are_the_same_for_all(everyone: Everyone, merge_on_read: bool) -> None:
    """Spark, DuckDB and PyIceberg take turns on one table that Spark made. DuckDB deletes by merge-on-read alone."""
    made_by_spark(everyone, merge_on_read=merge_on_read)
    assert len(everyone.rows("silver.events")) == 100
    everyone.spark("UPDATE lake.silver.events SET word = 'spark' WHERE id < 5")
    update, delete = (
        "UPDATE lake.silver.events SET word = 'duck' WHERE id BETWEEN 3 AND 9",
        "DELETE FROM lake.silver.events WHERE id = 60",
    )
    changed_by = everyone.duckdb.execute if merge_on_read else everyone.spark
    changed_by(update)
    everyone.duckdb.execute("INSERT INTO lake.silver.events VALUES (1000, NULL, NULL, NULL)")
    everyone.spark(
        "MERGE INTO lake.silver.events AS t USING (SELECT id FROM range(98, 102)) AS s ON t.id = s.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (id, word) VALUES (s.id, 'merged')"
    )
    everyone.iceberg.load_table("silver.events").delete("id == 50")
    changed_by(delete)
    rows = everyone.rows("silver.events")
    words = Counter(row[1] for row in rows)
    assert len(rows) == 99
    assert (words["spark"], words["duck"], words["merged"], words[None]) == (3, 7, 2, 1)


def test_a_table_that_evolved_is_the_same_for_all(everyone: Everyone) -> None:
    """Columns added, renamed and widened, the partitioning changed; each writes under the new form."""
    made_by_spark(everyone, merge_on_read=True)
    everyone.spark("ALTER TABLE lake.silver.events ADD COLUMN score INT")
    everyone.spark("ALTER TABLE lake.silver.events ALTER COLUMN score TYPE BIGINT")
    everyone.spark("ALTER TABLE lake.silver.events RENAME COLUMN word TO name")
    everyone.spark("ALTER TABLE lake.silver.events ADD PARTITION FIELD bucket(4, id)")
    everyone.spark("ALTER TABLE lake.silver.events DROP PARTITION FIELD ts_day")
    everyone.spark("INSERT INTO lake.silver.events VALUES (200, 'x', NULL, 1.5, 5000000000)")
    everyone.duckdb.execute("INSERT INTO lake.silver.events VALUES (201, 'y', NULL, 2.5, 6000000000)")
    table = everyone.iceberg.load_table("silver.events")
    table.append(pa.table({"id": [202], "name": ["z"]}, schema=pa.schema([("id", pa.int64()), ("name", pa.string())])))
    rows = everyone.rows("silver.events")
    assert len(rows) == 103
    assert {row[4] for row in rows} == {None, 5_000_000_000, 6_000_000_000}


def test_every_version_is_the_same_for_spark_and_for_the_lake(everyone: Everyone) -> None:
    """A snapshot of Spark's is a commit number of the lake's."""
    made_by_spark(everyone, merge_on_read=True)
    head = everyone.lake.lakehouse.catalog.head()
    snapshot = everyone.iceberg.load_table("silver.events").metadata.current_snapshot_id
    everyone.spark("DELETE FROM lake.silver.events WHERE id >= 10")
    asked = f"SELECT count(*) FROM lake.silver.events VERSION AS OF {snapshot}"
    assert everyone.spark(asked) == [(100,)]
    assert everyone.lake.rows("SELECT count(*) AS n FROM silver.events", at=head) == [{"n": 100}]
    assert len(everyone.rows("silver.events")) == 10


def test_sparks_upkeep_leaves_the_rows_as_they_are(everyone: Everyone) -> None:
    """Data files and position deletes are rewritten, old snapshots expire with their files."""
    made_by_spark(everyone, merge_on_read=True)
    everyone.spark("DELETE FROM lake.silver.events WHERE id % 7 = 0")
    everyone.duckdb.execute("DELETE FROM lake.silver.events WHERE id % 5 = 0")
    before = everyone.rows("silver.events")
    everyone.spark(
        "CALL lake.system.rewrite_data_files(table => 'silver.events', options => map('rewrite-all', 'true'))"
    )
    everyone.spark("CALL lake.system.rewrite_position_delete_files(table => 'silver.events')")
    assert everyone.rows("silver.events") == before


def test_a_model_takes_in_what_spark_changes(everyone: Everyone) -> None:
    """Inserted, updated and deleted rows reach the groups they belong to, by changes alone."""
    made_by_spark(everyone, merge_on_read=True)
    assert everyone.lake.run().ok
    everyone.spark("DELETE FROM lake.silver.events WHERE id = 1")
    everyone.spark("UPDATE lake.silver.events SET word = 'w0' WHERE id = 2")
    everyone.lake.run()
    counted = sorted((row["word"], row["rows"], row["ids"]) for row in everyone.lake.rows("SELECT * FROM gold.totals"))
    expected: dict[str, list[int]] = {}
    for number, word, *_ in everyone.rows("silver.events"):
        expected.setdefault(word, []).append(number)
    assert counted == sorted((word, len(ids), sum(ids)) for word, ids in expected.items())


def test_spark_makes_renames_and_drops(everyone: Everyone) -> None:
    """From a query, under a new name, gone with its namespace."""
    made_by_spark(everyone, merge_on_read=True)
    everyone.spark(
        "CREATE TABLE lake.silver.copy USING iceberg AS SELECT id, word FROM lake.silver.events WHERE id < 3"
    )
    everyone.spark("ALTER TABLE lake.silver.copy RENAME TO silver.moved")
    assert [row[0] for row in everyone.rows("silver.moved")] == [0, 1, 2]
    everyone.spark("DROP TABLE lake.silver.moved")
    everyone.spark("CREATE NAMESPACE lake.odd")
    everyone.spark("DROP NAMESPACE lake.odd")
    assert {row[1] for row in everyone.spark("SHOW TABLES IN lake.silver")} == {"events"}
