"""A disk that is full, cannot be written, or fails: a clear error, nothing harmed, and the next run is right."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_days.doom import Call, Manner, Nursery
from tests.bad_days.scene import Scene, mend
from tests.bad_days.small import small_project

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
    for number in spread(calls, 2, seed=TROUBLES.index(manner) + 10 * later):
        harm(scene, counted, number, manner)


@pytest.mark.long
@pytest.mark.parametrize("share", range(6))
@pytest.mark.parametrize("manner", TROUBLES)
@pytest.mark.parametrize("later", [False, True], ids=["first run", "later run"])
def test_a_disk_in_trouble_at_any_moment_gives_a_clear_error(
    later: bool, manner: Manner, share: int, counted: Nursery, tmp_path: Path
) -> None:
    """From every third call on; the run log's, alike for each event, are thinned out."""
    scene = Scene(tmp_path, later)
    calls = counted.command(scene.folder, "run", "--json", at=0).calls
    numbers = [call.number for call in calls if not call.path.name.startswith("runs.db") or call.number % 10 == 0]
    for number in numbers[share::18]:
        harm(scene, counted, number, manner)


def mounted(*words: str) -> None:
    """Mount something; skips the test where that is not possible."""
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not possible here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    mounted("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place))
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_gives_a_clear_error(small_disk: Path, commands: Nursery) -> None:
    """A real one, with more and more room left; then the disk has room again."""
    arrivals = small_project(small_disk)
    arrivals.arrive()
    assert commands.command(small_disk, "run").code == 0
    arrivals.arrive()
    ballast = small_disk / "ballast"
    codes = []
    for free in (0, 16_000, 60_000, 150_000):
        room = os.statvfs(small_disk)
        ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - free)))
        ended = commands.command(small_disk, "run", "--json")
        ended.check_clear()
        codes.append(ended.code)
        ballast.unlink()
    assert 1 in codes
    mend(small_disk, arrivals)


def test_a_read_only_folder_gives_a_clear_error(commands: Nursery, tmp_path: Path) -> None:
    """Whether the disk is mounted so or the folder is another user's; then it can be written again."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount, and run commands as another user")
    project = tmp_path / "project"
    arrivals = small_project(project)
    arrivals.arrive()
    assert commands.command(project, "run").code == 0
    arrivals.arrive()
    mounted("--bind", str(project), str(project))
    try:
        mounted("-o", "remount,bind,ro", str(project))
        for words in (["run"], ["query", "SELECT 1"]):
            ended = commands.command(project, *words, "--json")
            ended.check_clear()
            assert ended.code == 1
    finally:
        subprocess.run(["umount", str(project)], check=True)
    mend(project, arrivals)


def test_a_folder_of_another_user_gives_a_clear_error(commands: Nursery) -> None:
    """It can be read and not written; nothing is changed, and its owner's next run is right."""
    if os.geteuid() != 0:
        pytest.skip("only root can run commands as another user")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        arrivals = small_project(Path(folder))
        arrivals.arrive()
        assert commands.command(arrivals.folder, "run").code == 0
        arrivals.arrive()
        for words in (["run"], ["query", "SELECT 1"]):
            ended = commands.command(arrivals.folder, *words, "--json", user=65534)
            ended.check_clear()
            assert ended.code == 1
        mend(arrivals.folder, arrivals)
