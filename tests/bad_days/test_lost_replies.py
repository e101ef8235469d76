"""A proxy between the engine and the gateway harms a request of a run: nothing is lost, doubled or deleted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from millpond.core.errors import MillpondError
from millpond.lakehouse import open_lakehouse
from millpond.pipeline.request import Request
from tests.bad_days.scene import mend
from tests.bad_days.small import Arrivals, check_files, small_project
from tests.catalog.proxy import HARMS, Harm, Plan, Proxy


@dataclass(frozen=True)
class Kind:
    """A kind of request, as the engine sends it; `often` is how often a later run does so, at least."""

    name: str
    often: int
    match: Callable[[str, str], bool]


# Each of five steps has a session; rides have a rejected file besides, which is committed by itself.
CONFIG = Kind("config", 5, lambda method, path: path.split("?")[0].endswith("/config"))
LOAD = Kind("load", 6, lambda method, path: method == "GET" and "/tables/" in path)
COMMIT = Kind("commit", 6, lambda method, path: path.endswith("/transactions/commit"))
KINDS = (CONFIG, LOAD, COMMIT)


def harmed_run(arrivals: Arrivals, harm: Harm, kind: Kind, first: int, times: int) -> bool:
    """A run of which some requests of a kind are harmed, from the `first` on; whether all of its steps ended well.

    A step that failed says so with a code and a next step. Whatever came of it, what is published is whole.
    """
    count = itertools.count(1)
    plan = Plan(harm, lambda method, path: kind.match(method, path) and next(count) >= first, times)
    with open_lakehouse(arrivals.folder) as lake:
        with Proxy(lake.endpoint, plan) as proxy:
            lake.__dict__["endpoint"] = proxy.endpoint
            report = lake.runner.run(Request(), lambda _event: None)
        check_files(lake)
    assert plan.done
    for failed in report.failures.values():
        assert isinstance(failed, MillpondError)
        assert failed.code.startswith("MP-")
        assert failed.finding.next_step
    return report.ok


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_request_of_a_run_does_no_harm(harm: Harm, tmp_path: Path) -> None:
    """A commit once, another one for good, and the reading of a table: the next run ends right."""
    arrivals = small_project(tmp_path)
    for kind, first, times in ((COMMIT, 4, 1), (COMMIT, 3, 1000), (LOAD, 3, 1)):
        arrivals.arrive()
        harmed_run(arrivals, harm, kind, first, times)
        mend(tmp_path, arrivals)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
@pytest.mark.parametrize("harm", HARMS)
def test_every_harmed_request_of_a_run_does_no_harm(harm: Harm, kind: Kind, tmp_path: Path) -> None:
    """Every request of each kind, once and for good."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    mend(tmp_path, arrivals)
    for first in range(1, kind.often + 1):
        for times in (1, 5, 1000):
            arrivals.arrive()
            harmed_run(arrivals, harm, kind, first, times)
            mend(tmp_path, arrivals)
