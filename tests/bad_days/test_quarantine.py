"""SIGKILL and power cuts while quarantined records are fixed, replayed, healed and given up."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from millpond.lakehouse import Lakehouse, open_lakehouse
from millpond.pipeline.quarantine import Selection
from millpond.pipeline.request import Request
from millpond.quality.edits import Assignments
from tests.bad_days.doom import Ended, Nursery, cut_power, dealt
from tests.bad_days.small import Arrivals, Ride, check_files, small_project
from tests.bad_days.test_kills import Point, points, spread

FIX = ("quarantine", "fix", "--source", "rides_raw", "--set", "minutes=5", "--json")
REPLAY = ("quarantine", "replay", "--status", "fixed", "--json")


def is_good(ride: Ride) -> bool:
    """Whether its minutes pass."""
    return ride[2].isdigit() and 1 <= int(ride[2]) <= 600


def check_mended(lake: Lakehouse, arrivals: Arrivals) -> None:
    """Every rejected ride is there once with five minutes, everywhere; the raw ones are still in quarantine."""
    rides = [ride if is_good(ride) else (ride[0], ride[1], "5") for ride in arrivals.rides]
    raw = arrivals.answers()
    wanted = replace(arrivals, rides=rides).answers()
    for sql in wanted:
        answer = raw[sql] if "quarantine.records" in sql else wanted[sql]
        assert [tuple(row.values()) for row in lake.tables.query(sql).rows()] == answer, sql
    places = [
        tuple(row.values()) for row in lake.tables.query("SELECT _origin, _position FROM bronze.rides_raw").rows()
    ]
    assert max(Counter(places).values()) == 1
    check_files(lake)


class Scene:
    """A project with rejected rides, put back as often as wanted. `fixed`: they are fixed, and wait to be replayed."""

    def __init__(self, folder: Path, *, fixed: bool) -> None:
        self.folder = folder / "project"
        self._saved = folder / "saved"
        self.arrivals = small_project(self.folder)
        self.arrivals.arrive()
        self.arrivals.arrive()
        with open_lakehouse(self.folder) as lake:
            assert lake.runner.run(Request()).ok
            if fixed:
                self.fix(lake)
        shutil.copytree(self.folder, self._saved)

    def put_back(self) -> None:
        """As it was at first."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._saved, self.folder)

    def fix(self, lake: Lakehouse) -> None:
        """Mend what is still open."""
        found = lake.quarantine.entries(Selection(sources=("rides_raw",), statuses=("open",)))
        rows = [entry for entry in found if entry.kind == "row"]
        if rows:
            lake.quarantine.assign(rows, Assignments({"minutes": "5"}))

    def finish(self) -> None:
        """What was killed is done again; then everything is right, and nothing is left to do."""
        with open_lakehouse(self.folder) as lake:
            self.fix(lake)
            fixed = lake.quarantine.entries(Selection(statuses=("fixed",)))
            if fixed:
                assert lake.quarantine.replay(fixed).ok
            assert lake.runner.run(Request()).ok
            assert lake.runner.plan().empty
            check_mended(lake, self.arrivals)
            found = lake.quarantine.entries(Selection(statuses=("open", "fixed", "replayed", "healed", "discarded")))
            assert {entry.status for entry in found if entry.kind == "row"} == {"replayed"}
        assert not list((self.folder / ".millpond" / "scratch").glob("*"))

    def kill(self, counted: Nursery, words: tuple[str, ...], point: Point, *, power_cut: bool) -> None:
        """Back to the start, killed at the point; what was told of is there, and all is made good."""
        self.put_back()
        number, manner = point
        ended: Ended = counted.command(self.folder, *words, at=number, manner=manner)
        if power_cut:
            cut_power(self.folder, ended.calls)
        with open_lakehouse(self.folder) as lake:
            assert lake.catalog.head() >= max(ended.published(), default=0)
        self.finish()


def whole(scene: Scene, counted: Nursery, words: tuple[str, ...]) -> Any:
    """The calls of the command when it is left alone."""
    ended = counted.command(scene.folder, *words, at=0)
    assert ended.code == 0, ended.out
    return ended.calls


@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
@pytest.mark.parametrize("fixed", [True, False], ids=["replay", "fix"])
def test_a_replay_that_ends_at_any_moment_happens_exactly_once(
    fixed: bool, power_cut: bool, counted: Nursery, tmp_path: Path
) -> None:
    """Some moments of each kind, of the fix as well; the same command again makes it good."""
    scene = Scene(tmp_path, fixed=fixed)
    words = REPLAY if fixed else (*FIX, "--rule", "between:minutes")
    calls = whole(scene, counted, words)
    for point in spread(calls, 5, seed=11 + fixed + 2 * power_cut):
        scene.kill(counted, words, point, power_cut=power_cut)


@pytest.mark.long
@pytest.mark.parametrize("share", range(8))
@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
@pytest.mark.parametrize("fixed", [True, False], ids=["replay", "fix"])
def test_a_replay_that_ends_at_every_moment_happens_exactly_once(
    fixed: bool, power_cut: bool, share: int, counted: Nursery, tmp_path: Path
) -> None:
    """Any of the moments: all in some runs of the tests."""
    scene = Scene(tmp_path, fixed=fixed)
    words = REPLAY if fixed else (*FIX, "--rule", "between:minutes")
    for point in dealt(points(whole(scene, counted, words)), share, 8):
        scene.kill(counted, words, point, power_cut=power_cut)


def random_kills(folder: Path, commands: Nursery, rounds: int, seed: int) -> int:
    """Files arrive, are run, fixed and replayed, and anything of it is killed at any moment; the number of kills."""
    chance = random.Random(seed)
    arrivals = small_project(folder, seed)
    killed, took = 0, {"run": 1.5, "quarantine": 1.5}
    for _ in range(rounds):
        arrivals.arrive(chance.randint(1, 60))
        for words in (("run", "--json"), FIX, REPLAY):
            if words is FIX:
                words = (*FIX, "--rule", "between:minutes", "--rule", "cast:minutes", "--status", "open")
            began = time.monotonic()
            ended = commands.command(folder, *words, seconds=took[words[0]] * chance.uniform(0.05, 1.3))
            assert ended.code in (0, 1, -9), ended.out  # 1: nothing is there to be fixed or replayed
            killed += ended.killed
            last = time.monotonic() - began
            took[words[0]] = took[words[0]] * 1.2 if ended.killed else max(0.3, last)
    scene = Scene.__new__(Scene)
    scene.folder, scene.arrivals = folder, arrivals
    with open_lakehouse(folder) as lake:
        assert lake.runner.run(Request()).ok
    scene.finish()
    return killed


def test_kills_at_random_moments_lose_and_double_nothing(commands: Nursery, tmp_path: Path) -> None:
    """Whatever is killed while rows are rejected, mended and landed."""
    assert random_kills(tmp_path, commands, rounds=4, seed=5)


@pytest.mark.long
@pytest.mark.parametrize("share", range(10))
def test_many_kills_at_random_moments_lose_and_double_nothing(share: int, commands: Nursery, tmp_path: Path) -> None:
    """The same, some 200 times; MILLPOND_SEED repeats a run."""
    seed = int(os.environ.get("MILLPOND_SEED", time.time_ns() % 1_000_000)) + share
    assert random_kills(tmp_path, commands, rounds=10, seed=seed) > 5, f"MILLPOND_SEED={seed} repeats it"
