"""Whether a history can have come from transactions that were done one after the other, and if not, why not.

In the manner of Elle (Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations"), for
lists of appended numbers. The order of each list's versions is known from the commits of its table. Between
transactions there are edges: `ww` one appended after the other, `wr` one read what the other appended, `rw` one did not
yet read what the other appended, `rt` one had its answer before the other began. A cycle is an anomaly; its name is
Adya's, by the edges that it needs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from tests.bad_days.history import Append, Read, Transaction, Version

Versions = Mapping[str, Sequence[Version]]
"""For each list, what its commits appended, oldest first."""


@dataclass(frozen=True)
class Anomaly:
    """What cannot have come from an order one after the other: its kind, and a sentence."""

    kind: str
    told: str


@dataclass(frozen=True)
class Edge:
    """One transaction must come before another: why, and by which list (None: by the clock)."""

    kind: str
    before: str
    after: str
    key: str | None = None


def anomalies(history: Sequence[Transaction], versions: Versions) -> list[Anomaly]:
    """Everything that is wrong with a history, given what the commits of each list brought. Empty: serialisable,
    in the order of real time, with each acknowledged append there once and no refused one.
    """
    told = _Told(history, versions)
    found = [*told.of_appends(), *told.of_reads()]
    return [*found, *_cycles([*told.edges(), *_by_the_clock(told.there)])]


class _Told:
    """A history beside the versions."""

    def __init__(self, history: Sequence[Transaction], versions: Versions) -> None:
        self._versions = versions
        self._by: dict[Append, Transaction] = {}
        for transaction in history:
            for append in transaction.appends:
                if append in self._by:
                    raise ValueError(f"{append} stands twice in the history: numbers must be unique")
                self._by[append] = transaction
        self._history = history
        self._commits: dict[Append, list[int]] = {}
        for key, listed in versions.items():
            for version in listed:
                for value in version.values:
                    self._commits.setdefault(Append(key, value), []).append(version.number)
        self.there = tuple(one for one in history if one.outcome == "ok" or self._in(one))

    def _in(self, transaction: Transaction) -> bool:
        """Whether an unknown transaction came in, as its appends show."""
        return transaction.outcome == "unknown" and any(append in self._commits for append in transaction.appends)

    def of_appends(self) -> Iterator[Anomaly]:
        """Appends that are lost, doubled, refused and nevertheless there, torn apart, or nobody's."""
        for append, numbers in self._commits.items():
            by = self._by.get(append)
            if len(numbers) > 1:
                yield Anomaly("duplicated append", f"{append} came in by the commits {numbers}")
            if by is None:
                yield Anomaly("unknown append", f"{append} of commit {numbers[0]} was asked by nobody")
            elif by.outcome == "fail":
                yield Anomaly("refused append", f"{append} of {by.name} was refused and is in commit {numbers[0]}")
        for transaction in self._history:
            numbers = {number for append in transaction.appends for number in self._commits.get(append, ())}
            missing = [append for append in transaction.appends if append not in self._commits]
            if transaction.outcome == "ok" and missing:
                yield Anomaly("lost append", f"{missing} of {transaction.name} was acknowledged and is nowhere")
            if len(numbers) > 1 or (numbers and missing):
                yield Anomaly("torn transaction", f"{transaction.name} is in {sorted(numbers)}, and not: {missing}")

    def of_reads(self) -> Iterator[Anomaly]:
        """Reads that no moment explains."""
        for transaction in self._history:
            if transaction.outcome == "ok":
                for read, own, later in _reads(transaction):
                    yield from self._of_read(transaction, read, own, later)

    def _of_read(self, reader: Transaction, read: Read, own: set[int], later: set[int]) -> Iterator[Anomaly]:
        name = f"{reader.name}, reading {read.key},"
        seen = set(read.values)
        if doubled := [value for value, count in Counter(read.values).items() if count > 1]:
            yield Anomaly("duplicated append", f"{name} saw {doubled} more than once")
        if own - seen or later & seen:
            yield Anomaly("internal", f"{name} did not see its own {own - seen}, or saw {later & seen} too early")
        others = seen - own - later
        for value in sorted(others):
            by = self._by.get(Append(read.key, value))
            if by is not None and by.outcome == "fail":
                yield Anomaly("aborted read", f"{name} saw {value}, which {by.name} was refused")
            elif Append(read.key, value) not in self._commits:
                yield Anomaly("dirty read", f"{name} saw {value}, which no commit brought")
        place = self._place(read.key, others)
        if place is None:
            yield self._unplaced(name, read.key, others)

    def _unplaced(self, name: str, key: str, values: set[int]) -> Anomaly:
        """A read that is no state of the list: of half a commit, or with a gap."""
        for version in self._versions.get(key, ()):
            part = values & set(version.values)
            if part and part != set(version.values):
                return Anomaly("intermediate read", f"{name} saw {part} of commit {version.number} and not the rest")
        newest = max((place for place, one in enumerate(self._order(key)) if one in values), default=-1)
        gap = [one for one in self._order(key)[:newest] if one not in values]
        return Anomaly("gap", f"{name} did not see {gap}, though it saw what was appended later")

    def _order(self, key: str) -> list[int]:
        return [value for version in self._versions.get(key, ()) for value in version.values]

    def _place(self, key: str, values: Collection[int]) -> int | None:
        """After how many commits a list held these numbers; None for never."""
        listed = self._versions.get(key, ())
        sizes = [0, *accumulate(len(version.values) for version in listed)]
        place = bisect_left(sizes, len(values))
        if place < len(sizes) and sizes[place] == len(values) and set(self._order(key)[: len(values)]) == set(values):
            return place
        return None

    def edges(self) -> Iterator[Edge]:
        """Which transaction came before which, by the lists."""
        writers = {key: [self._writers(key, version) for version in listed] for key, listed in self._versions.items()}
        for key, groups in writers.items():
            for before, after in pairwise(groups):
                yield from (Edge("ww", one, other, key) for one in before for other in after)
        for reader in self.there:
            if reader.outcome != "ok":
                continue  # what it noted before it fell silent it may have read in a try that came to nothing
            for read, own, later in _reads(reader):
                place = self._place(read.key, set(read.values) - own - later)
                groups = writers.get(read.key, [])
                if place:
                    yield from (Edge("wr", one, reader.name, read.key) for one in groups[place - 1])
                if place is not None and place < len(groups):
                    yield from (Edge("rw", reader.name, one, read.key) for one in groups[place])

    def _writers(self, key: str, version: Version) -> tuple[str, ...]:
        found = (self._by.get(Append(key, value)) for value in version.values)
        return tuple(dict.fromkeys(one.name for one in found if one is not None and one.outcome != "fail"))


