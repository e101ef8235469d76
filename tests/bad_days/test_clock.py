"""A clock that is set back, or is wrong: times never fall, and nothing is hidden, lost or doubled by it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyiceberg.table.snapshots
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog.metadata import TableMetadata
from millpond.core.names import TableName
from millpond.lakehouse import Lakehouse, open_lakehouse
from millpond.pipeline.doctor import diagnose
from millpond.testing import FakeClock
from tests.bad_days.adrift import HOUR, Adrift, adrift
from tests.bad_days.doom import ROOT
from tests.bad_days.scene import Scene, mend
from tests.bad_days.small import GOOD, check_answers, small_project
from tests.bad_days.test_at_once import served
from tests.bad_days.test_upkeep import Worn
from tests.catalog.clients import stock_duckdb

MINUTE_MS = 60_000
COUNT = "SELECT count(*) AS n FROM silver.rides"


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adrift]:
    """A clock that can be set, for commands and for clients."""
    with adrift(tmp_path_factory.mktemp("adrift")) as made:
        if made is None:
            pytest.skip("no C compiler (cc, gcc or clang) to make the shim that sets a process's clock")
        yield made


def check_times(lake: Lakehouse) -> None:
    """Commits' times never fall, and no table has times that Java's readers would refuse (by more than a minute)."""
    moments = [record.at for record in reversed(lake.catalog.history(limit=1000))]
    assert moments == sorted(moments)
    for entry in lake.catalog.tables():
        check_metadata(lake.catalog.metadata(entry))


def check_metadata(metadata: TableMetadata) -> None:
    """Iceberg's `TableMetadata` in Java: both logs in order, and not later than the table itself."""
    document = metadata.document
    for log in (document["snapshot-log"], document["metadata-log"]):
        times = [row["timestamp-ms"] for row in log]
        assert all(later - earlier >= 0 for earlier, later in pairwise(times)), times
        assert document["last-updated-ms"] >= max(times, default=0)
    times = [row["timestamp-ms"] for row in metadata.snapshots]
    assert times == sorted(times)


def test_numbers_and_times_name_the_same_states_when_the_clock_was_set_back(tmp_path: Path) -> None:
    """Four runs, the third an hour and a half before the second: `--at` a time, cursors, tags, restore, retention."""
    arrivals = small_project(tmp_path)
    settings = tmp_path / "millpond.yaml"
    settings.write_text(settings.read_text() + "retention: {all: 2h, hourly: 2h, daily: 1d, orphans: 1h}\n")
    now = FakeClock(datetime(2026, 5, 4, 12, tzinfo=UTC))
    counts: list[int] = []
    with open_lakehouse(tmp_path, clock=now) as lake:
        for hours in (1, 1, -1.5, 0.25):
            now.advance(hours=hours)
            arrivals.arrive()
            assert lake.runner.run().ok
            counts.append(lake.tables.query(COUNT).rows()[0]["n"])
            lake.tags.add(f"run{len(counts)}", lake.catalog.head(), "me")
        check_times(lake)

        def at(moment: str | datetime) -> int:
            return int(lake.tables.query(COUNT, at=moment).rows()[0]["n"])

        newest = lake.catalog.history(limit=1)[0].at
        assert newest == datetime(2026, 5, 4, 14, tzinfo=UTC)
        assert [at(f"run{number}") for number in (1, 2, 3, 4)] == counts
        assert at(newest - timedelta(minutes=30)) == counts[0]
        assert at(newest) == counts[3]
        assert lake.upkeep.run().ok
        assert [at(f"run{number}") for number in (1, 2, 3, 4)] == counts
        lake.restore("run2")
        assert lake.tables.query(COUNT).rows()[0]["n"] == counts[1]
        assert lake.runner.run().ok
        check_answers(lake, arrivals)
        assert diagnose(lake.project, lake.catalog, lake.engine).sound
        check_times(lake)


def test_runs_go_on_after_the_clock_was_set_back(clock: Adrift, tmp_path: Path) -> None:
    """Reading, running and upkeep work at once, on all that was there before, and the right clock finds all of it."""
    arrivals = small_project(tmp_path)
    for seconds in (0, -HOUR, HOUR, 0):
        clock.set(seconds)
        arrivals.arrive()
        assert clock.commands.command(tmp_path, "run", "--json").code == 0
        ended = clock.commands.command(tmp_path, "query", COUNT, "--json")
        good = dict(arrivals.answers())["SELECT ride, zone, minutes FROM silver.rides ORDER BY ride"]
        assert json.loads(ended.out.splitlines()[0])["n"] == len(good)
    clock.set(-HOUR)
    assert clock.commands.command(tmp_path, "maintain", "--json").code == 0
    mend(tmp_path, arrivals)
    with open_lakehouse(tmp_path) as lake:
        check_times(lake)
        assert diagnose(lake.project, lake.catalog, lake.engine).sound


def set_back_within(clock: Adrift, scene: Scene, words: str, at: int, then: int) -> None:
    """One round: the clock is set while a command is at work, which ends well; then all is right."""
    scene.put_back()
    clock.set(0, at, then)
    ended = clock.commands.command(scene.folder, words, "--json")
    assert ended.code == 0, ended.out
    assert clock.readings >= at
    clock.set(0)
    scene.check_acknowledged(ended)
    scene.mend()
    with open_lakehouse(scene.folder) as lake:
        check_times(lake)


