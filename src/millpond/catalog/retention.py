"""How long past states stay: the rule, and the states that a consumer still has to cross."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from millpond.catalog.reachability import History, Keep, family
from millpond.catalog.relations import commit_tables, commits
from millpond.catalog.upkeep import KIND, live_cursors
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

    def keep(self, history: History) -> frozenset[int]:
        """The commits at which the lake must stay readable.

        The state with which a span begins belongs to it, and so does the newest of all. A span may be longer than the
        lake is old, as one that means for ever is.
        """
        age = history.now - history.first + timedelta(microseconds=1)
        since = history.now - min(self.all, age)
        spans = ((min(self.hourly, age), timedelta(hours=1)), (min(self.daily, age), timedelta(days=1)))
        boundaries = {boundary for span in spans for boundary in _boundaries(history.now, *span) if boundary < since}
        return history.after(since) | history.states([since, *sorted(boundaries)])


DEFAULT = Retention()
"""The rule of a project that says nothing."""


def _boundaries(now: datetime, span: timedelta, step: timedelta) -> Iterator[datetime]:
    """The full hours or days of the last time."""
    boundary = now - (now - _MIDNIGHT) % step
    while boundary > now - span:
        yield boundary
        boundary -= step


def keeping(catalog: Catalog, rule: Retention, table_uuid: str | None = None) -> Keep:
    """The rule, and besides it the states on both sides of every rewrite that a consumer has yet to cross.

    With those the consumer sees what changed and nothing of the rewrite. With `table_uuid` only the rewrites count of
    that table and of those that share files with it: that is enough to judge what it needs.
    """
    crossed = _crossed(catalog, table_uuid)

    def keep(history: History) -> frozenset[int]:
        return rule.keep(history) | crossed

    return keep


def _crossed(catalog: Catalog, table_uuid: str | None) -> frozenset[int]:
    found: set[int] = set()
    with catalog.store.read() as connection:
        related = None if table_uuid is None else family(connection, table_uuid)
        for (environment, name), numbers in live_cursors(catalog, related).items():
            query = (
                select(commit_tables.c.commit)
                .join(commits, commits.c.number == commit_tables.c.commit)
                .where(
                    commit_tables.c.environment == environment,
                    commit_tables.c.layer == name.layer,
                    commit_tables.c.name == name.name,
                    commit_tables.c.commit > min(numbers),
                    commits.c.kind == KIND,
                )
            )
            found.update(number for commit in connection.scalars(query) for number in (commit - 1, commit))
    return frozenset(found)
