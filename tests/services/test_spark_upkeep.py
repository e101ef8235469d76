"""Spark's own upkeep, which deletes files itself: what tags, forks, consumers or retention need is not lost to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millpond.catalog.tags import Tags
from millpond.core.names import TableName
from tests.services.everyone import Everyone, Rows, made_by_spark

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

EVENTS, COPY = TableName("silver", "events"), TableName("silver", "copy")
EXPIRE = (
    "CALL lake.system.expire_snapshots(table => 'silver.events', older_than => TIMESTAMP '2100-01-01 00:00:00', "
    "retain_last => 1)"
)


def grown(everyone: Everyone) -> tuple[int, Rows]:
    """A table whose first rows lie in files that the present version does not name; the commit of then, and the rows."""
    made_by_spark(everyone, merge_on_read=False)
    head, rows = everyone.lake.lakehouse.catalog.head(), everyone.rows("silver.events")
    everyone.spark("UPDATE lake.silver.events SET word = 'later'")
    everyone.spark("DELETE FROM lake.silver.events WHERE id < 50")
    return head, rows


def at(everyone: Everyone, number: int) -> Rows:
    """The rows as of a commit."""
    return sorted((tuple(row.values()) for row in everyone.lake.rows("FROM silver.events", at=number)), key=repr)


def held_by_history(everyone: Everyone, number: int) -> None:
    """Nothing: all of the last day can be read."""


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
    """The catalog refuses the commit, so Spark deletes nothing, and what was held is read by everyone."""
    number, rows = grown(everyone)
    held(everyone, number)
    with pytest.raises(Exception, match="still needed"):
        everyone.spark(EXPIRE)
    assert at(everyone, number) == rows
    if held is held_by_a_fork:
        assert everyone.rows("silver.copy") == rows
    assert len(everyone.rows("silver.events")) == 50


def test_a_consumer_that_is_behind_keeps_what_it_has_to_read(everyone: Everyone) -> None:
    """Changes since its cursor are there still, long after, and are taken in."""
    made_by_spark(everyone, merge_on_read=True)
    assert everyone.lake.run().ok
    everyone.spark("DELETE FROM lake.silver.events WHERE id < 10")
    everyone.spark("UPDATE lake.silver.events SET word = 'w0' WHERE id = 20")
    everyone.lake.clock.advance(days=400)
    with pytest.raises(Exception, match="still needed"):
        everyone.spark(EXPIRE)
    assert everyone.lake.run().ok
    assert everyone.lake.rows("SELECT sum(rows)::INT AS n FROM gold.totals") == [{"n": 90}]


def test_snapshots_that_nobody_needs_expire_with_their_files(everyone: Everyone) -> None:
    """Past retention Spark may tidy its own table; all read the same before and after, and doctor finds it whole."""
    number, _ = grown(everyone)
    old = everyone.lake.lakehouse.catalog.metadata(everyone.lake.lakehouse.catalog.table(EVENTS, number))
    everyone.lake.clock.advance(days=400)
    rows = everyone.rows("silver.events")
    everyone.spark(EXPIRE)
    assert not Path(old.snapshots[0]["manifest-list"]).exists()
    assert everyone.rows("silver.events") == rows
    assert len(everyone.iceberg.load_table("silver.events").snapshots()) == 1


def test_tables_of_millpond_s_own_are_left_to_its_upkeep(everyone: Everyone) -> None:
    """Spark itself refuses to expire, to look for orphans and to purge: a fork shares its files with another table."""
    number, rows = grown(everyone)
    everyone.lake.lakehouse.forks.fork(EVENTS, COPY, at=number)
    everyone.lake.clock.advance(days=400)
    for statement in (
        "CALL lake.system.expire_snapshots(table => 'silver.copy')",
        "CALL lake.system.remove_orphan_files(table => 'silver.copy')",
        "DROP TABLE lake.silver.copy PURGE",
    ):
        with pytest.raises(Exception, match="GC is disabled"):
            everyone.spark(statement)
    assert everyone.rows("silver.copy") == rows
