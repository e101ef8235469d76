"""Trying again: how often, and how long to wait between tries."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from millpond.core.records import frozen

T = TypeVar("T")


@frozen
class Backoff:
    """Exponential waits with full jitter. Seconds."""

    tries: int = 8
    first: float = 0.02
    most: float = 2.0

    def wait(self, attempt: int, chance: float) -> float:
        """How long to wait after the failed attempt (from 0); `chance` is in [0, 1)."""
        return float(min(self.most, self.first * 2.0**attempt) * (0.5 + chance / 2))


def retry(
    work: Callable[[int], T],
    *,
    on: type[Exception] | tuple[type[Exception], ...],
    backoff: Backoff,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call `work(attempt)` until it returns; the last failure is raised as it is."""
    for attempt in range(backoff.tries - 1):
        try:
            return work(attempt)
        except on:
            sleep(backoff.wait(attempt, random.random()))  # noqa: S311 - jitter, no secret
    return work(backoff.tries - 1)
