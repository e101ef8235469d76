"""What commits say of tables over time: the verdicts of their steps, and when their rows last changed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from millpond.catalog.commits import Verdict
from millpond.catalog.recording import from_micros
from millpond.catalog.records import kept
from millpond.catalog.relations import commit_tables, commits, verdicts
from millpond.catalog.timeline import timeline
from millpond.catalog.upkeep import KIND as UPKEEP
from millpond.core.names import TableName
from millpond.core.records import frozen

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog


@frozen
class Told:
    """A verdict, with the number and the moment of the commit that bears it."""

    commit: int
    at: datetime
    verdict: Verdict


@frozen
class Changed:
    """The newest commit that changed a table, upkeep aside."""

    commit: int
    at: datetime


def verdict_log(
    catalog: Catalog, steps: int, table: TableName | None = None, at: int | None = None
) -> tuple[Told, ...]:
    """The verdicts of the newest `steps` commits that judged a table, for one table or for each; oldest first.

    What a restore stepped over, or what was said of an earlier table of the same name, is left out.
    """
    until = catalog.head() if at is None else at
    with catalog.store.read() as connection:
        line = timeline(connection, catalog.environment, until)
        inside = and_(
            commits.c.environment == catalog.environment,
            verdicts.c.commit <= until,
            kept(catalog.environment, line, verdicts.c.layer, verdicts.c.name, verdicts.c.commit, until),
        )
        if table is not None:
            inside = and_(inside, verdicts.c.layer == table.layer, verdicts.c.name == table.name)
        newest = verdicts.c.commit.desc()
        place = func.dense_rank().over(partition_by=(verdicts.c.layer, verdicts.c.name), order_by=newest)
        ranked = (
            select(verdicts, commits.c.at, place.label("place"))
            .join(commits, commits.c.number == verdicts.c.commit)
            .where(inside)
            .subquery()
        )
        query = select(ranked).where(ranked.c.place <= steps).order_by(ranked.c.commit, ranked.c.ordinal)
        return tuple(
            Told(
                row.commit,
                from_micros(row.at),
                Verdict(TableName(row.layer, row.name), row.rule, row.outcome, row.failed, row.judged),
            )
            for row in connection.execute(query)
        )


def last_changes(catalog: Catalog) -> dict[TableName, Changed]:
    """For each name, the newest commit that moved its table, other than by rewriting files."""
    named = (commit_tables.c.layer, commit_tables.c.name)
    query = (
        select(*named, func.max(commit_tables.c.commit).label("commit"), func.max(commits.c.at).label("at"))
        .join(commits, commits.c.number == commit_tables.c.commit)
        .where(commit_tables.c.environment == catalog.environment, commits.c.kind != UPKEEP)
        .group_by(*named)
    )
    with catalog.store.read() as connection:
        return {
            TableName(row.layer, row.name): Changed(row.commit, from_micros(row.at))
            for row in connection.execute(query)
        }


def moment_of(catalog: Catalog, number: int) -> datetime | None:
    """When a commit was made; None where there is no such number."""
    with catalog.store.read() as connection:
        at = connection.scalar(select(commits.c.at).where(commits.c.number == number))
    return None if at is None else from_micros(at)
