"""The endpoints that commit: on one table, and on several together."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from starlette.responses import Response

from millpond.catalog import reachability, records
from millpond.catalog.gateway import requests, tables
from millpond.catalog.gateway.access import Seat
from millpond.catalog.gateway.answers import done
from millpond.catalog.gateway.requests import Call, malformed
from millpond.catalog.namespaces import no_such_namespace
from millpond.catalog.retention import Retention, keeping
from millpond.catalog.staging import TableChange
from millpond.core.names import TableName


class Watcher(Protocol):
    """Who is told what clients do with tables of an environment."""

    def loaded(self, environment: str, table: TableName) -> None:
        """Take note that a client loads a table, to read it or to write it."""
        ...

    def committed(self, environment: str, tables: tuple[TableName, ...]) -> None:
        """Take note of a client's commit once it is in, before the client hears of it."""
        ...


Positions = tuple[tuple[TableName, str | None], ...]


class Answered:
    """The commits answered last, by what was asked, with where their tables pointed afterwards.

    When the same request comes again and its tables have not moved since, the first answer was lost on the way.
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, Positions] = OrderedDict()
        self._lock = threading.Condition()
        self._asked: set[bytes] = set()

    @contextmanager
    def turn(self, asked: bytes) -> Iterator[None]:
        """Let one of several equal requests be answered at a time, so that the others find that it was."""
        with self._lock:
            self._lock.wait_for(lambda: asked not in self._asked)
            self._asked.add(asked)
        try:
            yield
        finally:
            with self._lock:
                self._asked.discard(asked)
                self._lock.notify_all()

    def after(self, asked: bytes) -> Positions | None:
        """Where the tables of a request pointed after it was answered; None for a request that is new."""
        with self._lock:
            return self._kept.get(asked)

    def keep(self, asked: bytes, positions: Positions) -> None:
        """Remember an answer."""
        with self._lock:
            self._kept[asked] = positions
            self._kept.move_to_end(asked)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class Commits:
    """The two endpoints, with their memory of answers. Past states that `rule` keeps no client may take away."""

    def __init__(self, watcher: Watcher | None, rule: Retention) -> None:
        self._answered = Answered()
        self._watcher = watcher
        self._rule = rule

    def one(self, seat: Seat, call: Call) -> Response:
        """POST one table: requirements and updates; the answer is the new metadata."""
        name = call.table()
        self._commit(seat, call, (requests.change(call.body(), name),))
        return tables.present(seat, name)

    def several(self, seat: Seat, call: Call) -> Response:
        """POST transactions/commit: all of the changes or none. A table may be named more than once."""
        wanted = requests.rows(call.body(), "table-changes")
        if not wanted:
            raise malformed("table-changes must be a list with at least one change")
        changes = tuple(
            requests.change(change, requests.identifier(change, "identifier"), f"table-changes[{place}].")
            for place, change in enumerate(wanted)
        )
        self._commit(seat, call, changes)
        return done()

    def _commit(self, seat: Seat, call: Call, changes: Sequence[TableChange]) -> None:
        seat.check_writes()
        names = tuple(dict.fromkeys(change.name for change in changes))
        asked = hashlib.sha256("\0".join((seat.identity, call.target, "")).encode() + call.raw).digest()
        with self._answered.turn(asked):
            after = self._answered.after(asked)
            if (after is not None and after == _positions(seat, names)) or _made_before(seat, changes):
                seat.repeated(names)
                return
            self._change(seat, changes, names)
            self._answered.keep(asked, _positions(seat, names))
        if seat.commits and self._watcher is not None:
            self._watcher.committed(seat.catalog.environment, names)

    def _change(self, seat: Seat, changes: Sequence[TableChange], names: Sequence[TableName]) -> None:
        created = {change.name for change in changes if _creates(change)}
        for name in names:
            if seat.stage.find(name) is None:
                if name in created:
                    tables.check_no_view(seat.stage, name)
                requests.new_name(name.name, "table")
                if not seat.may_hold(name.layer):
                    raise no_such_namespace(name.layer)
        removing = [change for change in changes if _removes(change)]
        for change in removing:
            entry = seat.catalog.find(change.name)
            keep = keeping(seat.catalog, self._rule, None if entry is None else entry.uuid)
            reachability.check_removal(seat.catalog, change.name, change.updates, keep)
        if not seat.change(lambda stage: stage.commit(changes)):
            seat.repeated(names)


def _creates(change: TableChange) -> bool:
    return any(requirement.get("type") == "assert-create" for requirement in change.requirements)


def _removes(change: TableChange) -> bool:
    return any(update.get("action") == "remove-snapshots" for update in change.updates)


def _made_before(seat: Seat, changes: Sequence[TableChange]) -> bool:
    """Whether a table that is to be created was there and was dropped since: the request was long on its way."""
    made = {
        str(update.get("uuid"))
        for change in changes
        if _creates(change) and seat.stage.find(change.name) is None
        for update in change.updates
        if update.get("action") == "assign-uuid"
    }
    return bool(made) and seat.catalog.store.ask(lambda connection: records.was_there(connection, made))


def _positions(seat: Seat, names: Iterable[TableName]) -> Positions:
    look = seat.catalog.find if seat.direct else seat.stage.find
    found = ((name, look(name)) for name in names)
    return tuple((name, entry.metadata_location if entry else None) for name, entry in found)
