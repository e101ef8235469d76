"""What people do with quarantined records: find them, and decide about them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from millpond.catalog.commits import Commit, LifeStatus
from millpond.core.errors import QualityError, RunError
from millpond.core.names import TableName
from millpond.pipeline.graph import Graph, build_graph, select
from millpond.quality.entries import WAITING, Entry, read_entries
from millpond.sql.quarantine import RECORDS, Filters

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog
    from millpond.governance.gate import Gate
    from millpond.governance.moments import Moment
    from millpond.pipeline.workbench import Workbench
    from millpond.project.model import Project


@dataclass(frozen=True)
class Selection:
    """Which records a person means; what is empty does not matter.

    `models` and `sources` are names as `--select` takes them. `statuses` are those that are wanted; None means what
    nobody has seen to the end, or whatever the ids name.
    """

    ids: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    statuses: tuple[LifeStatus, ...] | None = None
    overdue: bool = False

    @property
    def empty(self) -> bool:
        """Whether it says nothing, so that it would mean everything."""
        told = (self.ids, self.models, self.rules, self.sources, self.since, self.until, self.statuses, self.overdue)
        return not any(told)


class Quarantine:
    """The quarantine of a project's lake, for one principal."""

    def __init__(
        self, project: Project, catalog: Catalog, gate: Gate, principal: str, bench: Callable[[str], Workbench]
    ) -> None:
        self._project = project
        self._catalog = catalog
        self._gate = gate
        self._principal = principal
        self._bench = bench

    def entries(self, selection: Selection, at: Moment | None = None) -> tuple[Entry, ...]:
        """The records that are meant, the newest first, as of a moment.

        Raises QualityError MP-6010 for an id that is none, RunError MP-7001 for a name that is none.
        """
        found: dict[str, Entry] = {}
        for filters in _filters(self._project, selection):
            for entry in read_entries(self._project, self._catalog, self._gate, self._principal, filters, at):
                found.setdefault(entry.id, entry)
        return tuple(entry for entry in found.values() if _meant(selection, entry))

    def discard(self, entries: Sequence[Entry], because: str | None = None) -> int:
        """Give records up; the number of the commit that says so.

        Raises QualityError MP-6124 for one whose life has ended, ConflictError MP-3120 where another decided meanwhile.
        """
        for entry in entries:
            check_status(entry, WAITING, "discarded")
        key = f"discard/{secrets.token_hex(8)}"
        lives = tuple(
            entry.life.becomes("discarded", RECORDS, revision=entry.life.revision, reason=because) for entry in entries
        )
        stage = self._catalog.begin(key)
        try:
            return stage.publish(Commit(key, "discard", self._principal, table=RECORDS, lives=lives)).number
        finally:
            stage.discard()


def check_status(entry: Entry, allowed: Sequence[LifeStatus], what: str) -> None:
    """Pass when a record's life is where something can be done with it. Raises QualityError MP-6124 otherwise."""
    if entry.status in allowed:
        return
    raise QualityError(
        "MP-6124",
        f"the record {entry.id[:8]} cannot be {what}: it is {entry.status}",
        next_step=f"only records that are {' or '.join(allowed)} can be; "
        "`millpond quarantine list --all` shows where each one stands",
    )


def _meant(selection: Selection, entry: Entry) -> bool:
    if selection.overdue and not entry.overdue:
        return False
    if selection.statuses is not None:
        return entry.status in selection.statuses
    return bool(selection.ids) or entry.status in WAITING


def _filters(project: Project, selection: Selection) -> Iterator[Filters]:
    """What to look for: once, or for each source that is named."""
    given = Filters(ids=selection.ids, rules=selection.rules, since=selection.since, until=selection.until)
    if not (selection.models or selection.sources):
        yield given
        return
    graph = build_graph(project)
    given = replace(given, models=tuple(sorted(table for name in selection.models for table in _tables(graph, name))))
    if not selection.sources:
        yield given
    for lands_in in (
        sorted(select(graph, [f"source:{name}" for name in selection.sources])) if selection.sources else ()
    ):
        yield replace(given, lands_in=lands_in, downstream=tuple(sorted(graph.downstream(lands_in))))


def _tables(graph: Graph, name: str) -> frozenset[TableName]:
    """The tables that a name means; a full name may be that of a model that is gone, and whose records are not."""
    try:
        return select(graph, (name,))
    except RunError:
        try:
            return frozenset((TableName.parse(name),))
        except ValueError:
            pass
        raise
