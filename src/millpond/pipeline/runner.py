"""Planning and running a project on its lake."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import TableEntry
from millpond.core.clock import Clock
from millpond.core.errors import CatalogError, RequestError, RunError
from millpond.core.names import TableName, closest
from millpond.ingest.source import News, Readers, SourceReader
from millpond.pipeline.circuit import open_circuits
from millpond.pipeline.events import Event, Listener, unheard
from millpond.pipeline.execution import Report, run_plan
from millpond.pipeline.graph import Graph, build_graph, select
from millpond.pipeline.lock import project_lock
from millpond.pipeline.plan import LandStep, Plan
from millpond.pipeline.planner import LakeState, Wishes, plan
from millpond.pipeline.request import Request
from millpond.pipeline.runs import RunLog
from millpond.pipeline.view import published_views
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Project, Source

EVERYTHING = Request()


class Runner:
    """Plans and runs.

    `readers` finds the reader of a source; `bench` makes the workbench of a run by its identity, once there is
    something to do.
    """

    def __init__(
        self,
        project: Project,
        catalog: Catalog,
        log: RunLog,
        clock: Clock,
        readers: Readers,
        bench: Callable[[str], Workbench],
    ) -> None:
        self._project = project
        self._catalog = catalog
        self._log = log
        self._clock = clock
        self._readers = readers
        self._bench = bench

    @property
    def log(self) -> RunLog:
        """The log of past runs."""
        return self._log

    def _reader(self, source: Source) -> SourceReader:
        return self._readers(source, self._project)

    def graph(self) -> Graph:
        """The project's sources and models in order. Raises ModelError."""
        return build_graph(self._project)

    def plan(self, request: Request = EVERYTHING) -> Plan:
        """What a run of the request would do now."""
        return self._prepare(request)[1]

    def run(self, request: Request = EVERYTHING, listen: Listener = unheard) -> Report:
        """Plan and do it, holding the project's lock. Raises RunError when the plan cannot be made."""
        identity = f"{self._clock.now():%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        since = f"{self._clock.now():%Y-%m-%d %H:%M:%S} UTC"

        def tell(sentence: str) -> None:
            listen(Event("note", self._clock.now(), {"text": f"waiting: {sentence}"}))

        with project_lock(self._project.state, run=identity, since=since, wait=request.wait, tell=tell):
            try:
                graph, planned, news = self._prepare(request)
                if planned.empty:
                    return Report({}, {}, (), planned.notes, planned.waiting)
                return self._execute(identity, graph, planned, news, listen)
            finally:
                for source in self._project.sources:
                    self._reader(source).close()

    def _execute(
        self,
        identity: str,
        graph: Graph,
        planned: Plan,
        news: Mapping[TableName, News],
        listen: Listener,
    ) -> Report:
        def keep(event: Event) -> None:
            listen(event)
            self._log.note(identity, event)

        self._log.start(identity, self._catalog.environment, self._clock.now())
        tables = [str(step.table) for step in planned.steps]
        keep(Event("run_started", self._clock.now(), {"run": identity, "tables": tables}))
        try:
            report = run_plan(self._bench(identity), graph, planned, news, keep)
        except BaseException as ended:
            status = "interrupted" if isinstance(ended, KeyboardInterrupt) else "failed"
            self._log.end(identity, status, self._clock.now())
            raise
        status = "ok" if report.ok else "failed"
        keep(Event("run_finished", self._clock.now(), {"run": identity, "status": status}))
        self._log.end(identity, status, self._clock.now())
        return report

    def _prepare(self, request: Request) -> tuple[Graph, Plan, dict[TableName, News]]:
        graph = self.graph()
        if request.replay:
            return self._replay(graph, request)
        selected, dropped = self._wanted(graph, request)
        wishes = Wishes(selected, self._rebuilt(graph, request.rebuild), self._dropped(dropped))
        wanted = [source for source in graph.sources if source.table in wishes.selected]
        news = {source.table: self._reader(source).look(self._catalog, self._clock) for source in wanted}
        landings = {source.table: _landing(source, news[source.table]) for source in wanted if news[source.table].work}
        planned = plan(graph, self._state(graph, request.retry), landings, wishes)
        notes = tuple(note for found in news.values() for note in found.findings)
        return graph, replace(planned, notes=notes), news

    def _replay(self, graph: Graph, request: Request) -> tuple[Graph, Plan, dict[TableName, News]]:
        landings = {step.table: step for step in request.replay}
        selected = frozenset(landings).union(*(graph.downstream(table) for table in landings))
        return graph, plan(graph, self._state(graph), landings, Wishes(selected)), {}

    def _wanted(self, graph: Graph, request: Request) -> tuple[frozenset[TableName], tuple[str, ...]]:
        """The tables to bring up to date, and the names of those to drop."""
        if not request.failed:
            return select(graph, request.select), request.drop
        if request.select:
            raise RequestError(
                "MP-7004", "--failed and --select exclude each other", next_step="say one of them, not both"
            )
        known = {str(table) for table in graph.tables}
        left = self._log.last_failed()
        here = tuple(name for name in left if name in known)
        built = {str(table) for table in self._catalog.model_states()}
        gone = tuple(name for name in left if name not in known and name in built)
        return (select(graph, here) if here else frozenset()), (*request.drop, *gone)

    def _state(self, graph: Graph, retry: Iterable[str] = ()) -> LakeState:
        head = self._catalog.head()
        cursors = self._catalog.cursors(head)
        tables = {entry.name: entry for entry in self._catalog.tables(head)}
        circuits = open_circuits(self._project.models, self._catalog, head)
        at_once = self._retried(graph, retry, circuits)
        tried = {table for table, found in circuits.items() if table in at_once or found.tried(self._clock.now())}
        held = frozenset(circuits) - tried
        still = frozenset(
            (consumer, name)
            for (consumer, name), number in cursors.items()
            if name in tables and number < tables[name].commit and self._stood_still(tables[name], number)
        )
        states, views = self._catalog.model_states(head), published_views(self._catalog, graph.models, head)
        return LakeState(head, tables, states, cursors, held, frozenset(tried), still, views)

    def _retried(self, graph: Graph, names: Iterable[str], circuits: Mapping[TableName, object]) -> set[TableName]:
        found: set[TableName] = set()
        for name in names:
            chosen = select(graph, (name,)).intersection(circuits)
            if not chosen:
                raise RunError(
                    "MP-7121",
                    f"the circuit of {name} is not open",
                    next_step="--retry is for models whose circuit is open; `millpond ls` shows them",
                )
            found |= chosen
        return found

    def _stood_still(self, entry: TableEntry, number: int) -> bool:
        """Whether a table has the rows and columns that it had at a commit."""
        then = self._catalog.find(entry.name, number)
        if then is None or then.uuid != entry.uuid:
            return False
        try:
            before, now = self._catalog.metadata(then), self._catalog.metadata(entry)
        except CatalogError:  # what is no longer kept is told by the step that needs it
            return False
        same = [(c.name, c.type) for c in before.schema()] == [(c.name, c.type) for c in now.schema()]
        return same and before.document.get("current-snapshot-id") == now.document.get("current-snapshot-id")

    def _rebuilt(self, graph: Graph, names: Iterable[str]) -> frozenset[TableName]:
        known = {model.table for model in graph.models}
        found: set[TableName] = set()
        for name in names:
            chosen = select(graph, (name,)) & known
            if not chosen:
                raise RequestError(
                    "MP-7002", f"{name} is not a model, so it cannot be rebuilt", next_step="name a model to --rebuild"
                )
            found |= chosen
        return frozenset(found)

    def _dropped(self, names: Iterable[str]) -> frozenset[TableName]:
        built = {str(table): table for table in self._catalog.model_states()}
        models = {model.table for model in self._project.models}
        for name in names:
            if name not in built or built[name] in models:
                raise RequestError(
                    "MP-7003",
                    f"{name} is not the table of a removed model, so it cannot be dropped",
                    next_step="--drop is for tables whose model's file is gone; `millpond plan` names them",
                    suggestion=closest(name, [known for known, table in built.items() if table not in models]),
                )
        return frozenset(built[name] for name in names)


def _landing(source: Source, news: News) -> LandStep:
    tally = news.tally
    return LandStep(
        table=source.table,
        source=source.name,
        new=tally.new,
        changed=tally.changed,
        rejected=tally.rejected,
        known=tally.known,
        because=news.because,
    )
