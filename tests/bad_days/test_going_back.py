"""Restores, forks and upkeep on bad days: killed at any moment, and with a disk that is full, read-only or broken."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from millpond.lakehouse import Lakehouse, open_lakehouse
from millpond.pipeline.doctor import diagnose
from tests.bad_days.doom import Ended, Manner, Nursery
from tests.bad_days.forking import FORK
from tests.bad_days.small import CITIES, GOOD, RIDES, USAGE, Arrivals, check_answers, check_files, small_project
from tests.bad_days.test_disk import TROUBLES
from tests.bad_days.test_disk import spread as calls_of
from tests.bad_days.test_kills import spread as points_of
from tests.services.postgres import Server

BOOKS = (RIDES, GOOD, USAGE, CITIES)
SHORT = "retention: {all: 1h, hourly: 0m, daily: 0m, orphans: 0m}\n"

Rows = dict[str, list[tuple[object, ...]]]


def rows(lake: Lakehouse, at: int | None = None) -> Rows:
    """All that the lake's tables hold."""
    there = [name for name in (*BOOKS, FORK) if lake.catalog.find(name, at)]
    asked = {str(name): lake.tables.query(f"SELECT * FROM {name} ORDER BY ALL", at=at).rows() for name in there}
    return {name: [tuple(row.values()) for row in found] for name, found in asked.items()}


class Lake:
    """A lake of four runs, put back as often as wanted; its pointers in a file, or in databases of a server."""

    def __init__(self, folder: Path, server: Server | None = None) -> None:
        self.folder = folder / "project"
        self._saved = folder / "saved"
        self._server = server
        self.arrivals: Arrivals = small_project(self.folder)
        settings = self.folder / "millpond.yaml"
        settings.write_text(settings.read_text() + SHORT)
        if server is not None:
            self._database = server.database()
            settings.write_text(settings.read_text() + f"catalog: {{url: '{server.url(database=self._database)}'}}\n")
        self.first = 0
        with open_lakehouse(self.folder) as lake:
            for _ in range(4):
                self.arrivals.arrive()
                assert lake.runner.run().ok
                self.first = self.first or lake.catalog.head()
            self.then, self.now = rows(lake, self.first), rows(lake)
        self.save()

    def save(self) -> None:
        """Keep it as it is now."""
        shutil.rmtree(self._saved, ignore_errors=True)
        shutil.copytree(self.folder, self._saved)

    def put_back(self) -> None:
        """As it was before the work."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._saved, self.folder)
        if self._server is not None:
            settings = self.folder / "millpond.yaml"
            copied = self._server.database(self._database)
            settings.write_text(settings.read_text().replace(f"/{self._database}", f"/{copied}"))


@dataclass(frozen=True)
class Work:
    """What is done, and what the lake holds before and after it."""

    words: Callable[[Lake], list[str]]
    after: Callable[[Lake], Rows]
    program: str = "millpond.cli.main:app"

    def do(self, lake: Lake, born: Nursery, at: int, manner: Manner = "before") -> Ended:
        """Begin it, with harm at a call."""
        return born.command(lake.folder, *self.words(lake), at=at, manner=manner, program=self.program)


def restoring(lake: Lake) -> list[str]:
    """The words that restore everything to the first run."""
    return ["restore", "--all", "--to", str(lake.first), "--yes", "--json"]


WORKS = {
    "restore": Work(restoring, lambda lake: lake.then),
    "fork": Work(
        lambda _lake: [],
        lambda lake: {**lake.now, str(FORK): lake.now[str(GOOD)]},
        "tests.bad_days.forking:main",
    ),
    "maintain": Work(lambda _lake: ["maintain", "--json"], lambda lake: lake.now),
}


def check(lake: Lake, work: Work, ended: Ended, born: Nursery) -> None:
    """It is done or not done at all; done again it is done; and the next run makes good what the lake is to hold."""
    with open_lakehouse(lake.folder) as house:
        assert diagnose(house.project, house.catalog, house.engine).sound
        check_files(house)
        found = rows(house)
        assert found in (lake.now, work.after(lake))
        if ended.code == 0:
            assert found == work.after(lake)
    again = work.do(lake, born, at=0)
    assert again.code == 0, again.out
    with open_lakehouse(lake.folder) as house:
        assert rows(house) == work.after(lake)
        assert house.runner.run().ok
        check_answers(house, lake.arrivals)


@pytest.mark.parametrize("name", WORKS)
def test_work_on_the_past_that_is_killed_is_done_or_not_done(name: str, counted: Nursery, tmp_path: Path) -> None:
    """Some moments of each kind: files written and synced, the commit itself, and after it."""
    kill_now_and_then(Lake(tmp_path), WORKS[name], counted)


@pytest.mark.parametrize("name", WORKS)
def test_work_on_the_past_that_is_killed_is_done_or_not_done_on_postgres_too(
    name: str, counted: Nursery, postgres: Server, tmp_path: Path
) -> None:
    """Files and pointers lie on two machines then."""
    kill_now_and_then(Lake(tmp_path, postgres), WORKS[name], counted)


def test_a_run_that_is_killed_loses_nothing_on_postgres_either(
    counted: Nursery, postgres: Server, tmp_path: Path
) -> None:
    """The next run makes it good."""
    lake = Lake(tmp_path, postgres)
    lake.arrivals.arrive()
    lake.save()
    lake.put_back()
    calls = counted.command(lake.folder, "run", "--json", at=0).calls
    for number, manner in points_of(calls, 3, seed=5):
        lake.put_back()
        ended = counted.command(lake.folder, "run", "--json", at=number, manner=manner)
        assert ended.killed
        with open_lakehouse(lake.folder) as house:
            assert house.catalog.head() >= max(ended.published(), default=0)
            assert house.runner.run().ok
            check_answers(house, lake.arrivals)
            check_files(house)


def kill_now_and_then(lake: Lake, work: Work, born: Nursery) -> None:
    """Some moments, of each kind alike."""
    lake.put_back()
    whole = work.do(lake, born, at=0)
    assert whole.code == 0, whole.out
    for number, manner in points_of(whole.calls, 3, seed=len(whole.calls)):
        lake.put_back()
        check(lake, work, work.do(lake, born, number, manner), born)


@pytest.mark.parametrize("manner", TROUBLES)
@pytest.mark.parametrize("name", WORKS)
def test_work_on_the_past_with_a_disk_in_trouble_tells_of_it(
    name: str, manner: Manner, counted: Nursery, tmp_path: Path
) -> None:
    """A clear error with a next step, and nothing is harmed."""
    lake, work = Lake(tmp_path), WORKS[name]
    calls = work.do(lake, counted, at=0).calls
    for number in calls_of(calls, 2, seed=len(name) + TROUBLES.index(manner)):
        lake.put_back()
        ended = work.do(lake, counted, number, manner)
        ended.check_clear()
        check(lake, work, ended, counted)


@pytest.mark.long
@pytest.mark.parametrize("share", range(4))
@pytest.mark.parametrize("manner", ["before", "after", *TROUBLES])
@pytest.mark.parametrize("name", WORKS)
def test_work_on_the_past_stands_harm_at_any_moment(
    name: str, manner: Manner, share: int, counted: Nursery, tmp_path: Path
) -> None:
    """At every fourth call and from it on."""
    lake, work = Lake(tmp_path), WORKS[name]
    calls = work.do(lake, counted, at=0).calls
    for call in calls[share::16]:
        lake.put_back()
        ended = work.do(lake, counted, call.number, manner)
        if not ended.killed:
            ended.check_clear()
        check(lake, work, ended, counted)