def _reads(transaction: Transaction) -> Iterator[tuple[Read, set[int], set[int]]]:
    """Each read with the transaction's own appends to that list: those before it, and those after it."""
    for place, step in enumerate(transaction.steps):
        if isinstance(step, Read):
            before, after = transaction.steps[:place], transaction.steps[place:]
            yield step, _appended(before, step.key), _appended(after, step.key)


def _appended(steps: Iterable[object], key: str) -> set[int]:
    return {step.value for step in steps if isinstance(step, Append) and step.key == key}


def _by_the_clock(there: Sequence[Transaction]) -> Iterator[Edge]:
    """Who had an answer came before who began later: by way of one node for each answer, in their order."""
    answered = sorted((one for one in there if one.outcome == "ok"), key=lambda one: one.ended)
    nodes = [f"@{place}" for place in range(len(answered))]
    for node, one in zip(nodes, answered, strict=True):
        yield Edge("rt", one.name, node)
    for before, after in pairwise(nodes):
        yield Edge("rt", before, after)
    ends = [one.ended for one in answered]
    for one in there:
        place = bisect_left(ends, one.began)
        if place:
            yield Edge("rt", nodes[place - 1], one.name)


_DATA = (("G0", {"ww"}), ("G1c", {"ww", "wr"}), ("G-single", {"ww", "wr"}), ("G2", {"ww", "wr", "rw"}))


def _cycles(edges: Sequence[Edge]) -> list[Anomaly]:
    """The simplest kind of cycle that there is, a few of them, the shortest first."""
    tied = {one: number for number, knot in enumerate(_knots(_graph(edges))) for one in knot}
    edges = [edge for edge in edges if edge.before in tied and tied[edge.before] == tied.get(edge.after)]
    for more in (set[str](), {"rt"}):
        for name, kinds in _DATA:
            graph = _graph(edge for edge in edges if edge.kind in kinds | more)
            if name == "G-single":
                single = [edge for edge in edges if edge.kind == "rw" and edge.before != edge.after]
                paths = ((edge, _path(graph, edge.after, edge.before)) for edge in single)
                found = [[edge, *path] for edge, path in paths if path is not None]
            else:
                found = [_cycle(graph, knot) for knot in _knots(graph)]
            if found:
                return [_named(name, cycle) for cycle in sorted(found, key=len)[:5]]
    return []


def _named(name: str, cycle: Sequence[Edge]) -> Anomaly:
    kinds = Counter(edge.kind for edge in cycle)
    if kinds["rt"]:
        name = f"real time {name}"
    elif name == "G-single" and not kinds["wr"] and len({edge.key for edge in cycle}) == 1:
        name = "lost update"
    shown = [f"{edge.before} -{edge.kind}{f' {edge.key}' if edge.key else ''}->" for edge in cycle]
    return Anomaly(name, " ".join([*shown, cycle[-1].after]))


Graph = dict[str, dict[str, Edge]]


def _graph(edges: Iterable[Edge]) -> Graph:
    graph: Graph = {}
    for edge in edges:
        if edge.before != edge.after:
            graph.setdefault(edge.before, {}).setdefault(edge.after, edge)
            graph.setdefault(edge.after, {})
    return graph


def _path(graph: Graph, start: str, goal: str) -> list[Edge] | None:
    """The shortest way from one transaction to another; None where there is none."""
    if start not in graph or goal not in graph:
        return None
    came: dict[str, Edge] = {}
    waiting = deque([start])
    while waiting:
        here = waiting.popleft()
        for there, edge in graph[here].items():
            if there == goal:
                way = [edge]
                while way[0].before != start:
                    way.insert(0, came[way[0].before])
                return way
            if there not in came and there != start:
                came[there] = edge
                waiting.append(there)
    return None


def _cycle(graph: Graph, knot: set[str]) -> list[Edge]:
    """A shortest cycle through the first transaction of a knot."""
    inside = {one: {there: edge for there, edge in graph[one].items() if there in knot} for one in knot}
    first = min(one for one in knot)
    return _path(inside, first, first) or []


def _knots(graph: Graph) -> Iterator[set[str]]:
    """The strongly connected components of more than one node (Tarjan, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in graph:
        if root in index:
            continue
        work = [(root, iter(graph[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            deeper = next((one for one in rest if one not in index), None)
            if deeper is not None:
                index[deeper] = low[deeper] = len(index)
                stack.append(deeper)
                on_stack.add(deeper)
                work.append((deeper, iter(graph[deeper])))
                continue
            work.pop()
            for one in graph[node]:
                if one in on_stack:
                    low[node] = min(low[node], low[one])
            if low[node] == index[node]:
                knot = set()
                while True:
                    one = stack.pop()
                    on_stack.discard(one)
                    knot.add(one)
                    if one == node:
                        break
                if len(knot) > 1:
                    yield knot
