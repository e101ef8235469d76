"""What the rest of the house asks of a query engine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from millpond.core.records import frozen
from millpond.core.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa


@frozen
class Stream:
    """What a query gives: its columns, and batches to be read once, before the session is asked anything else."""

    schema: Schema
    reader: pa.RecordBatchReader


class Session(Protocol):
    """One connection with the lake attached as `lake` under one bearer token.

    Statements name tables as `"lake"."layer"."name"`; temporary relations have plain names and end with the session.
    Every failure is raised as EngineError MP-4xxx (ConflictError MP-3xxx when the catalog refused a commit).
    """

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one statement; the number of rows that it changed, 0 where that means nothing."""
        ...

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one query with a small result."""
        ...

    def stream(self, sql: str, parameters: Sequence[object] = ()) -> Stream:
        """Run one query; its batches are made as they are read."""
        ...

    def describe(self, sql: str, parameters: Sequence[object] = ()) -> Schema:
        """The columns that a query would give, without running it."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """What is done inside commits together, or not at all."""
        ...


class Engine(Protocol):
    """Opens sessions; holds memory, threads and scratch space within what it was given."""

    def session(self, endpoint: str | None = None, token: str | None = None) -> AbstractContextManager[Session]:
        """A session on the lake at `endpoint` (none: without a lake), seen with the rights of `token`."""
        ...

    def prepare(self) -> None:
        """Begin to make ready what the next session on a lake needs, beside other work."""
        ...

    def close(self) -> None:
        """Free everything; scratch files are removed."""
        ...
