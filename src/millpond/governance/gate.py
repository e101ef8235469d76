"""The gate: the only way in which a person reads data.

A read goes through five steps. Guard: the statement is one SELECT of known parts over known tables. Decide: the
policy says what the principal may see of each table. Relate: the statement is put on what may be seen. Run: the
engine answers, at one commit. Audit: the read is written down before the first row is handed over, and completed
after the last.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from millpond.catalog.catalog import Catalog
from millpond.catalog.soundness import whole
from millpond.catalog.staging import no_such_table
from millpond.core.clock import Clock
from millpond.core.errors import AccessError, EngineError, Location, MillpondError
from millpond.core.names import TableName
from millpond.core.plugins import load
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.engines.engine import Engine, Session
from millpond.governance.audit import Audit, AuditRecord, Outcome
from millpond.governance.decision import Decision
from millpond.governance.feeds import Feed, commits, placed, relation
from millpond.governance.guard import QUERY, Guarded, guard
from millpond.governance.macros import QueryMacros, authored
from millpond.governance.moments import Moment, check_kept, commit_number
from millpond.governance.policy import Policy
from millpond.governance.views import QueryViews
from millpond.project.sql_file import SqlFile
from millpond.tables.difference import difference

if TYPE_CHECKING:
    import pyarrow as pa

    from millpond.sql.written import Written


@frozen
class Request:
    """A read on its way through the gate; each step fills in its part.

    `commit` is the number that every table is read at, `past` the same where it is not the newest; `known` the tables
    there are at that commit, `views` the views; `written` the statement with macros and views expanded, where it names
    any; `text` the SQL that will run.
    """

    sql: str
    principal: str
    door: str
    parameters: tuple[object, ...]
    commit: int
    known: Collection[TableName] = ()
    views: Collection[TableName] = ()
    written: Written | None = None
    guarded: Guarded | None = None
    decisions: tuple[Decision, ...] = ()
    text: str = ""
    past: int | None = None

    @property
    def plain(self) -> str:
        """The statement without macros and views."""
        return self.written.sql if self.written is not None else self.sql

    @property
    def tables(self) -> tuple[TableName, ...]:
        """The tables that the statement reads."""
        return self.guarded.tables if self.guarded is not None else ()

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The changes of tables that the statement reads."""
        return self.guarded.feeds if self.guarded is not None else ()

    @property
    def policy_hash(self) -> str:
        """The versions of the policies that decided."""
        return " ".join(sorted({decision.policy_hash for decision in self.decisions}))


@frozen
class Answer:
    """What a read gives: its columns, a stream of batches to be read once, the commit it speaks of, its tables."""

    schema: Schema
    reader: pa.RecordBatchReader
    commit: int
    tables: tuple[TableName, ...]


@frozen
class DifferenceAnswer:
    """What came, went and changed in a table between two commits.

    `reader` streams `change` (inserted, deleted or changed) with the row's `before` and `after`, to be read once;
    `counts` says how often each change is in it.
    """

    schema: Schema
    reader: pa.RecordBatchReader
    commits: tuple[int, int]
    counts: Mapping[str, int]


Step = Callable[[Request, Policy], Request]


def check(request: Request, policy: Policy) -> Request:  # noqa: ARG001 - all steps are called alike
    """Guard: refuse all but one SELECT over known tables."""
    return replace(request, guarded=guard(request.plain, request.known, request.views, request.past))


def decide(request: Request, policy: Policy) -> Request:
    """Decide: one decision for each table. Raises AccessError MP-8015 for a table that the principal may not read."""
    decisions = tuple(policy.decide(request.principal, table, request.commit) for table in request.tables)
    for decision in decisions:
        if not decision.allowed:
            raise AccessError(
                "MP-8015",
                f"{request.principal} may not read {decision.table}: {decision.reason}",
                next_step="ask the table's owner for a grant",
                where=request.guarded.places.get(decision.table) if request.guarded else None,
            )
    return replace(request, decisions=decisions)


def relate(request: Request, policy: Policy) -> Request:  # noqa: ARG001 - all steps are called alike
    """Relate: where nothing is hidden, names mean the tables themselves and the text stays the one that was guarded,
    but for its changes(), which become relations of their own.

    Raises AccessError MP-8017 for a decision that hides a part of a table: it could not be kept here.
    """
    for decision in request.decisions:
        if not decision.hides_nothing:
            raise AccessError(
                "MP-8017",
                f"{decision.table} is only partly visible to {request.principal}, and parts cannot be hidden yet",
                next_step="read it as a principal who sees the whole table",
            )
    return replace(request, text=placed(request.plain, request.feeds))


