"""What people do with quarantined records: find them, and decide about them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from millpond.catalog.commits import Commit, LifeStatus
from millpond.core.errors import QualityError, RunError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.pipeline.events import Listener, unheard
from millpond.pipeline.graph import Graph, build_graph, select
from millpond.pipeline.mending import Mended, Mender, parts, raw_lines, revisions
from millpond.pipeline.plan import ReplayStep
from millpond.pipeline.request import Request
from millpond.pipeline.tracing import record_columns
from millpond.quality.entries import WAITING, Entry, read_entries
from millpond.sql.quarantine import RECORDS, Filters

if TYPE_CHECKING:
    from pathlib import Path

    from millpond.governance.gate import Gate
    from millpond.governance.moments import Moment
    from millpond.pipeline.execution import Report
    from millpond.pipeline.runner import Runner
    from millpond.pipeline.workbench import Workbench
    from millpond.project.model import Project
    from millpond.quality.edits import Assignments, Line, Record


@frozen
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


MENDABLE: tuple[LifeStatus, ...] = ("open", "fixed", "discarded")


class Quarantine:
    """The quarantine of a project's lake, for one principal. `bench` makes the workbench of a step by its identity."""

    def __init__(
        self,
        project: Project,
        gate: Gate,
        runner: Runner,
        bench: Callable[[str], Workbench],
    ) -> None:
        self._project = project
        self._gate = gate
        self._runner = runner
        self._make_bench = bench

    def entries(self, selection: Selection, at: Moment | None = None) -> tuple[Entry, ...]:
        """The records that are meant, the newest first, as of a moment.

        Raises QualityError MP-6010 for an id that is none, RunError MP-7001 for a name that is none.
        """
        found: dict[str, Entry] = {}
        bench = self._bench("read")
        for filters in _filters(self._project, selection):
            for entry in read_entries(self._project, bench.catalog, self._gate, bench.principal, filters, at):
                found.setdefault(entry.id, entry)
        return tuple(entry for entry in found.values() if _meant(selection, entry))

    def records(self, entries: Sequence[Entry]) -> list[Record]:
        """The records as they may be edited and given to `edit`: an object for each bronze row that they stand for.

        Raises QualityError MP-6121 for one that cannot be traced to bronze.
        """
        bench = self._bench("show")
        for entry in entries:
            _check_fields(entry)
        stage = bench.catalog.begin(bench.step_key(RECORDS))
        try:
            with bench.engine.session(bench.endpoint, stage.token) as session:
                found = parts(session, stage, self._runner.graph(), entries)
            tables = {part.place.table for part in found}
            return raw_lines(found, {table: [c.name for c in record_columns(stage, table)] for table in tables})
        finally:
            stage.discard()

    def assign(self, entries: Sequence[Entry], said: Assignments) -> Mended:
        """Set columns of records; what they were is kept beside. Raises as `Mender.assign` does, and MP-6124."""
        for entry in entries:
            _check_fields(entry)
            check_status(entry, MENDABLE, "fixed")
        return self._mender().assign(entries, said)

    def edit(self, lines: Sequence[Line]) -> Mended:
        """Take over records that were edited. Raises as `Mender.edit` does, and MP-6010 and MP-6124."""
        ids = tuple(dict.fromkeys(line.id for line in lines))
        entries = self.entries(Selection(ids))
        whole = {identity: next(entry.id for entry in entries if entry.id.startswith(identity)) for identity in ids}
        for entry in entries:
            _check_fields(entry)
            check_status(entry, MENDABLE, "fixed")
        return self._mender().edit(entries, [replace(line, id=whole[line.id]) for line in lines])

    def replace_file(self, entry: Entry, content: Path) -> Mended:
        """Give a quarantined file other bytes.

        Raises QualityError MP-6124 where it is no file, or its life has ended.
        """
        if entry.kind != "file":
            raise QualityError(
                "MP-6124",
                f"the record {entry.id[:8]} is no file, so that no other file can take its place",
                next_step="fix its columns: --set NAME=VALUE, or --from with edited records",
            )
        check_status(entry, MENDABLE, "fixed")
        return self._mender().replace_file(entry, content)

    def replay(self, entries: Sequence[Entry], listen: Listener = unheard) -> Report:
        """Land mended records in bronze and bring up to date what stands on it.

        Files are landed as they are where they were not mended: what reads them may have changed. Raises QualityError
        MP-6124 for what is not mended, and as a run does.
        """
        for entry in entries:
            check_status(entry, WAITING if entry.kind == "file" else ("fixed",), "replayed")
        return self._runner.run(Request(replay=self._steps(entries)), listen)

    def discard(self, entries: Sequence[Entry], because: str | None = None) -> int:
        """Give records up; the number of the commit that says so.

        Raises QualityError MP-6124 for one whose life has ended, ConflictError MP-3120 where another decided meanwhile.
        """
        for entry in entries:
            check_status(entry, WAITING, "discarded")
        bench = self._bench("discard")
        key = bench.step_key(RECORDS)
        lives = tuple(
            entry.life.becomes("discarded", RECORDS, revision=entry.life.revision, reason=because) for entry in entries
        )
        stage = bench.catalog.begin(key)
        try:
            return stage.publish(Commit(key, "discard", bench.principal, table=RECORDS, lives=lives)).number
        finally:
            stage.discard()

    def _bench(self, work: str) -> Workbench:
        return self._make_bench(f"{work}-{secrets.token_hex(6)}")

    def _mender(self) -> Mender:
        return Mender(self._bench("fix"), self._runner.graph(), self._gate)

    def _steps(self, entries: Sequence[Entry]) -> tuple[ReplayStep, ...]:
        """A step for each bronze table that records are to land in. Raises RunError MP-7005 where no source has it."""
        bench = self._bench("replay")
        tables: dict[TableName, tuple[list[str], list[str]]] = {}
        mended = [entry for entry in entries if entry.kind != "file"]
        if mended:
            stage = bench.catalog.begin(bench.step_key(RECORDS))
            try:
                with bench.engine.session(bench.endpoint, stage.token) as session:
                    for (identity, _part), row in revisions(session, stage, mended).items():
                        ids = tables.setdefault(TableName.parse(row["lands_in"]), ([], []))[0]
                        if identity not in ids[-1:]:
                            ids.append(identity)
            finally:
                stage.discard()
        for entry in entries:
            if entry.kind == "file":
                tables.setdefault(entry.raw_of, ([], []))[1].append(entry.id)
        return tuple(self._step(table, *told) for table, told in sorted(tables.items()))

    def _step(self, table: TableName, records: list[str], files: list[str]) -> ReplayStep:
        source = self._project.source(table)
        if source is None:
            raise RunError(
                "MP-7120",
                f"no source of the project lands in {table}, so that nothing can be replayed there",
                next_step="put the source's file back, or discard the records",
            )
        counts = ((len(records), "mended record"), (len(files), "file"))
        told = " and ".join(f"{count:,} {word}{'s' * (count > 1)}" for count, word in counts if count)
        return ReplayStep(table, source.name, tuple(records), tuple(files), f"{told} from quarantine")


def _check_fields(entry: Entry) -> None:
    if entry.kind == "file":
        raise QualityError(
            "MP-6124",
            f"the record {entry.id[:8]} is a whole file, which has no columns",
            next_step=f"millpond quarantine fix {entry.id[:8]} --from FILE gives it other bytes",
        )


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
