"""Trying again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.retry import Backoff, retry


class Failing:
    """Work that fails a number of times before it succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.attempts: list[int] = []

    def __call__(self, attempt: int) -> str:
        """Fail, or be done."""
        self.attempts.append(attempt)
        if len(self.attempts) <= self.failures:
            raise ConnectionError(f"failure {len(self.attempts)}")
        return "done"


def test_work_is_tried_until_it_succeeds() -> None:
    """Each try is told its number, and there is a wait between two tries."""
    work, waits = Failing(2), []
    assert retry(work, on=ConnectionError, backoff=Backoff(tries=5), sleep=waits.append) == "done"
    assert work.attempts == [0, 1, 2]
    assert len(waits) == 2


def test_the_last_failure_is_raised_as_it_is() -> None:
    """After so many tries as were allowed, and not one more."""
    work, waits = Failing(9), []
    with pytest.raises(ConnectionError, match="failure 3"):
        retry(work, on=ConnectionError, backoff=Backoff(tries=3), sleep=waits.append)
    assert (work.attempts, len(waits)) == ([0, 1, 2], 2)


def test_other_failures_are_not_tried_again() -> None:
    """Only what is named is worth another try."""
    work = Failing(1)
    with pytest.raises(ConnectionError):
        retry(work, on=TimeoutError, backoff=Backoff(), sleep=lambda _: None)
    assert work.attempts == [0]


@given(st.integers(0, 60), st.floats(0, 1, exclude_max=True))
def test_waits_grow_and_stay_within_bounds(attempt: int, chance: float) -> None:
    """Between half of the exponential wait and all of it, never above the most."""
    backoff = Backoff(first=0.02, most=2.0)
    whole = min(2.0, 0.02 * 2.0**attempt)
    assert whole / 2 <= backoff.wait(attempt, chance) <= whole
