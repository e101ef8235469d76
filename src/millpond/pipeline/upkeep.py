"""Upkeep: what keeps a lake small and fast, as steps that are planned, done one by one, and left where they fail."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import accumulate, count
from typing import Literal, TypeVar

from millpond.catalog import checksums, cleaning, manifests
from millpond.catalog.catalog import Catalog
from millpond.catalog.cleaning import maintenance
from millpond.catalog.commits import TableEntry
from millpond.catalog.files import local
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.reachability import Keep
from millpond.catalog.retention import Retention, keeping
from millpond.catalog.rewriting import dead, mergeable
from millpond.catalog.soundness import whole
from millpond.catalog.upkeep import consumed
from millpond.core.clock import Clock
from millpond.core.errors import CatalogError, ConflictError, MillpondError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.retry import Backoff, retry
from millpond.pipeline.compaction import MANY_DEAD, batches, compact, merge_manifests, planned, tidy
from millpond.pipeline.events import Event, Listener, unheard
from millpond.pipeline.graph import build_graph, select
from millpond.pipeline.runs import RunLog
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Project
from millpond.project.settings import seconds
from millpond.tables.compaction import Group

T = TypeVar("T")

Work = Literal["compact", "merge", "sum", "expire", "clean"]

MANY_MANIFESTS = 8
"""From so many small manifests on they are merged though no file is rewritten."""

SUMMED_BYTES = 16 * 1024**3
"""How much of a table is read at most, in one go, to take checksums."""

_BACKOFF = Backoff(tries=8, first=0.02, most=1.0)


@frozen
class UpkeepStep:
    """One unit of upkeep; `table` is None for what concerns the whole lake.

    compact: rewrite files. merge: the same files under fewer manifests. sum: take checksums of files that have none.
    expire: forget snapshots that no rule keeps. clean: delete files that nothing names. `files` and `size` (bytes) are
    those that are read, or deleted.
    """

    work: Work
    table: TableName | None
    because: str
    files: int = 0
    size: int = 0


@frozen
class UpkeepPlan:
    """Steps in order. `left` are tables whose files cannot be rewritten, each with the reason."""

    steps: tuple[UpkeepStep, ...]
    left: tuple[tuple[TableName, str], ...] = ()


@frozen
class UpkeepDone:
    """What came of a step: its commits, and a sentence."""

    step: UpkeepStep
    numbers: tuple[int, ...]
    note: str


@frozen
class UpkeepReport:
    """What was done, and what failed."""

    done: tuple[UpkeepDone, ...]
    failures: tuple[tuple[UpkeepStep, MillpondError], ...]
    left: tuple[tuple[TableName, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


class Upkeep:
    """Plans and does upkeep. It takes no lock: it lives beside runs and writers of any kind."""

    def __init__(
        self, project: Project, catalog: Catalog, log: RunLog, clock: Clock, bench: Callable[[str], Workbench]
    ) -> None:
        self._project = project
        self._catalog = catalog
        self._log = log
        self._clock = clock
        self._bench = bench

    def plan(self, selectors: Sequence[str] = ()) -> UpkeepPlan:
        """What upkeep would do now. Raises RunError MP-7001 for a selector that names nothing."""
        steps: list[UpkeepStep] = []
        left: list[tuple[TableName, str]] = []
        entries = self._selected(selectors)
        for entry in entries:
            metadata = whole(self._catalog, entry)
            found, hindrance = planned(metadata, consumed(self._catalog, entry), self._cluster(entry.name))
            if hindrance:
                left.append((entry.name, hindrance))
            steps += self._rewriting(entry.name, metadata, found, hindrance)
            steps += [step for step, _ in self._unsummed(entry, metadata)]
            gone = cleaning.expired(self._catalog, entry.name, self._keep(entry))
            if gone:
                steps.append(UpkeepStep("expire", entry.name, f"snapshots past retention: {len(gone)}"))
        found_files = cleaning.strays(self._catalog, self._keep(), self._age(), self._folders(selectors, entries))
        if found_files:
            size = sum(one.size for one in found_files)
            steps.append(UpkeepStep("clean", None, "files that nothing needs", len(found_files), size))
        return UpkeepPlan(tuple(steps), tuple(left))

    def run(self, selectors: Sequence[str] = (), listen: Listener = unheard) -> UpkeepReport:
        """Do it. A step that fails stops no other; what was published stays."""
        identity = f"{self._clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        entries = self._selected(selectors)
        bench = self._bench(identity)

        def keep(event: Event) -> None:
            listen(event)
            self._log.note(identity, event)

        self._log.start(identity, self._catalog.environment, self._clock.now())
        keep(Event("run_started", self._clock.now(), {"run": identity, "tables": [], "work": "maintain"}))
        try:
            report = self._execute(bench, entries, selectors, keep)
        except BaseException:
            self._log.end(identity, "failed", self._clock.now())
            raise
        status = "ok" if report.ok else "failed"
        keep(Event("run_finished", self._clock.now(), {"run": identity, "status": status}))
        self._log.end(identity, status, self._clock.now())
        return report

    def _execute(
        self, bench: Workbench, entries: Sequence[TableEntry], selectors: Sequence[str], listen: Listener
    ) -> UpkeepReport:
        done: list[UpkeepDone] = []
        failures: list[tuple[UpkeepStep, MillpondError]] = []
        left: list[tuple[TableName, str]] = []
        for step, work in self._steps(bench, entries, selectors, left):
            named = str(step.table or "lake")
            listen(Event("step_started", self._clock.now(), {"table": named, "work": step.work}))
            started = time.monotonic()
            try:
                outcome = work()
            except MillpondError as failed:
                failures.append((step, failed))
                told = {"code": failed.code, "message": failed.finding.message, "next_step": failed.finding.next_step}
                listen(Event("step_failed", self._clock.now(), {"table": named, "work": step.work, **told}))
                continue
            done.append(outcome)
            newest = max(outcome.numbers, default=None)
            fields: dict[str, object] = {
                "commit": newest,
                "commits": list(outcome.numbers),
                "seconds": round(time.monotonic() - started, 3),
            }
            fields |= {"table": named, "work": step.work, "note": outcome.note}
            listen(Event("step_finished", self._clock.now(), fields))
        return UpkeepReport(tuple(done), tuple(failures), tuple(left))

    def _steps(
        self,
        bench: Workbench,
        entries: Sequence[TableEntry],
        selectors: Sequence[str],
        left: list[tuple[TableName, str]],
    ) -> Iterator[tuple[UpkeepStep, Callable[[], UpkeepDone]]]:
        """Each step when the one before it is done: it is planned on what is there then.

        A table that is damaged stops no other; what it leaves unclear stops the deletion of files.
        """
        for known in entries:
            try:
                yield from self._of_table(bench, known.name, left)
            except CatalogError as damage:
                yield UpkeepStep("compact", known.name, "whatever it needs"), partial(_fail, damage)
        try:
            found_files = cleaning.strays(self._catalog, self._keep(), self._age(), self._folders(selectors, entries))
        except CatalogError as unclear:
            yield UpkeepStep("clean", None, "files that nothing needs"), partial(_fail, unclear)
            return
        if found_files:
            size = sum(one.size for one in found_files)
            step = UpkeepStep("clean", None, "files that nothing needs", len(found_files), size)
            yield step, partial(self._clean, bench, step, found_files)

    def _of_table(
        self, bench: Workbench, table: TableName, left: list[tuple[TableName, str]]
    ) -> Iterator[tuple[UpkeepStep, Callable[[], UpkeepDone]]]:
        entry = self._catalog.find(table)
        if entry is None:
            return
        yield from self._rewrites(bench, entry, left)
        entry = self._catalog.find(table)
        if entry is None:
            return
        for step, paths in self._unsummed(entry, whole(self._catalog, entry)):
            yield step, partial(self._sum, step, entry.commit, paths)
        gone = cleaning.expired(self._catalog, table, self._keep(entry))
        if gone:
            step = UpkeepStep("expire", table, f"snapshots past retention: {len(gone)}")
            yield step, partial(self._expire, bench, step, entry)

    def _rewrites(
        self, bench: Workbench, entry: TableEntry, left: list[tuple[TableName, str]]
    ) -> Iterator[tuple[UpkeepStep, Callable[[], UpkeepDone]]]:
        """What rewrites a table's files or manifests.

        Where rows moved into another partitioning, once more: they may be put together with what was there.
        """
        table, cluster = entry.name, self._cluster(entry.name)
        for _again in range(2):
            metadata = whole(self._catalog, entry)
            found, hindrance = planned(metadata, consumed(self._catalog, entry), cluster)
            if hindrance:
                left.append((table, hindrance))
            for step in self._rewriting(table, metadata, found, hindrance):
                if step.work == "compact":
                    yield step, partial(_compact, bench, step, table, (metadata, found, cluster))
                else:
                    yield step, partial(_merge, bench, step, table)
            now = self._catalog.find(table)
            spec = metadata.spec["spec-id"]
            moved = any(file.spec_id != spec for group in found for file in group.files)
            if not moved or now is None or now.uuid != entry.uuid or now.commit == entry.commit:
                return
            entry = now

    def _rewriting(
        self, table: TableName, metadata: TableMetadata, found: Sequence[Group], hindrance: str
    ) -> list[UpkeepStep]:
        if found:
            files = sum(len(group.files) for group in found)
            worn = sum(bool(part.deletes) for group in found for part in group.slices)
            because = "small or unsorted files" + (f", {worn} of them with deleted rows" if worn else "")
            return [UpkeepStep("compact", table, because, files, sum(group.size for group in found))]
        if hindrance:
            return []
        many, gone = mergeable(metadata), dead(metadata)
        if many >= MANY_MANIFESTS:
            return [UpkeepStep("merge", table, f"small manifests: {many}")]
        return [UpkeepStep("merge", table, f"entries of files that went: {gone}")] if gone >= MANY_DEAD else []

    def _unsummed(self, entry: TableEntry, metadata: TableMetadata) -> Iterator[tuple[UpkeepStep, tuple[str, ...]]]:
        """The step that takes the checksums of a table's files, with their paths; none where all have one."""
        listed = manifests.of_snapshot(metadata.current_snapshot)
        sizes = {local(file.path): file.size for manifest in listed for file in manifests.files(manifest)}
        lacking = self._catalog.store.ask(lambda connection: checksums.lacking(connection, tuple(sizes)))
        until = zip(lacking, accumulate(sizes[path] for path in lacking), strict=True)
        paths = tuple(path for path, read in until if read - sizes[path] < SUMMED_BYTES)
        if paths:
            size = sum(sizes[path] for path in paths)
            yield UpkeepStep("sum", entry.name, "files without a checksum", len(paths), size), paths

    def _sum(self, step: UpkeepStep, number: int, paths: Sequence[str]) -> UpkeepDone:
        found = []
        for path in paths:
            with suppress(OSError):  # a rewrite may have taken it away; damage is what doctor looks for
                found.append(checksums.of_file(path))
        with self._catalog.store.write() as connection:
            checksums.record(connection, number, found)
        return UpkeepDone(step, (), f"checksums of {len(found)} files taken")

    def _expire(self, bench: Workbench, step: UpkeepStep, entry: TableEntry) -> UpkeepDone:
        table = entry.name
        commit = maintenance(bench.step_key(f"{table}/expire"), bench.principal, bench.run, table)
        number, gone = _repeated(lambda: cleaning.expire(self._catalog, table, self._keep(entry), commit))
        return UpkeepDone(step, () if number is None else (number,), f"snapshots forgotten: {gone}")

    def _clean(self, bench: Workbench, step: UpkeepStep, found: Sequence[cleaning.Stray]) -> UpkeepDone:
        commit = maintenance(bench.step_key("lake/clean"), bench.principal, bench.run)
        number, gone = cleaning.remove(self._catalog, found, self._keep(), commit)
        note = f"{len(gone)} files deleted, {sum(one.size for one in gone):,} bytes"
        return UpkeepDone(step, () if number is None else (number,), note)

    def _selected(self, selectors: Sequence[str]) -> tuple[TableEntry, ...]:
        entries = self._catalog.tables()
        if not selectors:
            return entries
        given = [part for selector in selectors for part in selector.split()]
        plain = {str(entry.name) for entry in entries}
        others = [word for word in given if word not in plain]
        wanted = {word for word in given if word in plain}
        if others or not given:
            wanted |= {str(name) for name in select(build_graph(self._project), others or selectors)}
        return tuple(entry for entry in entries if str(entry.name) in wanted)

    def _folders(self, selectors: Sequence[str], entries: Iterable[TableEntry]) -> tuple[str, ...] | None:
        """Where to look for files that nothing needs: everywhere, or only in the folders of selected tables."""
        return tuple(local(entry.location) for entry in entries) if selectors else None

    def _cluster(self, table: TableName) -> tuple[str, ...]:
        model = self._project.model(table)
        return () if model is None else model.cluster

    def _keep(self, entry: TableEntry | None = None) -> Keep:
        """What past stays: of one table, or of all."""
        return keeping(self._catalog, retention(self._project), None if entry is None else entry.uuid)

    def _age(self) -> timedelta:
        return timedelta(seconds=seconds(self._project.settings.retention.orphans))


