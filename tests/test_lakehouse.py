"""A lakehouse from Python."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import millpond
from millpond.core.errors import AccessError, ProjectError
from millpond.core.names import TableName
from millpond.governance.audit import Audit
from millpond.testing import FakeClock, TemporaryLake, temporary_lake

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/orders.sql": (
        "/*---\nkind: append\nkey: [id]\n---*/\nSELECT id::BIGINT AS id, amount::DOUBLE AS amount FROM bronze.orders\n"
    ),
}


def filled(lake: TemporaryLake) -> None:
    """Two orders, loaded and built."""
    lake.deliver("data/a.csv", "id,amount\n1,5\n2,7.5\n")
    assert lake.run().ok


def test_results_come_as_arrow_pandas_and_polars() -> None:
    """The same rows, whatever the library."""
    with temporary_lake(PROJECT) as lake:
        filled(lake)
        with millpond.open(lake.folder) as opened:
            result = opened.tables.query("SELECT * FROM silver.orders ORDER BY id")
        assert result.arrow().to_pylist() == [{"id": 1, "amount": 5.0}, {"id": 2, "amount": 7.5}]
        assert result.pandas()["amount"].sum() == 12.5
        assert result.polars()["amount"].sum() == 12.5


def test_a_whole_table_is_read_by_its_name_as_of_a_commit() -> None:
    """`read` takes layer.name, and the number of a commit."""
    with temporary_lake(PROJECT) as lake:
        filled(lake)
        before = lake.lakehouse.catalog.head()
        lake.deliver("data/b.csv", "id,amount\n3,1\n")
        lake.run()
        assert lake.lakehouse.tables.read("silver.orders").arrow().num_rows == 3
        assert lake.lakehouse.tables.read("silver.orders", at=before).arrow().num_rows == 2


def test_a_time_names_the_newest_commit_not_later_than_it() -> None:
    """Reads by time use the clock that the commits were stamped with."""
    clock = FakeClock()
    with temporary_lake(PROJECT, clock=clock) as lake:
        filled(lake)
        then = clock.now()
        clock.advance(hours=1)
        lake.deliver("data/b.csv", "id,amount\n3,1\n")
        lake.run()
        rows = lake.lakehouse.tables.query("SELECT count(*) AS n FROM silver.orders", at=then + timedelta(minutes=1))
        assert rows.rows() == [{"n": 2}]


def test_writing_through_the_gate_is_refused() -> None:
    """Python gets no other door than the command line does."""
    with temporary_lake(PROJECT) as lake:
        filled(lake)
        with pytest.raises(AccessError):
            lake.lakehouse.tables.query("DELETE FROM silver.orders")


def test_where_there_is_no_project_the_next_step_is_told(tmp_path: object) -> None:
    """Opening a folder without a project says how to make one."""
    with pytest.raises(ProjectError) as refused:
        millpond.open(str(tmp_path))
    assert refused.value.code == "MP-1001"


def test_a_changed_file_of_the_project_is_seen_by_the_next_run() -> None:
    """The test kit opens the lakehouse again after `write`."""
    with temporary_lake(PROJECT) as lake:
        filled(lake)
        lake.write("models/gold/total.sql", "SELECT sum(amount) AS total FROM silver.orders\n")
        assert lake.run().ok
        assert lake.rows("SELECT total FROM gold.total") == [{"total": 12.5}]
        assert [event.fields["table"] for event in lake.events if event.name == "step_finished"][-1] == "gold.total"


def test_every_read_is_in_the_audit() -> None:
    """Who, what and which commit stand in the audit after a query."""
    with temporary_lake(PROJECT) as lake:
        filled(lake)
        lake.rows("SELECT count(*) FROM silver.orders")
        audit = Audit(lake.folder / ".millpond" / "audit.db")
        (record,) = audit.recent(1)
        audit.close()
        assert record.outcome == "done"
        assert record.tables == (TableName("silver", "orders"),)


def test_a_scripted_source_delivers_what_a_test_says() -> None:
    """A source whose store is out of reach is tried with contents of the test's own, read by its own settings."""
    far = {**PROJECT, "sources/orders.yaml": "kind: files\npaths: s3://far-away/orders/*.csv\non_change: replace\n"}
    with temporary_lake(far) as lake:
        lake.script("orders", "one.csv", "id,amount\n1,5\n2,7.5\n")
        assert lake.run().ok
        lake.script("orders", "two.csv", "id,amount\n3,1\n")
        assert lake.run().ok
        assert lake.run().outcomes == {}
        lake.script("orders", "two.csv", "id,amount\n4,1\n")
        assert lake.run().ok
        origins = lake.rows("SELECT id, _origin FROM bronze.orders ORDER BY id")
    assert [(row["id"], row["_origin"]) for row in origins] == [("1", "one.csv"), ("2", "one.csv"), ("4", "two.csv")]


@pytest.mark.parametrize("name", ["q?br[x]%20", 'it\'s a "lake" #1', "ünï & [a-z]*"])
def test_a_project_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    """Signs of patterns, URLs and SQL in the folder's name stand for themselves, in every step."""
    lake = TemporaryLake(tmp_path / name, FakeClock(), {})
    lake.write("millpond.yaml", "version: 1\nname: odd\n")
    lake.write("sources/orders.yaml", "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n")
    lake.write(
        "models/silver/orders.sql",
        "/*---\nkind: upsert\nkey: [id]\norder: n\n---*/\nSELECT id::INT AS id, n::INT AS n FROM bronze.orders\n",
    )
    for number in range(2):
        lake.deliver(f"data/{number}.csv", f"id,n\n1,{number}\n2,{number}\n")
        assert lake.run().ok
    assert lake.lakehouse.upkeep.run().ok
    assert lake.rows("SELECT id, n FROM silver.orders ORDER BY id") == [{"id": 1, "n": 1}, {"id": 2, "n": 1}]
    lake.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
