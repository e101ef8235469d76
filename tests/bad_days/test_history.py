"""Eight stock clients write one lake at once while upkeep goes on: all of it can have come one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog import manifests
from millpond.catalog.catalog import Catalog
from millpond.core.names import TableName
from millpond.lakehouse import Lakehouse, open_lakehouse
from millpond.pipeline.doctor import diagnose
from tests.bad_days.anomalies import anomalies
from tests.bad_days.doom import ROOT, Nursery
from tests.bad_days.history import Diary, Transaction, Version, transactions
from tests.bad_days.test_at_once import served
from tests.bad_days.writer import LAYER, ByDuckDB, ByPyIceberg, Client
from tests.catalog.proxy import Harm, Plan, Proxy, commits
from tests.services.postgres import Server

TABLES = ("t0", "t1", "t2", "t3")
PATIENCE_S = 120
PROJECT = """version: 1
name: numbers
engine: {memory: 300MB, threads: 1}
retention: {all: KEPT, hourly: 0m, daily: 0m, orphans: 5m}
"""
"""Short-lived states of the past, so that expiry has work; files stay longer than a client takes for a commit."""


@dataclass
class Record:
    """What each commit brought, followed while the lake is at work: later, upkeep will have given old states up."""

    catalog: Catalog
    versions: dict[str, list[Version]] = field(default_factory=lambda: {table: [] for table in TABLES})
    rewrites: int = 0
    _held: dict[str, Counter[int]] = field(default_factory=dict)
    _numbers: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _upto: int = 0

    def catch_up(self) -> None:
        """Take in the commits since the last time."""
        head = self.catalog.head()
        for record in reversed(self.catalog.history(limit=head - self._upto + 1000)):
            for name in record.tables if self._upto < record.number <= head else ():
                before = self._held.get(name.name, Counter())
                now = self._rows(name, record.number)
                self._held[name.name] = now
                assert not before - now, f"commit {record.number} took {before - now} from {name}"
                came = tuple(sorted((now - before).elements()))
                if record.kind == "maintain":
                    self.rewrites += 1
                    assert came == (), f"upkeep's commit {record.number} brought {came} to {name}"
                elif came:
                    self.versions[name.name].append(Version(record.number, came))
        self._upto = head

    def _rows(self, name: TableName, number: int) -> Counter[int]:
        snapshot = self.catalog.metadata(self.catalog.table(name, number)).current_snapshot
        found: Counter[int] = Counter()
        for manifest in manifests.of_snapshot(snapshot):
            for entry in manifests.files(manifest):
                if entry.path not in self._numbers:
                    self._numbers[entry.path] = tuple(pq.read_table(entry.path)["n"].to_pylist())
                found.update(self._numbers[entry.path])
        return found


@contextmanager
def proxied(endpoint: str, harm: Harm, every: int) -> Iterator[str]:
    """An endpoint where each so-manieth commit is harmed."""
    count = iter(range(1, sys.maxsize))
    with Proxy(endpoint, Plan(harm, lambda m, p: commits(m, p) and next(count) % every == 0, sys.maxsize)) as proxy:
        yield proxy.endpoint


@contextmanager
def writers(doors: Sequence[tuple[str, str]], folder: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """A process for each endpoint and kind of client; told to stop at the end of the block, and waited for."""
    with ExitStack() as stack:
        processes = []
        for number, (door, kind) in enumerate(doors):
            words = [sys.executable, "-m", "tests.bad_days.writer", door, kind, f"w{number}", str(folder), *TABLES]
            errors = stack.enter_context((folder / f"w{number}.err").open("w"))
            processes.append(subprocess.Popen(words, stderr=errors, text=True, cwd=ROOT))
        try:
            yield processes
        finally:
            (folder / "stop").touch()
            for process in processes:
                try:
                    process.wait(60)
                finally:
                    process.kill()


def made(folder: Path, url: str | None, kept: str) -> None:
    """The project, with its catalog in a file or at a URL, and how long states of the past are kept."""
    folder.mkdir()
    text = PROJECT.replace("KEPT", kept) + ("" if url is None else f"catalog: {{url: '{url}'}}\n")
    (folder / "millpond.yaml").write_text(text)


def lists_made(endpoint: str) -> None:
    """Empty tables. PyIceberg is not to repeat a commit on its own: what it read would not be read again."""
    owner = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod")
    owner.create_namespace(LAYER)
    for table in TABLES:
        numbers = pa.schema([("n", pa.int64())])
        owner.create_table(f"{LAYER}.{table}", numbers, properties={"commit.retry.num-retries": "0"})


ALL = " UNION ALL ".join(f"SELECT '{table}' AS t, n FROM {LAYER}.{table}" for table in TABLES)


def look(lake: Lakehouse, diary: Diary) -> None:
    """Read all tables through the gate, which shows them as of one commit."""
    diary.begin()
    rows = lake.tables.query(ALL).rows()
    for table in TABLES:
        diary.read(table, [row["n"] for row in rows if row["t"] == table])
    diary.end("ok")


@dataclass
class Maintaining:
    """`millpond maintain`, over and over, in a thread."""

    commands: Nursery
    project: Path
    failed: list[str] = field(default_factory=list)
    rounds: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Until told to stop."""
        while not self.stop.is_set():
            ended = self.commands.command(self.project, "maintain", "--json")
            self.rounds += 1
            if ended.code:
                self.failed.append(ended.out)

    def __enter__(self) -> Maintaining:
        self._thread = threading.Thread(target=self.work)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join()