def _fail(damage: CatalogError) -> UpkeepDone:
    raise damage


def _compact(
    bench: Workbench,
    step: UpkeepStep,
    table: TableName,
    found: tuple[TableMetadata, Sequence[Group], Sequence[str]],
) -> UpkeepDone:
    metadata, groups, cluster = found
    numbers, before, after, left = [], 0, 0, 0
    state = metadata.sequence_number  # a table may be rewritten twice in a run
    for place, batch in zip(count(1), batches(groups), strict=False):
        key = bench.step_key(f"{table}/compact-{state}-{place}")
        rewrite = partial(compact, bench, table, batch, metadata, cluster, key)
        # Where the clock was set back the engine must look again; other conflicts are met with where they arise.
        done = _repeated(rewrite)
        numbers += [] if done.number is None else [done.number]
        before, after, left = before + done.before, after + done.after, left + done.left
    tidied = tidy(bench, table, bench.step_key(f"{table}/tidy-{state}")) if numbers else None
    numbers += [] if tidied is None else [tidied]
    note = f"{before} files became {after}" + (f"; {left} were changed meanwhile and are left" if left else "")
    return UpkeepDone(step, tuple(numbers), note)


def _repeated(work: Callable[[], T]) -> T:
    return retry(lambda _attempt: work(), on=ConflictError, backoff=_BACKOFF)


def _merge(bench: Workbench, step: UpkeepStep, table: TableName) -> UpkeepDone:
    number = merge_manifests(bench, table, bench.step_key(f"{table}/merge"))
    note = "merged" if number is not None else "writers were always faster; left for the next time"
    return UpkeepDone(step, () if number is None else (number,), note)


def retention(project: Project) -> Retention:
    """The project's rule of how long past states stay."""
    said = project.settings.retention
    spans = (timedelta(seconds=seconds(text)) for text in (said.all, said.hourly, said.daily))
    return Retention(*spans)
