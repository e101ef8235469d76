"""A model whose partitioning changed: rows to come follow it, and those that are there stay where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millpond.catalog import manifests
from millpond.core.errors import RunError
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake

EVENTS = TableName("silver", "events")
TOTALS = TableName("gold", "totals")


def silver(partition: str) -> str:
    """The model of single events."""
    return (
        f"/*---\nkind: append\nkey: id\npartition: {partition}\n---*/\n"
        "SELECT id::INTEGER AS id, ts::TIMESTAMP AS ts, word FROM bronze.e\n"
    )


def gold(partition: str) -> str:
    """The model of totals by word."""
    return (
        f"/*---\nkind: aggregate\nkey: word\npartition: {partition}\n---*/\n"
        "SELECT word, count(*) AS n, sum(id)::BIGINT AS ids FROM silver.events GROUP BY word\n"
    )


FILES = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/e.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
}


def events(first: int) -> str:
    """A file of twelve events in two months, with four words."""
    lines = (f"{first + n},2026-0{1 + n % 2}-{1 + n:02} 10:00:00,w{n % 4}\n" for n in range(12))
    return "id,ts,word\n" + "".join(lines)


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[TemporaryLake]:
    """A lake with the first file run; the parameter gives both models' partitioning."""
    by_event, by_total = getattr(request, "param", ("[]", "[]"))
    files = {**FILES, "models/silver/events.sql": silver(by_event), "models/gold/totals.sql": gold(by_total)}
    with temporary_lake(files) as made:
        made.deliver("data/1.csv", events(0))
        assert made.run().ok
        yield made


def specs(lake: TemporaryLake, table: TableName) -> list[tuple[int, tuple[str, ...]]]:
    """The partition spec of each data file, in order: its id and the folders that the file lies in."""
    catalog = lake.lakehouse.catalog
    entry = catalog.table(table)
    found = manifests.of_snapshot(catalog.metadata(entry).current_snapshot)
    files = [file for one in found if one.content == "data" for file in manifests.files(one)]
    root = Path(entry.location) / "data"
    return sorted((file.spec_id, Path(file.path).relative_to(root).parts[:-1]) for file in files)


