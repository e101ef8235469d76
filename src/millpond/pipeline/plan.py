"""A plan: what a run would do, as values that anyone can print."""

from __future__ import annotations

from typing import Literal

from millpond.core.errors import Finding
from millpond.core.names import TableName
from millpond.core.records import frozen

BuildMode = Literal["create", "increment", "groups", "whole", "rebuild", "partition", "alter"]


@frozen
class LandStep:
    """Land a source's news in bronze. Counts are of what the source delivers, such as files."""

    table: TableName
    source: str
    new: int
    changed: int
    rejected: int
    known: int
    because: str

    @property
    def work(self) -> str:
        """What the step does, in a word."""
        return "land"


@frozen
class ReplayStep:
    """Land mended records, and files that can be read by now, in bronze: the ids of their entries in quarantine."""

    table: TableName
    source: str
    records: tuple[str, ...]
    files: tuple[str, ...]
    because: str

    @property
    def work(self) -> str:
        """What the step does, in a word."""
        return "replay"


@frozen
class InputRange:
    """The changes of an input that a step takes in: those after commit `since` (None: all of the table)."""

    table: TableName
    since: int | None


@frozen
class BuildStep:
    """Bring a model's table up to date.

    create: there is no table yet. increment: judge and add the input's new rows. groups: recompute the groups whose
    input rows changed. whole: compute the query over all of its inputs and apply the difference. rebuild: replace
    everything that the table holds. partition: no rows, but those to come are partitioned otherwise.
    alter: no rows, but the table's columns are named, typed or described otherwise. `moves` says that what reads the
    table has to look at it.

    `trial` says that the model's circuit is open, and that one increment is to be tried.
    """

    table: TableName
    kind: str
    mode: BuildMode
    inputs: tuple[InputRange, ...]
    because: str
    note: str = ""
    trial: bool = False
    moves: bool = True

    @property
    def work(self) -> str:
        """What the step does, in a word."""
        return self.mode


@frozen
class DropStep:
    """Remove the table, or the view, of a model that the project no longer has."""

    table: TableName
    because: str

    @property
    def work(self) -> str:
        """What the step does, in a word."""
        return "drop"


@frozen
class ViewStep:
    """Publish a model's view, as it is now, in the place of what has its name."""

    table: TableName
    because: str

    @property
    def work(self) -> str:
        """What the step does, in a word."""
        return "view"


Step = LandStep | ReplayStep | BuildStep | DropStep | ViewStep


@frozen
class Plan:
    """Steps in the order in which they run; `head` is the commit number that the plan was made at.

    `waiting` are models that cannot be built yet, each with the input that has no table. `notes` are what a look at
    the sources found besides: files that cannot be read, or that are still being written. `open` are models that have
    news but take none in, because their circuit is open.
    """

    head: int
    steps: tuple[Step, ...]
    waiting: tuple[tuple[TableName, TableName], ...] = ()
    notes: tuple[Finding, ...] = ()
    open: tuple[TableName, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps
