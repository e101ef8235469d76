"""SIGKILL before, inside and after every call of a run that changes a file; then power cuts at the same moments."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from millpond.lakehouse import open_lakehouse
from tests.bad_days.doom import Call, Manner, Nursery, cut_power, dealt
from tests.bad_days.scene import Scene, mend
from tests.bad_days.small import small_project

Point = tuple[int, Manner]


def points(calls: tuple[Call, ...]) -> list[Point]:
    """Every moment that can leave something else on the disk. SQLite's own writes, much alike, are thinned out."""
    found: list[Point] = []
    for call in calls:
        every = 10 if call.path.name.startswith("runs.db") else 4 if call.path.name.startswith("catalog.db") else 1
        if call.number % every and call.name != "fsync":
            continue
        found.append((call.number, "before"))
        if call.name == "write":
            found.append((call.number, "torn"))
    return found


def spread(calls: tuple[Call, ...], count: int, seed: int) -> list[Point]:
    """Some of the moments, from all kinds of calls alike."""
    chance = random.Random(seed)
    groups: dict[str, list[Point]] = {}
    kinds = {call.number: f"{call.name} {_kind(call.path)}" for call in calls}
    for number, manner in points(calls):
        groups.setdefault(f"{kinds[number]} {manner}", []).append((number, manner))
    order = sorted(groups)
    chance.shuffle(order)
    return [chance.choice(groups[name]) for name in order[:count]]


def _kind(path: Path) -> str:
    return path.name if path.name.startswith(("catalog.db", "runs.db", "run.lock")) else path.suffix


def kill(scene: Scene, counted: Nursery, point: Point, *, power_cut: bool, words: tuple[str, ...] = ("run",)) -> None:
    """One round: back to the start, killed at the point, what was told of is there, and the next run makes it good."""
    scene.put_back()
    number, manner = point
    ended = counted.command(scene.folder, *words, "--json", at=number, manner=manner)
    if power_cut:
        cut_power(scene.folder, ended.calls)
    scene.check_acknowledged(ended)
    scene.mend()


SUITE = [pytest.param(later, id="later run" if later else "first run") for later in (False, True)]


@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
@pytest.mark.parametrize("later", SUITE)
def test_a_run_that_ends_at_any_moment_is_made_good_by_the_next(
    later: bool, power_cut: bool, counted: Nursery, tmp_path: Path
) -> None:
    """Some moments of each kind: files created, half written, unsynced, renamed; the pointer store's own writes."""
    scene = Scene(tmp_path, later)
    whole = counted.command(scene.folder, "run", "--json", at=0)
    assert whole.code == 0, whole.out
    for point in spread(whole.calls, 5, seed=1 + later + 2 * power_cut):
        kill(scene, counted, point, power_cut=power_cut)


@pytest.mark.long
@pytest.mark.parametrize("share", range(8))
@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
@pytest.mark.parametrize("later", SUITE)
def test_a_run_that_ends_at_every_moment_is_made_good_by_the_next(
    later: bool, power_cut: bool, share: int, counted: Nursery, tmp_path: Path
) -> None:
    """Any of the moments: all in some runs of the tests."""
    scene = Scene(tmp_path, later)
    whole = counted.command(scene.folder, "run", "--json", at=0)
    for point in dealt(points(whole.calls), share, 8):
        kill(scene, counted, point, power_cut=power_cut)


def random_kills(folder: Path, commands: Nursery, rounds: int, seed: int) -> int:
    """Kill at random moments while files arrive, now and then twice in a row; the number of kills."""
    chance = random.Random(seed)
    arrivals = small_project(folder, seed)
    killed, took = 0, 1.5
    for _ in range(rounds):
        arrivals.arrive(chance.randint(1, 60))
        began = time.monotonic()
        ended = commands.command(folder, "run", "--json", seconds=took * chance.uniform(0.05, 1.1))
        assert ended.code in (0, -9), ended.out
        killed += ended.killed
        took = took * 1.2 if ended.killed else max(0.3, time.monotonic() - began)
        with open_lakehouse(folder) as lake:
            assert lake.catalog.head() >= max(ended.published(), default=0)
    mend(folder, arrivals)
    return killed


def test_kills_at_random_moments_lose_and_double_nothing(commands: Nursery, tmp_path: Path) -> None:
    """Files keep arriving, runs keep being killed; at the end everything is there once."""
    assert random_kills(tmp_path, commands, rounds=8, seed=8)


@pytest.mark.long
@pytest.mark.parametrize("share", range(10))
def test_many_kills_at_random_moments_lose_and_double_nothing(share: int, commands: Nursery, tmp_path: Path) -> None:
    """The same, some 200 times; MILLPOND_SEED repeats a run."""
    seed = int(os.environ.get("MILLPOND_SEED", time.time_ns() % 1_000_000)) + share
    assert random_kills(tmp_path, commands, rounds=20, seed=seed) > 5, f"MILLPOND_SEED={seed} repeats it"
