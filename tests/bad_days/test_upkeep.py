"""Upkeep on bad days: killed at any moment, beside writers, and over again."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from millpond.lakehouse import open_lakehouse
from millpond.pipeline.doctor import diagnose
from millpond.pipeline.request import Request
from tests.bad_days.doom import Nursery, cut_power, dealt
from tests.bad_days.small import Arrivals, check_answers, small_project
from tests.bad_days.test_at_once import Writer, by_duckdb, by_pyiceberg, served
from tests.bad_days.test_kills import Point, points, spread

SHORT = "retention: {all: 0m, hourly: 0m, daily: 0m, orphans: 0m}\n"


class Worn:
    """A lake of many small commits whose upkeep has everything to do; put back as often as wanted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self._saved = folder / "saved"
        self.arrivals: Arrivals = small_project(self.folder)
        settings = self.folder / "millpond.yaml"
        settings.write_text(settings.read_text() + SHORT)
        with open_lakehouse(self.folder) as lake:
            for _ in range(4):
                self.arrivals.arrive()
                assert lake.runner.run().ok
            self.arrivals.arrive()
            assert lake.runner.run(Request(("rides_raw", "silver.rides"))).ok  # gold is behind
        shutil.copytree(self.folder, self._saved)

    def put_back(self) -> None:
        """As it was before upkeep."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._saved, self.folder)

    def check(self) -> None:
        """Nothing is lost or doubled, consumers that were behind catch up, and upkeep ends what it began."""
        with open_lakehouse(self.folder) as lake:
            assert diagnose(lake.project, lake.catalog, lake.engine).sound
            assert lake.upkeep.run().ok
            assert lake.runner.run().ok
            check_answers(lake, self.arrivals)
            assert lake.upkeep.run().ok
            check_answers(lake, self.arrivals)
            assert diagnose(lake.project, lake.catalog, lake.engine).sound


def kill(worn: Worn, counted: Nursery, point: Point, *, power_cut: bool) -> None:
    """One round: upkeep is killed at the point, and all is well."""
    worn.put_back()
    number, manner = point
    ended = counted.command(worn.folder, "maintain", "--json", at=number, manner=manner)
    if power_cut:
        cut_power(worn.folder, ended.calls)
    with open_lakehouse(worn.folder) as lake:
        assert lake.catalog.head() >= max(ended.published(), default=0)
    worn.check()


@pytest.mark.parametrize("power_cut", [False, True], ids=["kill", "power cut"])
def test_upkeep_that_ends_at_any_moment_loses_nothing(power_cut: bool, counted: Nursery, tmp_path: Path) -> None:
    """Some moments of each kind: files written, manifests, the commit itself, deletions half done."""
    worn = Worn(tmp_path)
    whole = counted.command(worn.folder, "maintain", "--json", at=0)
    assert whole.code == 0, whole.out
    assert {"compact", "expire", "clean"} <= set(re.findall(r'"work": "(\w+)"', whole.out))
    for point in spread(whole.calls, 4, seed=3 + power_cut):
        kill(worn, counted, point, power_cut=power_cut)


@pytest.mark.long
@pytest.mark.parametrize("share", range(8))
def test_upkeep_that_ends_at_every_moment_loses_nothing(share: int, counted: Nursery, tmp_path: Path) -> None:
    """Any of the moments: all in some runs of the tests."""
    worn = Worn(tmp_path)
    whole = counted.command(worn.folder, "maintain", "--json", at=0)
    for point in dealt(points(whole.calls), share, 8):
        kill(worn, counted, point, power_cut=False)


@pytest.mark.parametrize("client", [by_duckdb, by_pyiceberg])
def test_stock_clients_append_while_upkeep_works(
    client: Callable[[str], Writer], commands: Nursery, tmp_path: Path
) -> None:
    """What a client was told is in is there once, though its files are rewritten under it all the time."""
    worn = Worn(tmp_path)
    settings = worn.folder / "millpond.yaml"
    settings.write_text(settings.read_text().replace("orphans: 0m", "orphans: 1h"))  # longer than any step
    with served(worn.folder) as endpoint:
        writer = client(endpoint)
        thread = threading.Thread(target=writer.work)
        thread.start()
        try:
            for _ in range(3):
                ended = commands.command(worn.folder, "maintain", "--json")
                assert ended.code == 0, ended.complaints
        finally:
            writer.stop.set()
            thread.join()
        assert len(writer.done) > 3
    worn.arrivals.rides += writer.done
    with open_lakehouse(worn.folder) as lake:
        assert lake.runner.run().ok
    worn.check()