STEPS: tuple[Step, ...] = (check, decide, relate)
"""What happens before the engine is asked; running and auditing surround it."""


class Gate:
    """Answers the questions of people, whatever door they come through."""

    def __init__(
        self,
        catalog: Catalog,
        engine: Engine,
        endpoint: str,
        policy: Policy,
        audit: Audit,
        clock: Clock,
        macros: Sequence[SqlFile] = (),
    ) -> None:
        self._catalog = catalog
        self._engine = engine
        self._endpoint = endpoint
        self._policy = policy
        self._audit = audit
        self._clock = clock
        self._macros = QueryMacros(macros)

    @contextmanager
    def query(
        self,
        sql: str,
        principal: str,
        at: Moment | None = None,
        door: str = "cli",
        parameters: Sequence[object] = (),
    ) -> Iterator[Answer]:
        """Run one SELECT at the newest commit, or at a number, time or tag. The answer lives as long as the `with`.

        Raises AccessError MP-80xx when the statement or the principal is refused or the read cannot be recorded,
        CatalogError MP-3076 for a commit that is no longer kept, EngineError MP-40xx, with the place in the statement,
        when it fails.
        """
        reading = _Reading(self._audit, self._clock.now())
        request = Request(sql, principal, door, tuple(parameters), self._catalog.head())
        try:
            request = self._expanded(self._at(request, at))
            for step in STEPS:
                request = step(request, self._policy)
            if at is not None:
                check_kept(self._catalog, request.tables, request.commit)
            views = self._feeds(request)
        except MillpondError as refusal:
            reading.begin(request, "refused", refusal.code)
            raise authored(refusal, request.written) from refusal.__cause__
        reading.begin(request)
        try:
            with self._session(request.commit) as session, _explained(request.text, request.written):
                for view in views:
                    session.execute(view)
                stream = session.stream(request.text, request.parameters)
                counted = reading.counted(stream.reader, request.text, request.written)
                yield Answer(stream.schema, counted, request.commit, request.tables)
        except MillpondError as failure:
            reading.failed(failure)
            raise
        finally:
            reading.end()

    @contextmanager
    def preview(
        self, table: TableName, limit: int, principal: str, at: Moment | None = None, door: str = "cli"
    ) -> Iterator[Answer]:
        """The first rows of one table."""
        with self.query(f"FROM {table.quoted} LIMIT {int(limit)}", principal, at, door) as answer:
            yield answer

    @contextmanager
    def difference(
        self,
        table: TableName,
        before: Moment,
        after: Moment | None,
        principal: str,
        key: Sequence[str] = (),
        door: str = "cli",
    ) -> Iterator[DifferenceAnswer]:
        """The rows in which a table differs between two moments. The answer lives as long as the `with`.

        Raises AccessError MP-80xx when a read is refused, CatalogError MP-3001 when there is no such table at either
        moment, MP-3076 for one that is no longer kept, MP-3036 and MP-3038 for what cannot be compared.
        """
        reading = _Reading(self._audit, self._clock.now())
        request = Request(f"DIFF {table}", principal, door, (), self._catalog.head())
        try:
            first, second = (self._whole(table, replace(request, sql=""), at) for at in (before, after))
            request = replace(second, sql=f"DIFF {table} AT {first.commit} TO {second.commit}")
            numbers = (first.commit, second.commit)
            entries = [self._catalog.find(table, number) for number in numbers]
            if entries == [None, None]:
                raise no_such_table(table, (name for name in second.known))
        except MillpondError as refusal:
            reading.begin(request, "refused", refusal.code)
            raise
        reading.begin(request)
        try:
            old, new = (None if entry is None else whole(self._catalog, entry) for entry in entries)
            planned = difference(old, new, key)
            with self._session(request.commit) as session:
                for statement in planned.statements:
                    session.execute(statement)
                counts = {str(change): int(count) for change, count in session.rows(planned.counts)}
                reader = reading.counted(session.stream(planned.rows).reader, planned.rows)
                yield DifferenceAnswer(planned.columns, reader, numbers, counts)
        except MillpondError as failure:
            reading.failed(failure)
            raise
        finally:
            reading.end()

    def _whole(self, table: TableName, request: Request, at: Moment | None) -> Request:
        """A request for a whole table at a moment, guarded and decided; for nothing where it was not there."""
        request = self._at(request, at)
        if table not in request.known:
            return request
        request = replace(request, sql=f"FROM {table.quoted}")
        for step in STEPS:
            request = step(request, self._policy)
        check_kept(self._catalog, request.tables, request.commit)
        return request

    def _feeds(self, request: Request) -> tuple[str, ...]:
        """Statements that make the relations of changes; what is asked must be wholly visible at both of its ends."""
        views = []
        for number, feed in enumerate(request.feeds):
            span = commits(self._catalog, feed, request.commit)
            for end in span:
                asked = replace(request, commit=end, guarded=Guarded("", (feed.table,), {feed.table: feed.where}))
                relate(decide(asked, self._policy), self._policy)
            views.append(relation(self._catalog, number, feed, span, request.known))
        return tuple(views)

    def _at(self, request: Request, at: Moment | None) -> Request:
        """The request with its commit, and the tables that there are at it. Raises AccessError MP-8010 and MP-8016."""
        number = request.commit if at is None else commit_number(self._catalog, at)
        known = frozenset(entry.name for entry in self._catalog.tables(number))
        return replace(request, commit=number, known=known, past=None if number == request.commit else number)

    def _expanded(self, request: Request) -> Request:
        """The request without macros and views."""
        views = QueryViews(self._catalog, request.commit)
        written = self._macros.expand(request.sql)
        return replace(request, views=views.names, written=views.expand(request.sql, written))

    @contextmanager
    def _session(self, commit: int) -> Iterator[Session]:
        token = self._catalog.read_token(commit)
        try:
            with self._engine.session(self._endpoint, token) as session:
                yield session
        finally:
            self._catalog.release(token)


