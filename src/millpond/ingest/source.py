"""What every kind of source is to the steps that land it: it looks for news, which can be told and landed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from millpond.catalog.commits import Ledger, SeenFile
from millpond.core.clock import Clock
from millpond.core.errors import Finding, QualityError
from millpond.core.plugins import lookup
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Engine, Session
from millpond.project.model import Project, Source

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.catalog.staging import Stage


@frozen
class Load:
    """One load, as news are landed in it: the engine's session (in no transaction), the stage, its identity.

    `at` is the moment of the load, aware, in UTC.
    """

    session: Session
    catalog: Catalog
    stage: Stage
    identity: str
    at: datetime


@frozen
class Landed:
    """What one load staged: what it dealt with, where every record went, the columns it added to the table.

    `blind` says that it only added rows, without having looked at the table. `rejected` counts what went to quarantine
    whole and was not known there. `again` are the origins whose records were loaded before and are judged anew.
    `findings` are warnings: what changed while it was read and is left for later.
    """

    files: tuple[SeenFile, ...]
    ledger: Ledger
    columns: tuple[Column, ...] = ()
    blind: bool = True
    rejected: int = 0
    again: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@frozen
class Tally:
    """How many things there are to land: new ones, changed ones, unreadable ones, and those known by content."""

    new: int = 0
    changed: int = 0
    rejected: int = 0
    known: int = 0


@frozen
class Kept:
    """Bytes that quarantine keeps: `origin` is what their records' `_origin` shall say, `name` what they came as."""

    origin: str
    name: str
    content: Path

    def unread(self, reason: str) -> QualityError:
        """The error for bytes that cannot be landed."""
        return QualityError(
            "MP-6125",
            f"the file {self.name!r} cannot be replayed: {reason}",
            next_step="mend it (`millpond quarantine fix ID --from FILE`), or correct how its source reads it",
        )


class News(Protocol):
    """What one look at a source found since the last commit that landed it. A look changes nothing."""

    @property
    def tally(self) -> Tally:
        """How much there is, for a plan."""
        ...

    @property
    def because(self) -> str:
        """Why there is something to land, in a few words."""
        ...

    @property
    def work(self) -> bool:
        """Whether there is anything to land, or an error to be told of when it is tried."""
        ...

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What else the look saw: what is missing, not allowed, or not complete yet."""
        ...

    def land(self, load: Load) -> Landed:
        """Stage all of it: records with their origin into bronze, what cannot be read into quarantine with its bytes.

        Raises IngestError where the source refuses what came, or where it does not hold still.
        """
        ...


class SourceReader(Protocol):
    """One kind of source, at work for one declared source of a project."""

    def look(self, catalog: Catalog, clock: Clock) -> News:
        """What there is that the catalog's newest commit does not hold."""
        ...

    def again(self, kept: Sequence[Kept], catalog: Catalog, at: int, folder: Path) -> News:
        """Kept bytes as if they had just come, told by the source's present settings; `folder` holds what that needs.

        `at` is the commit by which it is known what is loaded. Raises QualityError MP-6125 for bytes that still cannot
        be read, or are loaded already.
        """
        ...

    def columns(self, engine: Engine, clock: Clock) -> Schema | None:
        """The columns that the bronze table would get, declared or told from the first records; None where unknown."""
        ...

    def close(self) -> None:
        """Remove what looking left behind."""
        ...


Readers = Callable[[Source, Project], SourceReader]
"""How a source's reader is found."""

_KINDS = {"files": "millpond.ingest.files.reader:FileReader"}


def reader_of(source: Source, project: Project) -> SourceReader:
    """The reader of the kind that a source declares."""
    reader: SourceReader = lookup(_KINDS[source.settings.kind])(source, project)
    return reader
