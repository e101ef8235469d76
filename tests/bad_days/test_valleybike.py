"""The main job on bad days: runs are killed while the files of a bike-share arrive, and nothing shows of it."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from millpond.lakehouse import open_lakehouse
from millpond.pipeline.request import Request
from millpond.project.scaffold import scaffold
from tests.bad_days.doom import MANNERS, Nursery
from tests.bad_days.small import check_files
from tests.pipeline.test_valleybike import arrive, content, valleybike

CALLS = 500
"""About so many calls of a run change files."""


def smallest(shared_data: Path) -> list[Path]:
    """Two web pages and six days of positions."""
    every = sorted((shared_data / "mobility" / "valleybike").glob("*.csv.gz"), key=lambda path: path.stat().st_size)
    return every[:2] + every[4:10]


def killed_while_arriving(files: list[Path], folder: Path, counted: Nursery, seed: int) -> str:
    """What the tables hold after a file at a time arrived and a run was killed somewhere each time."""
    chance = random.Random(seed)
    chance.shuffle(files)
    folder.mkdir()
    scaffold("vb", folder, "valleybike")
    project, data = folder / "vb", folder / "data"
    data.mkdir()
    for file in files:
        arrive([file], data)
        at, manner = chance.randint(1, CALLS), chance.choice(MANNERS[:3])
        ended = counted.command(project, "run", "--json", "--var", f"data={data}", at=at, manner=manner)
        assert ended.code in (0, -9), ended.out
    with open_lakehouse(project, variables={"data": str(data)}) as lake:
        assert lake.runner.run(Request(), lambda _event: None).ok
        check_files(lake)
        assert lake.runner.plan(Request()).empty
        return content(lake)


def once(files: list[Path], folder: Path) -> str:
    """What the tables hold when all files come at once and nothing goes wrong."""
    with valleybike(folder) as (lake, data):
        arrive(files, data)
        assert lake.runner.run(Request(), lambda _event: None).ok
        return content(lake)


def test_kills_do_not_change_what_the_positions_become(shared_data: Path, counted: Nursery, tmp_path: Path) -> None:
    """Eight files, each with a run that is killed: every row of every table is as if nothing had happened."""
    files = smallest(shared_data)
    assert killed_while_arriving(files, tmp_path / "bad", counted, seed=3) == once(files, tmp_path / "good")


@pytest.mark.long
@pytest.mark.parametrize("share", range(8))
def test_many_kills_do_not_change_what_the_positions_become(
    share: int, shared_data: Path, counted: Nursery, tmp_path: Path
) -> None:
    """The same in other orders and at other moments; MILLPOND_SEED repeats a run."""
    seed = int(os.environ.get("MILLPOND_SEED", time.time_ns() % 1_000_000)) + share
    files = smallest(shared_data)
    bad = killed_while_arriving(files, tmp_path / "bad", counted, seed)
    assert bad == once(files, tmp_path / "good"), f"seed {seed}"