def state(lake: TemporaryLake) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of both tables."""
    return lake.rows("SELECT * FROM silver.events ORDER BY id"), lake.rows("SELECT * FROM gold.totals ORDER BY word")


CHANGES = [
    ("[]", "[month(ts)]", "[]", "[word]"),
    ("[month(ts)]", "[day(ts)]", "[word]", "['bucket(2, word)']"),
    ("[month(ts)]", "[month(ts), word]", "[word]", "[word, 'bucket(2, word)']"),
    ("[month(ts)]", "[]", "[word]", "[]"),
]


@pytest.mark.parametrize(
    ("lake", "by_event", "by_total"), [((a, c), b, d) for a, b, c, d in CHANGES], indirect=["lake"]
)
def test_rows_to_come_follow_the_new_partitioning(lake: TemporaryLake, by_event: str, by_total: str) -> None:
    """Nothing is rewritten, models go on by changes, and rows of old files are still updated and deleted."""
    before = {table: specs(lake, table) for table in (EVENTS, TOTALS)}
    lake.write("models/silver/events.sql", silver(by_event))
    lake.write("models/gold/totals.sql", gold(by_total))
    step, _ = lake.lakehouse.runner.plan().steps
    assert (step.table, step.work, step.because) == (EVENTS, "partition", "its partitioning changed")
    rows = state(lake)
    report = lake.run()
    assert report.ok, report.failures
    assert [(str(table), one.note.split(":")[0]) for table, one in report.outcomes.items()] == [
        ("silver.events", "files that are there stay as they are; --rebuild writes them anew"),
        ("gold.totals", "nothing new"),
    ]
    assert state(lake) == rows
    assert {table: specs(lake, table) for table in (EVENTS, TOTALS)} == before
    assert lake.lakehouse.runner.plan().empty
    lake.deliver("data/2.csv", events(100))
    report = lake.run()
    assert report.ok, report.failures
    ledgers = {table: report.outcomes[table].ledger for table in (EVENTS, TOTALS)}
    assert [(one.inserted, one.updated) for one in ledgers.values() if one] == [(12, 0), (0, 4)]
    assert [row["n"] for row in state(lake)[1]] == [6, 6, 6, 6]
    after = specs(lake, EVENTS)
    assert set(before[EVENTS]) < set(after)
    assert {spec for spec, _ in after} == {0, 1}


def test_a_changed_partitioning_comes_with_the_news(lake: TemporaryLake) -> None:
    """One step does both, by changes."""
    lake.write("models/silver/events.sql", silver("[day(ts)]"))
    lake.deliver("data/2.csv", events(100))
    steps = {step.table: step for step in lake.lakehouse.runner.plan().steps}
    assert (steps[EVENTS].work, steps[EVENTS].because) == ("increment", "bronze.e changed, its partitioning changed")
    assert lake.run().ok
    new = [folders for spec, folders in specs(lake, EVENTS) if spec == 1]
    assert len(new) == 12
    assert {name.split("=")[0] for (name,) in new} == {"ts_day"}


def test_a_file_that_brings_nothing_brings_the_partitioning(lake: TemporaryLake) -> None:
    """Where the news turn out to be none, the table is partitioned as the model says all the same."""
    lake.write("models/silver/events.sql", silver("[day(ts)]"))
    lake.deliver("data/2.csv", "id,ts,word\n")
    assert lake.run().ok
    lake.deliver("data/3.csv", events(100))
    assert lake.run().ok
    assert len([spec for spec, _ in specs(lake, EVENTS) if spec == 1]) == 12


def test_going_back_takes_the_earlier_partitioning_up(lake: TemporaryLake) -> None:
    """The table has no third spec then."""
    for by, name in (("[day(ts)]", 2), ("[]", 3), ("['day(ts)']", 4)):
        lake.write("models/silver/events.sql", silver(by))
        lake.deliver(f"data/{name}.csv", events(name * 100))
        assert lake.run().ok
    assert {spec for spec, _ in specs(lake, EVENTS)} == {0, 1}


@pytest.mark.parametrize("lake", [("[month(ts)]", "[]")], indirect=True)
def test_a_rebuild_writes_everything_by_the_new_partitioning(lake: TemporaryLake) -> None:
    """And the table stays the same one, so that its history goes on."""
    uuid = lake.lakehouse.catalog.table(EVENTS).uuid
    lake.write("models/silver/events.sql", silver("[word]"))
    assert lake.run(rebuild=("silver.events",)).ok
    assert specs(lake, EVENTS) == [(1, (f"word={word}",)) for word in ("w0", "w1", "w2", "w3")]
    assert lake.lakehouse.catalog.table(EVENTS).uuid == uuid
    assert len(lake.rows("SELECT * FROM silver.events")) == 12


def test_upkeep_moves_old_rows_as_it_rewrites_their_files(lake: TemporaryLake) -> None:
    """Small files of the old partitioning become files of the new one, and consumers see no change."""
    for number in range(2, 7):
        lake.deliver(f"data/{number}.csv", events(number * 100))
        assert lake.run().ok
    lake.write("models/silver/events.sql", silver("[month(ts)]"))
    assert lake.run().ok
    rows = state(lake)
    assert lake.lakehouse.upkeep.run().ok
    assert {spec for spec, _ in specs(lake, EVENTS)} == {1}
    assert state(lake) == rows
    assert {one.note for one in lake.run().outcomes.values()} == {"nothing new"}
    lake.write("models/gold/totals.sql", gold("[word]"))
    assert lake.run().ok
    assert lake.lakehouse.upkeep.run().ok
    lake.deliver("data/9.csv", events(900))
    report = lake.run()
    assert report.ok, report.failures
    assert [row["n"] for row in state(lake)[1]] == [21, 21, 21, 21]


def test_another_change_beside_the_partitioning_is_refused(lake: TemporaryLake) -> None:
    """Then the rows that are there may be wrong: only the author knows."""
    lake.write("models/silver/events.sql", silver("[word]").replace("key: id", "key: [id, word]"))
    with pytest.raises(RunError) as refused:
        lake.run()
    assert refused.value.code == "MP-7010"
    assert "(key, partition)" in str(refused.value)
