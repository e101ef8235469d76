"""How long past states stay: the rule, and the states that a consumer still has to cross."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from millpond.catalog.reachability import Keep, Moment
from millpond.catalog.relations import commit_tables, commits
from millpond.catalog.upkeep import KIND, live_cursors
from millpond.core.names import TableName
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

_MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


@frozen
class Retention:
    """Every commit of the last time `all`; one state for each full hour of `hourly`, for each full day of `daily`."""

    all: timedelta = timedelta(hours=24)
    hourly: timedelta = timedelta(days=7)
    daily: timedelta = timedelta(days=30)

    def keep(self, moments: Sequence[Moment], now: datetime) -> frozenset[int]:
        """The commits, of all (oldest first), at which the lake must stay readable.

        The state with which a span begins belongs to it, and so does the newest of all.
        """
        if not moments:
            return frozenset()
        times = [at for _, at in moments]
        first = max(0, bisect_right(times, now - self.all) - 1)
        kept = {number for number, _ in moments[first:]}
        for span, step in ((self.hourly, timedelta(hours=1)), (self.daily, timedelta(days=1))):
            for boundary in _boundaries(now, span, step):
                place = bisect_right(times, boundary) - 1
                if place >= 0:
                    kept.add(moments[place][0])
        return frozenset(kept)


DEFAULT = Retention()
"""The rule of a project that says nothing."""


def _boundaries(now: datetime, span: timedelta, step: timedelta) -> Iterator[datetime]:
    """The full hours or days of the last time."""
    boundary = now - (now - _MIDNIGHT) % step
    while boundary > now - span:
        yield boundary
        boundary -= step


def keeping(catalog: Catalog, rule: Retention) -> Keep:
    """The rule, and besides it the states on both sides of every rewrite that a consumer has yet to cross.

    With those the consumer sees what changed and nothing of the rewrite.
    """
    crossed = _crossed(catalog)

    def keep(moments: Sequence[Moment], now: datetime) -> frozenset[int]:
        return rule.keep(moments, now) | crossed

    return keep


def _crossed(catalog: Catalog) -> frozenset[int]:
    slowest = {name: min(numbers) for name, numbers in live_cursors(catalog).items()}
    if not slowest:
        return frozenset()
    moved = commit_tables.join(commits, commits.c.number == commit_tables.c.commit)
    query = (
        select(commit_tables.c.environment, commit_tables.c.layer, commit_tables.c.name, commit_tables.c.commit)
        .select_from(moved)
        .where(commits.c.kind == KIND, commits.c.number > min(slowest.values()))
    )
    found: set[int] = set()
    with catalog.store.read() as connection:
        for row in connection.execute(query):
            if row.commit > slowest.get((row.environment, TableName(row.layer, row.name)), row.commit):
                found |= {row.commit - 1, row.commit}
    return frozenset(found)
