"""Spark's own upkeep, which deletes files itself: what tags, forks, readers or retention need is not lost to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millpond.catalog.tags import Tags
from millpond.core.names import TableName
from millpond.pipeline.doctor import diagnose
from tests.services.everyone import Everyone, Rows, made_by_spark

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

EVENTS, COPY = TableName("silver", "events"), TableName("silver", "copy")
EXPIRE = (
    "CALL lake.system.expire_snapshots(table => 'silver.events', older_than => TIMESTAMP '2100-01-01 00:00:00', "
    "retain_last => 1)"
)
DELETING = (
    EXPIRE,
    "CALL lake.system.remove_orphan_files(table => 'silver.events')",
    "DROP TABLE lake.silver.events PURGE",
)
WANTS = "ALTER TABLE lake.silver.events SET TBLPROPERTIES ('gc.enabled' = 'true')"


def grown(everyone: Everyone) -> tuple[int, Rows]:
    """A table whose first rows lie in files that its present version does not name; the first commit, and its rows."""
    made_by_spark(everyone, merge_on_read=False)
    head, rows = everyone.lake.lakehouse.catalog.head(), everyone.rows("silver.events")
    everyone.spark("UPDATE lake.silver.events SET word = 'later'")
    everyone.spark("DELETE FROM lake.silver.events WHERE id < 50")
    return head, rows


def at(everyone: Everyone, number: int) -> Rows:
    """The rows as of a commit."""
    return sorted((tuple(row.values()) for row in everyone.lake.rows("FROM silver.events", at=number)), key=repr)


def held_by_history(everyone: Everyone, number: int) -> None:
    """Five days later, when retention keeps a state for each hour."""
    everyone.lake.clock.advance(hours=3)
    everyone.duckdb.execute("INSERT INTO lake.silver.events VALUES (1000, 'new', NULL, NULL)")
    everyone.lake.clock.advance(days=5)


def held_by_a_tag(everyone: Everyone, number: int) -> None:
    """A tag, long after."""
    Tags(everyone.lake.lakehouse.catalog).add("then", number, "owner")
    everyone.lake.clock.advance(days=400)


def held_by_a_fork(everyone: Everyone, number: int) -> None:
    """A fork of then, long after."""
    everyone.lake.lakehouse.forks.fork(EVENTS, COPY, at=number)
    everyone.lake.clock.advance(days=400)


@pytest.mark.parametrize("held", [held_by_history, held_by_a_tag, held_by_a_fork])
def test_snapshots_that_are_needed_do_not_expire(everyone: Everyone, held: Callable[[Everyone, int], Any]) -> None:
    """Also where Spark believes that it may, by what it was told before: the catalog refuses, and no file goes."""
    number, rows = grown(everyone)
    everyone.spark(WANTS)
    with everyone.remembering("silver.events"):
        held(everyone, number)
        with pytest.raises(Exception, match="still needed"):
            everyone.spark(EXPIRE)
    assert at(everyone, number) == rows
    if held is held_by_a_fork:
        assert everyone.rows("silver.copy") == rows
    assert len(everyone.rows("silver.events")) == 50 + (held is held_by_history)


def test_a_reader_that_is_behind_keeps_what_it_has_to_read(everyone: Everyone) -> None:
    """Changes since its cursor are there still, long after, and are taken in."""
    made_by_spark(everyone, merge_on_read=True)
    everyone.spark(WANTS)
    assert everyone.lake.run().ok
    with everyone.remembering("silver.events"):
        everyone.duckdb.execute("DELETE FROM lake.silver.events WHERE id < 10")
        everyone.duckdb.execute("UPDATE lake.silver.events SET word = 'w0' WHERE id = 20")
        everyone.lake.clock.advance(days=400)
        with pytest.raises(Exception, match="still needed"):
            everyone.spark(EXPIRE)
    assert everyone.lake.run().ok
    assert everyone.lake.rows("SELECT sum(rows)::INT AS n FROM gold.totals") == [{"n": 90}]


def test_snapshots_that_nobody_needs_expire_with_their_files(everyone: Everyone) -> None:
    """Past retention Spark may tidy a table that says so; all read the same before and after."""
    number, _ = grown(everyone)
    old = everyone.lake.lakehouse.catalog.metadata(everyone.lake.lakehouse.catalog.table(EVENTS, number))
    everyone.spark(WANTS)
    everyone.lake.clock.advance(days=400)
    rows = everyone.rows("silver.events")
    everyone.spark(EXPIRE)
    assert not Path(old.snapshots[0]["manifest-list"]).exists()
    assert everyone.rows("silver.events") == rows
    assert len(everyone.iceberg.load_table("silver.events").snapshots()) == 1


@pytest.mark.parametrize("wanted", [False, True])
def test_spark_deletes_no_files_of_what_others_may_need(everyone: Everyone, wanted: bool) -> None:
    """By itself it sees neither forks nor earlier commits, and the catalog could not stop it."""
    number, rows = grown(everyone)
    if wanted:
        everyone.spark(WANTS)
    everyone.lake.lakehouse.forks.fork(EVENTS, COPY, at=number)
    everyone.spark("ALTER TABLE lake.silver.copy SET TBLPROPERTIES ('write.delete.mode' = 'merge-on-read')")
    everyone.duckdb.execute("DELETE FROM lake.silver.copy WHERE id < 10")  # lies beside the data of silver.events
    everyone.lake.clock.advance(days=400)
    for statement in DELETING:
        for table in ("silver.events", "silver.copy"):
            with pytest.raises(Exception, match="GC is disabled"):
                everyone.spark(statement.replace("silver.events", table))
    assert at(everyone, number) == rows
    assert len(everyone.rows("silver.copy")) == 90
    lake = everyone.lake.lakehouse
    assert diagnose(lake.project, lake.catalog, lake.engine).sound
