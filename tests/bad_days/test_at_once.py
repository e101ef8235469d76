"""Several programs at once: two runs, and stock clients that write through an open gateway while a run works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException

from millpond.pipeline.lock import project_lock
from tests.bad_days.doom import Nursery, nursery
from tests.bad_days.scene import mend
from tests.bad_days.small import Ride, small_project
from tests.catalog.clients import stock_duckdb

MILLPOND = str(Path(sys.executable).with_name("millpond"))


@pytest.fixture
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """A second place where commands are started, so that two can run at once."""
    with nursery(tmp_path_factory.mktemp("other"), None) as born:
        yield born


def both(first: Callable[[], object], second: Callable[[], object]) -> None:
    """Do two things at once."""
    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_run_beside_another_says_who_holds_the_project(commands: Nursery, tmp_path: Path) -> None:
    """By its identity and its process."""
    small_project(tmp_path)
    with project_lock(tmp_path / ".millpond", run="r1", since="noon", wait=False, tell=lambda _sentence: None):
        ended = commands.command(tmp_path, "run", "--json")
    ended.check_clear()
    (told,) = ended.complaints
    assert told["code"] == "MP-7020"
    assert f"run r1 (process {os.getpid()}, since noon)" in told["message"]


def test_of_two_runs_at_once_one_does_the_work(commands: Nursery, other: Nursery, tmp_path: Path) -> None:
    """The other is refused, or comes after it; nothing is loaded twice."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    ended = {}
    both(
        lambda: ended.update(one=commands.command(tmp_path, "run", "--json")),
        lambda: ended.update(two=other.command(tmp_path, "run", "--json")),
    )
    for each in ended.values():
        each.check_clear()
        assert {told["code"] for told in each.complaints} <= {"MP-7020"}
    assert 0 in (ended["one"].code, ended["two"].code)
    mend(tmp_path, arrivals)


def test_a_run_that_waits_starts_when_the_other_has_ended(commands: Nursery, other: Nursery, tmp_path: Path) -> None:
    """Both end well, and every file is loaded once."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    ended = {}
    both(
        lambda: ended.update(one=commands.command(tmp_path, "run", "--json", "--wait")),
        lambda: ended.update(two=other.command(tmp_path, "run", "--json", "--wait")),
    )
    assert (ended["one"].code, ended["two"].code) == (0, 0)
    mend(tmp_path, arrivals)


@contextmanager
def served(project: Path, environment: Mapping[str, str] | None = None, *options: str) -> Iterator[str]:
    """The endpoint of `millpond serve --open`, in a process of its own; `options` are more of its words."""
    words = [MILLPOND, "serve", "--port", "0", "--open", "--json", "--project", str(project), *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["endpoint"]
        finally:
            process.terminate()


@dataclass
class Writer:
    """A stock client that appends rides to bronze, one at a time, until it is told to stop, or has done enough."""

    first: int
    append: Callable[[Ride], None]
    conflicts: tuple[type[Exception], ...]
    stop: threading.Event = field(default_factory=threading.Event)
    done: list[Ride] = field(default_factory=list)
    refused: int = 0

    def work(self) -> None:
        """Append; a ride that was refused is not there, and is not tried again."""
        number = self.first
        while not self.stop.is_set() and len(self.done) < 80:
            number += 1
            ride = (number, f"z{number % 7}", str(1 + number % 600))
            try:
                self.append(ride)
            except self.conflicts:
                self.refused += 1
            else:
                self.done.append(ride)


def by_duckdb(endpoint: str) -> Writer:
    """Stock DuckDB."""
    lake = stock_duckdb(endpoint)

    def append(ride: Ride) -> None:
        lake.execute("INSERT INTO lake.bronze.rides_raw (ride, zone, minutes) VALUES (?, ?, ?)", list(map(str, ride)))

    return Writer(1_000_000, append, (duckdb.TransactionException,))


def by_pyiceberg(endpoint: str) -> Writer:
    """Stock PyIceberg."""
    catalog = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod")

    def append(ride: Ride) -> None:
        row = dict(zip(("ride", "zone", "minutes"), map(str, ride), strict=True))
        catalog.load_table("bronze.rides_raw").append(pa.Table.from_pylist([row]))

    return Writer(2_000_000, append, (CommitFailedException,))


@pytest.mark.parametrize("client", [by_duckdb, by_pyiceberg])
def test_stock_clients_append_while_runs_work(
    client: Callable[[str], Writer], commands: Nursery, tmp_path: Path
) -> None:
    """What a client was told is in is there once, and so is every file; a run builds on both."""
    arrivals = small_project(tmp_path)
    arrivals.arrive()
    mend(tmp_path, arrivals)
    with served(tmp_path) as endpoint:
        writer = client(endpoint)
        thread = threading.Thread(target=writer.work)
        thread.start()
        try:
            for _ in range(3):
                arrivals.arrive()
                ended = commands.command(tmp_path, "run", "--json")
                assert ended.code == 0, ended.complaints
        finally:
            writer.stop.set()
            thread.join()
        assert len(writer.done) > 3
    arrivals.rides += writer.done
    mend(tmp_path, arrivals)