def readings(clock: Adrift, scene: Scene, words: str) -> int:
    """How often a command reads the clock."""
    scene.put_back()
    clock.set(0)
    assert clock.commands.command(scene.folder, words, "--json").code == 0
    return clock.readings


def test_the_clock_may_be_set_while_a_run_works(clock: Adrift, tmp_path: Path) -> None:
    """Back by an hour, at some moments: between landing, building and publishing."""
    scene = Scene(tmp_path, later=True)
    whole = readings(clock, scene, "run")
    chance = random.Random(6)
    for part in range(2):
        set_back_within(clock, scene, "run", int(whole * (part + chance.random()) / 2), -HOUR)


@pytest.mark.long
@pytest.mark.parametrize("then", [-HOUR, HOUR, -48 * HOUR])
def test_the_clock_may_be_set_at_any_moment_of_a_run(then: int, clock: Adrift, tmp_path: Path) -> None:
    """Back and forth, at forty moments."""
    scene = Scene(tmp_path, later=True)
    whole = readings(clock, scene, "run")
    for part in range(40):  # but not at the last readings: their number is not the same each time
        set_back_within(clock, scene, "run", whole * (part + 1) // 45, then)


@pytest.mark.parametrize("parts", [2, pytest.param(30, marks=pytest.mark.long)])
def test_the_clock_may_be_set_while_upkeep_works(parts: int, clock: Adrift, tmp_path: Path) -> None:
    """Nothing that is needed is taken for old, and consumers go on."""
    worn = Worn(tmp_path)
    clock.set(0)
    assert clock.commands.command(worn.folder, "maintain", "--json").code == 0
    whole = clock.readings
    for part in range(parts):
        worn.put_back()
        clock.set(0, whole * (part + 1) // (parts + 1), -HOUR)
        ended = clock.commands.command(worn.folder, "maintain", "--json")
        assert ended.code == 0, ended.out
        worn.check()
    shutil.rmtree(worn.folder)


BY_DUCKDB = """
import sys
from tests.catalog.clients import stock_duckdb
lake = stock_duckdb(sys.argv[1])
for statement in sys.argv[2:-1]:
    lake.execute(statement)
print(sorted(number for number, in lake.execute(sys.argv[-1]).fetchall()))
"""


def by_duckdb(clock: Adrift, door: str, *statements: str) -> list[int]:
    """What the last of some statements gives, said by a stock DuckDB that goes by the clock."""
    words = [sys.executable, "-c", BY_DUCKDB, door, *statements]
    said = subprocess.run(words, env=clock.environment, cwd=ROOT, capture_output=True, text=True, check=True)
    numbers: list[int] = json.loads(said.stdout)
    return numbers


def test_clients_whose_clock_is_wrong_hide_nothing_from_others(
    clock: Adrift, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyIceberg and DuckDB an hour behind or ahead: all that is in is seen at once by who has the right time."""
    (tmp_path / "millpond.yaml").write_text("version: 1\nname: numbers\nengine: {memory: 300MB, threads: 1}\n")
    with served(tmp_path) as door:
        owner = load_catalog("lake", type="rest", uri=door, warehouse="prod")
        owner.create_namespace("bronze")
        owner.create_table("bronze.t", pa.schema([("n", pa.int64())]))
        right = stock_duckdb(door)
        for number, seconds in enumerate((0, HOUR, -HOUR, 0, HOUR, 0), start=1):
            wrong = types.SimpleNamespace(time=lambda seconds=seconds: time.time() + seconds)
            monkeypatch.setattr(pyiceberg.table.snapshots, "time", wrong)
            owner.load_table("bronze.t").append(pa.table({"n": [number]}))
            seen = right.execute("SELECT n FROM lake.bronze.t ORDER BY n").fetchall()
            assert seen == [(one,) for one in range(1, number + 1)]
        clock.set(HOUR)
        seen = by_duckdb(clock, door, "INSERT INTO lake.bronze.t VALUES (7)", "SELECT n FROM lake.bronze.t")
        assert seen == [1, 2, 3, 4, 5, 6, 7]
        assert right.execute("SELECT count(*) FROM lake.bronze.t").fetchall() == [(7,)]
    with open_lakehouse(tmp_path) as lake:
        check_times(lake)


def test_a_gateway_whose_clock_was_set_back_shows_all_that_is_in(clock: Adrift, tmp_path: Path) -> None:
    """To a client on the same machine, which goes by the same clock: it reads and writes as before."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    mend(tmp_path, arrivals)
    clock.set(-HOUR)
    with served(tmp_path, clock.environment) as door:
        seen = by_duckdb(
            clock,
            door,
            "CREATE TABLE lake.silver.n AS SELECT count(*) AS n FROM lake.silver.rides",
            "INSERT INTO lake.silver.n VALUES (-1)",
            "SELECT n FROM lake.silver.n",
        )
    with open_lakehouse(tmp_path) as lake:
        count = lake.tables.query(COUNT).rows()[0]["n"]
        assert seen == [-1, count]
        check_metadata(lake.catalog.metadata(lake.catalog.table(GOOD)))
        check_metadata(lake.catalog.metadata(lake.catalog.table(TableName("silver", "n"))))
