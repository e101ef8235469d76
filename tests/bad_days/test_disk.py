"""A disk that is full, cannot be written, or fails: a clear error, nothing harmed, and the next run is right."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.bad_days.doom import Call, Manner, Nursery
from tests.bad_days.scene import Scene

TROUBLES: tuple[Manner, ...] = ("full", "read-only", "broken")


def harm(scene: Scene, counted: Nursery, number: int, manner: Manner) -> None:
    """One round: back to the start, trouble from a call on, and what was told of it; then the trouble is over."""
    scene.put_back()
    ended = counted.command(scene.folder, "run", "--json", at=number, manner=manner)
    ended.check_clear()
    scene.check_acknowledged(ended)
    scene.mend()


def spread(calls: tuple[Call, ...], count: int, seed: int) -> list[int]:
    """Some of the calls, in equal parts of the run."""
    chance = random.Random(seed)
    part = len(calls) / count
    return [calls[int(part * (index + chance.random()))].number for index in range(count)]


@pytest.mark.parametrize("manner", TROUBLES)
@pytest.mark.parametrize("later", [False, True], ids=["first run", "later run"])
def test_a_disk_in_trouble_gives_a_clear_error(later: bool, manner: Manner, counted: Nursery, tmp_path: Path) -> None:
    """From some moment of each phase on: landing, building, metadata, the pointer store."""
    scene = Scene(tmp_path, later)
    calls = counted.command(scene.folder, "run", "--json", at=0).calls
    for number in spread(calls, 3, seed=TROUBLES.index(manner) + 10 * later):
        harm(scene, counted, number, manner)


@pytest.mark.long
@pytest.mark.parametrize("share", range(6))
@pytest.mark.parametrize("manner", TROUBLES)
@pytest.mark.parametrize("later", [False, True], ids=["first run", "later run"])
def test_a_disk_in_trouble_at_any_moment_gives_a_clear_error(
    later: bool, manner: Manner, share: int, counted: Nursery, tmp_path: Path
) -> None:
    """From every moment on; the run log's, alike for each event, are thinned out."""
    scene = Scene(tmp_path, later)
    calls = counted.command(scene.folder, "run", "--json", at=0).calls
    numbers = [call.number for call in calls if not call.path.name.startswith("runs.db") or call.number % 10 == 0]
    for number in numbers[share::6]:
        harm(scene, counted, number, manner)
