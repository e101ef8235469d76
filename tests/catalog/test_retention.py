"""The rule of how long the past stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from millpond.catalog.retention import Retention

from .listed import Listed

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
RULE = Retention()


def moments(*ago: timedelta) -> list[tuple[int, datetime]]:
    """Commits so long ago, numbered from 1, oldest first."""
    return [(number, NOW - span) for number, span in enumerate(sorted(ago, reverse=True), start=1)]


def test_nothing_is_kept_of_nothing() -> None:
    """An empty lake."""
    assert RULE.keep(Listed([], NOW)) == frozenset()


def test_the_state_with_which_the_last_day_began_is_kept() -> None:
    """And all after it; what came before only at full hours and days."""
    commits = moments(timedelta(hours=30), timedelta(hours=29, minutes=50), timedelta(hours=3), timedelta(minutes=1))
    assert RULE.keep(Listed(commits, NOW)) == {2, 3, 4}


def test_one_state_stays_for_each_hour_and_then_each_day() -> None:
    """Two commits an hour for forty days."""
    commits = moments(*(timedelta(minutes=30 * place) for place in range(40 * 48)))
    kept = RULE.keep(Listed(commits, NOW))
    times = [at for number, at in commits if number in kept]
    assert sum(at >= NOW - timedelta(hours=24) for at in times) == 49
    assert sum(NOW - timedelta(days=7) <= at < NOW - timedelta(hours=24) for at in times) == 6 * 24
    assert sum(NOW - timedelta(days=30) <= at < NOW - timedelta(days=7) for at in times) == 23
    assert sum(at < NOW - timedelta(days=30) for at in times) == 0


class Counting(Listed):
    """A history that knows for how many moments it was asked."""

    asked = 0

    def states(self, moments: Sequence[datetime]) -> frozenset[int]:
        """As `Listed`, counted."""
        Counting.asked += len(moments)
        return super().states(moments)


def test_a_rule_may_mean_for_ever() -> None:
    """Longer than the calendar: then all stays, and no more is asked than the lake is old."""
    ever = timedelta(days=999_999)
    commits = moments(*(timedelta(minutes=30 * place) for place in range(10)))
    every = {number for number, _ in commits}
    assert Retention(all=ever, hourly=ever, daily=ever).keep(Listed(commits, NOW)) == every
    kept = Retention(all=timedelta(), hourly=ever, daily=ever).keep(Counting(commits, NOW))
    assert kept == {number for number, at in commits if at.minute == 0} | {max(every)}
    assert Counting.asked < len(commits)


def test_commits_of_the_first_moment_all_stay_for_ever() -> None:
    """They share one time while a clock catches up."""
    commits = moments(timedelta(hours=1), timedelta(hours=1), timedelta())
    assert Retention(all=timedelta(days=999_999)).keep(Listed(commits, NOW)) == {1, 2, 3}


@given(st.lists(st.integers(0, 60 * 24 * 60), max_size=60), st.integers(0, 60 * 24 * 29))
def test_every_full_day_of_the_month_can_be_read_as_it_was(minutes: list[int], ago: int) -> None:
    """The state at a boundary is kept whatever came after it."""
    commits = moments(*(timedelta(minutes=one) for one in minutes))
    boundary = (NOW - timedelta(minutes=ago)).replace(hour=0, minute=0)
    before = [number for number, at in commits if at <= boundary]
    assert not before or max(before) in RULE.keep(Listed(commits, NOW))
