"""SIGKILL and power cuts while histories are changed, computed anew, and their aggregates' states with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bad_days.customers import customers_project
from tests.bad_days.doom import Nursery, dealt
from tests.bad_days.scene import Scene
from tests.bad_days.test_kills import kill, points, spread

RUNS = [
    pytest.param(("run",), id="later run"),
    pytest.param(("run", "--rebuild", "silver.customers", "--yes"), id="rebuild"),
]


@pytest.mark.parametrize("words", RUNS)
def test_a_history_whose_change_ends_at_any_moment_is_made_good(
    words: tuple[str, ...], counted: Nursery, tmp_path: Path
) -> None:
    """Each version once, each state of a group as its rows are, killed or not."""
    scene = Scene(tmp_path, later=True, project=customers_project)
    whole = counted.command(scene.folder, *words, "--json", at=0)
    assert whole.code in (0, 3), whole.out
    for number, point in enumerate(spread(whole.calls, 4, seed=len(words))):
        kill(scene, counted, point, power_cut=bool(number % 2), words=words)


@pytest.mark.long
@pytest.mark.parametrize("share", range(4))
@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
@pytest.mark.parametrize("words", RUNS)
def test_a_history_whose_change_ends_at_every_moment_is_made_good(
    words: tuple[str, ...], power_cut: bool, share: int, counted: Nursery, tmp_path: Path
) -> None:
    """Any of the moments: all in some runs of the tests."""
    scene = Scene(tmp_path, later=True, project=customers_project)
    whole = counted.command(scene.folder, *words, "--json", at=0)
    for point in dealt(points(whole.calls), share, 4):
        kill(scene, counted, point, power_cut=power_cut, words=words)
