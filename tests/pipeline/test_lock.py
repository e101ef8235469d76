"""One run at a time."""

from __future__ import annotations

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from millpond.core.errors import RunError
from millpond.pipeline.lock import project_lock


def _hold(state: Path, held: Event, release: Event) -> None:
    with project_lock(state, run="first", since="noon", wait=False, tell=str):
        held.set()
        release.wait(30)


def test_the_second_run_says_who_holds_the_project(tmp_path: Path) -> None:
    """Without --wait the second run is refused and names the first."""
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, held, release))
    holder.start()
    try:
        assert held.wait(30)
        with pytest.raises(RunError) as refused, project_lock(tmp_path, run="second", since="", wait=False, tell=str):
            pytest.fail("both hold the project")
        assert refused.value.code == "MP-7020"
        assert "run first" in refused.value.finding.message
    finally:
        release.set()
        holder.join(30)


def test_with_wait_the_second_run_starts_when_the_first_has_ended(tmp_path: Path) -> None:
    """--wait tells who is waited for, and then goes on."""
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, held, release))
    holder.start()
    told: list[str] = []

    def tell(sentence: str) -> None:
        told.append(sentence)
        release.set()

    assert held.wait(30)
    with project_lock(tmp_path, run="second", since="", wait=True, tell=tell):
        assert "run first" in told[0]
    holder.join(30)


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    """The operating system lets go of a dead process's lock."""
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, held, release))
    holder.start()
    assert held.wait(30)
    holder.kill()
    holder.join(30)
    with project_lock(tmp_path, run="second", since="", wait=False, tell=str):
        assert True