@dataclass
class _Reading:
    """The audit's view of one read while it goes on."""

    audit: Audit
    at: datetime
    started: float = field(default_factory=time.monotonic)
    identity: str = ""
    rows: int = 0
    outcome: Outcome = "stopped"
    error: str | None = None

    def begin(self, request: Request, outcome: Outcome = "started", error: str | None = None) -> None:
        """Write the read down before anything is handed over."""
        self.identity = self.audit.record(
            AuditRecord(
                principal=request.principal,
                door=request.door,
                sql=request.sql,
                at=self.at,
                tables=request.tables,
                commit=request.commit,
                policy_hash=request.policy_hash,
                outcome=outcome,
                error=error,
            )
        )

    def counted(self, reader: pa.RecordBatchReader, text: str, written: Written | None = None) -> pa.RecordBatchReader:
        """The same batches, counted as they are handed over."""

        def batches() -> Iterator[Any]:
            with _explained(text, written):
                for batch in reader:
                    self.rows += batch.num_rows
                    yield batch
            self.outcome = "done"

        counted: pa.RecordBatchReader = load("pyarrow").RecordBatchReader.from_batches(reader.schema, batches())
        return counted

    def failed(self, failure: MillpondError) -> None:
        """Remember the error that ended the read."""
        self.outcome, self.error = "failed", failure.code

    def end(self) -> None:
        """Write down how it ended."""
        seconds = time.monotonic() - self.started
        self.audit.complete(self.identity, self.outcome, self.rows, seconds, self.error)


@contextmanager
def _explained(text: str, written: Written | None = None) -> Iterator[None]:
    """Engine errors with their place in the statement, and without the names of the engine's inside."""
    try:
        yield
    except EngineError as failure:
        if failure.finding.where is not None:
            raise
        raise authored(explained(failure, text), written) from failure


_INSIDE = re.compile(r'"?\blake"?\.(?="?(?:bronze|silver|gold|platinum|quarantine)\b)')
_BINDINGS = re.compile(r"\s*Candidate bindings: (.*)", re.DOTALL)
_CANDIDATES = 3


def explained(failure: EngineError, text: str) -> EngineError:
    """The same error for the one who wrote `text`."""
    message = _INSIDE.sub("", failure.finding.message)
    found = _BINDINGS.search(message)
    names = re.findall(r'"([^"]+)"', found.group(1)) if found else []
    lines = [line for line in _BINDINGS.sub("", message).splitlines() if line.strip()]
    kept = [line for index, line in enumerate(lines) if not line.startswith("\t") or index <= 1 + _CANDIDATES]
    clear = EngineError(
        failure.code,
        "\n".join(kept),
        next_step=failure.finding.next_step,
        where=_place(text, failure.position),
        suggestion=failure.finding.suggestion or (names[0] if names else None),
    )
    clear.position = failure.position
    return clear


def _place(text: str, position: int | None) -> Location:
    """Where a byte offset of the engine's stands in the text."""
    if position is None or position < 0:
        return Location(QUERY)
    start = len(text.encode("utf-8")[:position].decode("utf-8", "ignore"))
    line = text.rfind("\n", 0, start) + 1
    word = re.compile(r'\w+|"[^"]*"').match(text, start)
    return Location(QUERY, text.count("\n", 0, start) + 1, start - line + 1, len(word.group()) if word else 1)
