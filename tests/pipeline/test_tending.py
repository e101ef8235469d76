"""Upkeep beside a gateway: written tables stay small, and their writers never notice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from millpond.catalog import manifests
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.rewriting import dead
from millpond.core.names import TableName
from millpond.lakehouse import open_lakehouse
from millpond.pipeline.tending import Tender
from tests.catalog.clients import rows, stock_duckdb

T = TableName("silver", "t")
NAME = '"lake"."silver"."t"'


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """What the time is."""
        return self.now


class Scene:
    """A lake whose gateway tells a tender of each commit."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        (folder / "millpond.yaml").write_text("version: 1\nname: tended\n")
        self.lake = open_lakehouse(folder)
        self.clock = clock
        self.tender = Tender(self.lake.project, self.lake.catalog, self.lake.upkeep, self.lake._bench, clock)
        self.gateway = Gateway(self.lake.catalog, open_access=True, watcher=self.tender)
        self.endpoint = self.gateway.start()

    def files(self) -> int:
        """How many data files the table has now."""
        metadata = self.lake.catalog.metadata(self.lake.catalog.table(T))
        return sum(len(manifests.files(one)) for one in manifests.of_snapshot(metadata.current_snapshot))

    def dead(self) -> int:
        """How many entries of files that went the table's readers go through now."""
        return dead(self.lake.catalog.metadata(self.lake.catalog.table(T)))

    def wait(self, most: int, measured: Callable[[], int] | None = None) -> None:
        """Until the table has at most so many files, or of what is measured."""
        pause, there = threading.Event(), measured or self.files
        for _ in range(600):
            if there() <= most:
                return
            pause.wait(0.05)
            self.clock.now += 0.05
            self.tender.committed("prod", ())
        raise AssertionError(f"the table still has {there()}")

    def ready(self) -> None:
        """Until a rewrite is offered."""
        pause = threading.Event()
        for _ in range(600):
            if self.tender._open:
                return
            pause.wait(0.05)
        raise AssertionError("nothing is offered")

    def idle(self) -> bool:
        """Whether there is nothing that the tender would do now."""
        with self.tender._changed:
            return self.tender._due() is None

    def close(self) -> None:
        """Stop everything."""
        self.gateway.stop()
        self.tender.close()
        self.lake.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An empty lake that is tended."""
    made = Scene(tmp_path, Clock())
    yield made
    made.close()


def test_a_table_that_is_written_all_the_time_keeps_few_files(scene: Scene) -> None:
    """Every commit of a lone writer is taken, while the files of those before it are put together."""
    client = stock_duckdb(scene.endpoint)
    client.execute(f"CREATE SCHEMA lake.silver; CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
    for number in range(100):
        client.execute(f"INSERT INTO {NAME} SELECT i, 'x' FROM range({number * 10}, {number * 10 + 10}) t(i)")
        if number % 10 == 0:
            client.execute(f"DELETE FROM {NAME} WHERE a = {number * 10}")
    scene.wait(most=70)
    seen = rows(stock_duckdb(scene.endpoint), f"SELECT count(*), count(DISTINCT a), sum(a) FROM {NAME}")
    gone = range(0, 1000, 100)
    assert seen == [(990, 990, sum(range(1000)) - sum(gone))]
    kinds = {record.kind for record in scene.lake.catalog.history(T, 200)}
    assert kinds == {"external", "maintain"}


def test_a_table_whose_rows_all_change_all_the_time_keeps_few_files(scene: Scene) -> None:
    """Each MERGE takes rows out of every file: of those that are being rewritten, and of the large one that is not."""
    client = stock_duckdb(scene.endpoint)
    client.execute("CREATE SCHEMA lake.silver")
    client.execute(f"CREATE TABLE {NAME} AS SELECT i AS a, 0 AS b FROM range(20000) t(i)")
    twin = dict.fromkeys(range(20000), 0)
    for number in range(1, 121):
        keys = [(number * 7919 + place * 101) % 21000 for place in range(100)]
        twin |= dict.fromkeys(keys, number)
        changes = ", ".join(f"({key}, {number})" for key in sorted(set(keys)))
        client.execute(f"""MERGE INTO {NAME} AS t USING (VALUES {changes}) AS s(a, b) ON t.a = s.a
            WHEN MATCHED THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b)""")
    scene.wait(most=150)
    seen = rows(stock_duckdb(scene.endpoint), f"FROM {NAME} ORDER BY ALL")
    assert seen == sorted(twin.items())


def test_a_table_whose_writers_pause_is_put_in_order(scene: Scene) -> None:
    """A few small files are left alone while more may come, and put together after a while of quiet."""
    client = stock_duckdb(scene.endpoint)
    client.execute(f"CREATE SCHEMA lake.silver; CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
    for number in range(6):
        client.execute(f"INSERT INTO {NAME} VALUES ({number}, 'x')")
    assert scene.files() == 6
    scene.clock.now = 3.0
    scene.tender.committed("prod", ())
    scene.wait(most=1)
    scene.wait(most=0, measured=scene.dead)
    assert rows(stock_duckdb(scene.endpoint), f"SELECT sum(a) FROM {NAME}") == [(15,)]


def test_a_program_that_takes_long_to_write_meets_no_rewrite(scene: Scene) -> None:
    """What is ready waits for it, as long as writers of the table take, and follows what it deleted."""
    client = stock_duckdb(scene.endpoint)
    client.execute(f"CREATE SCHEMA lake.silver; CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
    for number in range(6):
        client.execute(f"INSERT INTO {NAME} VALUES ({number}, 'x')")
    client.execute(f"BEGIN; UPDATE {NAME} SET b = 'z' WHERE a = 0")
    scene.clock.now = 15.0
    client.execute("COMMIT")
    client.execute(f"BEGIN; UPDATE {NAME} SET b = 'y' WHERE a = 3")
    scene.clock.now = 18.0
    scene.tender.committed("prod", ())
    scene.ready()
    scene.clock.now = 60.0
    assert scene.idle()
    client.execute("COMMIT")
    scene.wait(most=3)
    seen = rows(stock_duckdb(scene.endpoint), f"FROM {NAME} ORDER BY a")
    assert seen == [(0, "z"), (1, "x"), (2, "x"), (3, "y"), (4, "x"), (5, "x")]


def test_readers_keep_no_rewrite_from_being_published(scene: Scene) -> None:
    """Whoever loads the table may be about to write it, but for no longer than its writers take."""
    client = stock_duckdb(scene.endpoint)
    client.execute(f"CREATE SCHEMA lake.silver; CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
    for number in range(6):
        client.execute(f"INSERT INTO {NAME} VALUES ({number}, 'x')")
    assert rows(stock_duckdb(scene.endpoint), f"SELECT sum(a) FROM {NAME}") == [(15,)]
    scene.clock.now = 3.0
    scene.tender.committed("prod", ())
    scene.ready()
    scene.clock.now = 3.6
    scene.wait(most=1)


def test_what_is_told_of_unknown_tables_does_no_harm(scene: Scene) -> None:
    """A table may be dropped before its turn comes."""
    scene.tender.committed("prod", (T,))
    scene.clock.now = 3.0
    scene.tender.committed("prod", ())
    client = stock_duckdb(scene.endpoint)
    client.execute(f"CREATE SCHEMA lake.silver; CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
    for number in range(4):
        client.execute(f"INSERT INTO {NAME} VALUES ({number}, 'x')")
    scene.clock.now = 6.0
    scene.tender.committed("prod", ())
    scene.wait(most=1)


def test_a_closed_tender_takes_no_more_work(scene: Scene) -> None:
    """Commits that come while a gateway ends are noted and nothing else."""
    scene.tender.close()
    scene.tender.committed("prod", (T,))
    assert scene.tender._thread is None
