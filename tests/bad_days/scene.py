"""A lake that is harmed and mended: what must hold after every bad day."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from millpond.lakehouse import open_lakehouse
from millpond.pipeline.request import Request
from tests.bad_days.doom import Ended
from tests.bad_days.small import Arriving, check_answers, check_files, small_project


def mend(folder: Path, arrivals: Arriving) -> None:
    """A normal run; then nothing is lost or doubled, everything can be read, and nothing is left to do or to clear."""
    with open_lakehouse(folder) as lake:
        report = lake.runner.run(Request(), lambda _event: None)
        assert report.ok, report.failures
        check_answers(lake, arrivals)
        check_files(lake)
        assert lake.runner.plan(Request()).empty
    assert not list((folder / ".millpond" / "scratch").glob("*"))


class Scene:
    """A project just before a run, put back as often as wanted. `later`: the lake has had a run before."""

    def __init__(self, folder: Path, later: bool, project: Callable[[Path], Arriving] = small_project) -> None:
        self.folder = folder / "project"
        self._saved = folder / "saved"
        self.arrivals = project(self.folder)
        self.arrivals.arrive()
        if later:
            self.mend()
            self.arrivals.arrive()
        shutil.copytree(self.folder, self._saved)

    def put_back(self) -> None:
        """As it was before the run."""
        shutil.rmtree(self.folder)
        shutil.copytree(self._saved, self.folder)

    def mend(self) -> None:
        """A normal run, after which everything is right."""
        mend(self.folder, self.arrivals)

    def check_acknowledged(self, ended: Ended) -> None:
        """What the command said that it published is there, and whole."""
        with open_lakehouse(self.folder) as lake:
            assert lake.catalog.head() >= max(ended.published(), default=0)
            check_files(lake)