def at_work(project: Path, folder: Path, commands: Nursery, seconds: float, least: int, killed: int = 0) -> Record:
    """Eight writers at two gateways, some by a network that loses or repeats.

    For a time, and on a slow machine until enough was written.
    """
    with ExitStack() as stack:
        one, two = stack.enter_context(served(project)), stack.enter_context(served(project))
        lists_made(one)
        lossy = stack.enter_context(proxied(one, "drop the reply", 5))
        twice = stack.enter_context(proxied(two, "ask twice", 3))
        lake = stack.enter_context(open_lakehouse(project))
        record, diary = Record(lake.catalog), Diary(folder / "gate.diary", "gate")
        doors = [(door, kind) for door in (one, two, lossy, twice) for kind in ("duckdb", "pyiceberg")]
        with Maintaining(commands, project) as upkeep, writers(doors, folder) as processes:
            until: float | None = None
            while until is None or time.monotonic() < until or not worth(transactions(folder), least, until):
                record.catch_up()
                look(lake, diary)
                if until is None and len(list(folder.glob("*.diary"))) > len(doors):
                    until = time.monotonic() + seconds
                    for process in processes[: 2 * killed : 2]:
                        threading.Timer(seconds / 2, process.kill).start()
                assert all(process.poll() in (None, -9) for process in processes), told(folder)
        record.catch_up()
        look(lake, diary)
        assert upkeep.failed == []
        assert upkeep.rounds > 1
        ends: list[Client] = [ByDuckDB(one), ByPyIceberg(two)]
        for table in TABLES:
            whole = sorted(value for version in record.versions[table] for value in version.values)
            assert [sorted(client.read(table)) for client in ends] == [whole, whole], table
        assert diagnose(lake.project, lake.catalog, lake.engine).sound
        return record


def worth(history: Sequence[Transaction], least: int, until: float) -> bool:
    """Whether a history says something: all eight wrote, often enough, and met; or it has taken too long for it."""
    busy = Counter(one.name.partition("/")[0] for one in history if one.outcome == "ok" and one.appends)
    met = any(one.outcome == "fail" for one in history)
    return (len(busy) == 8 and sum(busy.values()) >= least and met) or time.monotonic() > until + PATIENCE_S


def told(folder: Path) -> str:
    """What the writers said."""
    return "".join(path.read_text() for path in sorted(folder.glob("*.err")))


def check(record: Record, folder: Path, least: int) -> None:
    """No anomaly, in a history that is worth it."""
    history = transactions(folder)
    assert anomalies(history, record.versions) == [], told(folder)
    outcomes = Counter(one.outcome for one in history)
    busy = Counter(one.name.partition("/")[0] for one in history if one.outcome == "ok" and one.appends)
    assert len(busy) == 8, busy
    assert sum(busy.values()) >= least, outcomes
    assert outcomes["fail"] > 0, outcomes
    assert any(len({append.key for append in one.appends}) > 1 for one in history if one.outcome == "ok")
    assert record.rewrites > 0


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where the catalog is: None for the project's own file."""
    if request.param == "sqlite":
        return None
    server: Server = request.getfixturevalue("postgres")
    return server.url(schema=server.schema())


def test_eight_writers_and_upkeep_leave_a_history_without_anomaly(
    url: str | None, commands: Nursery, tmp_path: Path
) -> None:
    """DuckDB and PyIceberg on one table and on several: every acknowledged number is there once, no refused one is."""
    made(tmp_path / "project", url, kept="0m")
    record = at_work(tmp_path / "project", tmp_path, commands, seconds=6, least=30)
    check(record, tmp_path, least=30)


@pytest.mark.long
@pytest.mark.parametrize("share", range(3))
def test_eight_writers_for_minutes_leave_a_history_without_anomaly(
    share: int, url: str | None, commands: Nursery, tmp_path: Path
) -> None:
    """The same, longer, and one of them is killed; MILLPOND_HISTORY_S is the time in seconds."""
    made(tmp_path / "project", url, kept="1m")
    seconds = float(os.environ.get("MILLPOND_HISTORY_S", "150"))
    record = at_work(tmp_path / "project", tmp_path, commands, seconds, least=300, killed=1 + share)
    check(record, tmp_path, least=300)
