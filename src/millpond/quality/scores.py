"""Scores: which part of what was judged passed, for each check and table, step by step and over several steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from millpond.catalog.verdict_log import Told
from millpond.core.names import TableName
from millpond.core.records import frozen


@frozen
class Point:
    """What came of a check in one commit. `score` is the share that passed, None where nothing was judged."""

    commit: int
    at: datetime
    outcome: str
    failed: int
    judged: int

    @property
    def score(self) -> float | None:
        """The share of what was judged that passed."""
        return _passed((self,))

    def as_json(self) -> dict[str, object]:
        """The point with plain values."""
        return {**vars(self), "score": self.score}


@frozen
class CheckScore:
    """A check over the commits that were looked at, oldest first; `score` is the share that passed in all of them."""

    rule: str
    points: tuple[Point, ...]

    @property
    def last(self) -> Point:
        """What came of it in the newest commit."""
        return self.points[-1]

    @property
    def score(self) -> float | None:
        """The share of all that was judged that passed; None where nothing was judged."""
        return _passed(self.points)


@frozen
class TableScore:
    """The checks that the newest commit judged. `score` is the mean of theirs, each check counting alike."""

    table: TableName
    checks: tuple[CheckScore, ...]

    @property
    def score(self) -> float | None:
        """The mean of the checks' scores over all commits that were looked at."""
        return _mean(check.score for check in self.checks)

    @property
    def last(self) -> float | None:
        """The mean of the checks' scores in the newest commit."""
        return _mean(check.last.score for check in self.checks)

    @property
    def failing(self) -> tuple[str, ...]:
        """The rules that something failed in the newest commit."""
        return tuple(check.rule for check in self.checks if check.last.failed)


def scores(told: Iterable[Told]) -> dict[TableName, TableScore]:
    """The scores of each table that anything is told of, from what was told of it, oldest first."""
    by_table: dict[TableName, list[Told]] = {}
    for each in told:
        by_table.setdefault(each.verdict.table, []).append(each)
    return {table: TableScore(table, _checks(said)) for table, said in by_table.items()}


def _checks(told: Sequence[Told]) -> tuple[CheckScore, ...]:
    newest = told[-1].commit
    points: dict[str, list[Point]] = {each.verdict.rule: [] for each in told if each.commit == newest}
    for each in told:
        said = each.verdict
        if said.rule in points:
            points[said.rule].append(Point(each.commit, each.at, said.outcome, said.failed, said.judged))
    return tuple(CheckScore(rule, tuple(found)) for rule, found in points.items())


def _passed(points: Iterable[Point]) -> float | None:
    points = tuple(points)
    judged = sum(point.judged for point in points)
    return (judged - sum(point.failed for point in points)) / judged if judged else None


def _mean(found: Iterable[float | None]) -> float | None:
    known = [score for score in found if score is not None]
    return sum(known) / len(known) if known else None
