"""Upkeep beside a gateway: tables that other programs write are kept small while they write.

Files are rewritten in a thread of its own. What is ready is published right after a writer's commit, before the writer
hears of it, or when nobody seems to be writing: when nobody loaded the table since the last commit, or its writers
mostly take less time than has passed. So a program that writes alone does not meet a rewrite half way.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from functools import partial

from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.rewriting import mergeable
from millpond.catalog.soundness import whole
from millpond.catalog.upkeep import consumed
from millpond.core.errors import ConflictError, MillpondError
from millpond.core.names import TableName
from millpond.core.retry import Backoff, retry
from millpond.pipeline.compaction import batches, gathered, merge_manifests, planned, rewritten, tidy
from millpond.pipeline.upkeep import MANY_MANIFESTS, Upkeep
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Project
from millpond.tables.compaction import Choice, Live, by_level, by_share, many_deletes

LOG = logging.getLogger("millpond.upkeep")

_COMMITS = 16
_QUIET_S = 2.0
_HANDED_S = 0.5
_LONGEST_S = 60.0
_PATIENCE = 3
"""How long a rewrite waits for one who loaded the table and may be about to write it: as many times as long as writers
of the table took, and no longer than _LONGEST_S. Readers load it too, and commit nothing."""

_FORGET = 0.75
_ROUND_S = 3600.0

Place = tuple[str, TableName]
"""An environment, and a table in it."""


@dataclass
class _Written:
    """What is known of a table that somebody wrote: commits since it was last looked at, and when the last one was.

    `loaded` is when somebody first loaded it after that, if anybody did; `takes` is how long it took writers, lately,
    from there to their commit.
    """

    commits: int = 0
    last: float = 0.0
    settled: bool = False
    loaded: float | None = None
    takes: float = 0.0

    def committed(self, now: float) -> None:
        """Take note of a commit."""
        took = 0.0 if self.loaded is None else now - self.loaded
        self.takes = max(took, self.takes * _FORGET)
        self.commits, self.last, self.settled, self.loaded = self.commits + 1, now, False, None

    @property
    def patience(self) -> float:
        """Seconds for which a rewrite that is ready waits for a commit."""
        return _HANDED_S if self.loaded is None else max(_HANDED_S, min(self.takes * _PATIENCE, _LONGEST_S))


class _Offer:
    """A rewrite that is ready to be published, by whoever comes first; `since` is when it was ready."""

    def __init__(self, publish: Callable[[], object], since: float) -> None:
        self._publish = publish
        self.since = since
        self._lock = threading.Lock()
        self.done = False

    def take(self, tries: int, last: bool = False) -> None:
        """Publish it, once; what other commits overtake each time is left for another day, or for good by the last."""
        with self._lock:
            if self.done:
                return
            try:
                retry(lambda _attempt: self._publish(), on=ConflictError, backoff=Backoff(tries=tries))
                self.done = True
            except ConflictError:
                LOG.debug("writers were faster than a rewrite")
            except MillpondError as failed:
                LOG.warning("%s", failed)
                self.done = True
            self.done = self.done or last


class Tender:
    """Looks after the tables that a gateway's clients write. `clock` counts seconds.

    Safe to use from several threads. Its own thread starts with the first commit, and with `start`.
    """

    def __init__(
        self,
        project: Project,
        catalog: Catalog,
        upkeep: Upkeep,
        bench: Callable[[str], Workbench],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._project = project
        self._catalog = catalog
        self._upkeep = upkeep
        self._bench = bench
        self._clock = clock
        self._places: dict[Place, _Written] = {}
        self._open: dict[Place, tuple[Generator[_Offer], _Offer]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._next_round = clock() + _ROUND_S

    def start(self) -> None:
        """Begin to look after the lake; go on where a failure ended the thread."""
        with self._changed:
            if not self._closed and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="millpond-upkeep", daemon=True)
                self._thread.start()

    def loaded(self, environment: str, table: TableName) -> None:
        """Take note that a client loads a table: it may be about to write it."""
        with self._changed:
            known = self._places.get((environment, table))
            if known is not None and known.loaded is None:
                known.loaded = self._clock()

    def committed(self, environment: str, tables: Iterable[TableName]) -> None:
        """Take note of a client's commit, and publish what is ready for its tables; what cannot be is logged."""
        offers = []
        with self._changed:
            for table in tables:
                place = (environment, table)
                self._places.setdefault(place, _Written()).committed(self._clock())
                offers += [self._open[place][1]] if place in self._open else []
            self._changed.notify()
        self.start()
        for offer in offers:
            offer.take(tries=1)
        if offers:
            with self._changed:
                self._changed.notify()

    def close(self) -> None:
        """End; what is being written is given up."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while (work := self._next()) is not None:
                try:
                    work()
                except MillpondError as failed:
                    LOG.warning("%s", failed)
        finally:
            for offering, _ in self._open.values():
                offering.close()

    def _next(self) -> Callable[[], None] | None:
        """The next work, when there is some; None at the end."""
        with self._changed:
            work = self._due()
            while work is None and not self._closed:
                self._changed.wait(self._pause())
                work = self._due()
            return None if self._closed else work

    def _due(self) -> Callable[[], None] | None:
        """The most pressing work, None when there is none yet. The lock is held."""
        now = self._clock()
        for place, (_, offer) in self._open.items():
            if offer.done or now >= self._until(place, offer):
                return partial(self._go_on, place)
        waiting = {place: written for place, written in self._places.items() if place not in self._open}
        for place, written in waiting.items():
            if written.commits >= _COMMITS:
                written.commits = 0
                return partial(self._offer_next, place, self._tended(place, by_level))
        for place, written in waiting.items():
            if not written.settled and now - written.last >= _QUIET_S:
                written.commits, written.settled = 0, True
                return partial(self._offer_next, place, self._tended(place, by_share))
        if now >= self._next_round:
            self._next_round = now + _ROUND_S
            self._places = {place: written for place, written in self._places.items() if not written.settled}
            return self._round
        return None

    def _until(self, place: Place, offer: _Offer) -> float:
        """When an offer is published though nobody committed. The lock is held."""
        written = self._places.get(place)
        return offer.since + (_HANDED_S if written is None else written.patience)

    def _pause(self) -> float:
        """Seconds until something may be due. The lock is held."""
        moments = [self._until(place, offer) for place, (_, offer) in self._open.items()]
        quiet = (place for place in self._places if place not in self._open and not self._places[place].settled)
        moments += [self._places[place].last + _QUIET_S for place in quiet]
        return max(0.01, min([*moments, self._next_round]) - self._clock())

    def _round(self) -> None:
        """What `maintain` does, for all tables: the past that no rule keeps is forgotten, and its files go."""
        for _, failed in self._upkeep.run().failures:
            LOG.warning("%s", failed)

    def _go_on(self, place: Place) -> None:
        """Publish what is offered for a table, where no commit has done it, and do what comes next there."""
        offering, offer = self._open[place]
        offer.take(tries=8, last=True)
        with self._changed:
            del self._open[place]
        self._offer_next(place, offering)

    def _offer_next(self, place: Place, offering: Generator[_Offer]) -> None:
        """Make the next rewrite of a table ready. The next commit on the table publishes it, or `_go_on` does."""
        offer = next(offering, None)
        if offer is not None:
            with self._changed:
                self._open[place] = offering, offer

    def _tended(self, place: Place, choose: Choice) -> Generator[_Offer]:
        """The rewrites that a table needs, each made when the one before it is done with."""
        environment, table = place
        catalog = in_environment(self._catalog, environment)
        entry = catalog.find(table)
        if entry is None:
            return
        bench = replace(self._bench(f"upkeep-{secrets.token_hex(4)}"), catalog=catalog)
        metadata = whole(catalog, entry)
        model = self._project.model(table)
        cluster = model.cluster if model else ()
        found, hindrance = planned(metadata, consumed(catalog, entry), cluster, choose)
        for number, batch in enumerate(batches(found)):
            with rewritten(bench, table, batch, metadata, cluster, bench.step_key(f"{table}/{number}")) as publish:
                yield _Offer(publish, self._clock())
        worn = () if hindrance else many_deletes(Live.of(metadata), found)
        if worn:
            with gathered(bench, table, metadata, worn, bench.step_key(f"{table}/deletes")) as publish_deletes:
                yield _Offer(publish_deletes, self._clock())
        if choose is by_share and not hindrance:
            tidy(bench, table, bench.step_key(f"{table}/tidy"))
        if not found and not hindrance and mergeable(metadata) >= 4 * MANY_MANIFESTS:
            merge_manifests(bench, table, bench.step_key(f"{table}/merge"))
