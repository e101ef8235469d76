"""Two gateways, each a process, on one Postgres catalog: outside clients write through both at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException, UnauthorizedError

from tests.cli.conftest import Type
from tests.services.postgres import Server

EACH = 8


@contextmanager
def gateway() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`millpond serve` as a process of its own: its endpoint, and the process."""
    program = [
        sys.executable,
        "-c",
        "from millpond.cli.start import main; main()",
        "serve",
        "--port",
        "0",
        "--json",
        "-q",
    ]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["endpoint"], process
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


def client(endpoint: str, token: str) -> Any:
    """Stock PyIceberg."""
    return load_catalog("lake", type="rest", uri=endpoint, warehouse="prod", token=token)


def append(endpoint: str, token: str, first: int, done: list[int]) -> None:
    """Append single rows; each that is acknowledged is noted. A conflict is tried again, as every client must."""
    table = client(endpoint, token).load_table("s.t")
    for number in range(first, first + EACH):
        while True:
            try:
                table.refresh()
                table.append(pa.table({"id": [number]}))
            except CommitFailedException:
                continue
            done.append(number)
            break


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Server) -> str:
    """A project whose catalog is a Postgres schema, and its URL; the working folder is in it."""
    monkeypatch.chdir(tmp_path)
    url = postgres.url(schema=postgres.schema())
    monkeypatch.setenv("LAKE_URL", url)
    Path("millpond.yaml").write_text("version: 1\nname: lake\ncatalog:\n  url: ${LAKE_URL}\n")
    return url


def test_what_both_acknowledged_is_there_once(type_: Type, lake: str) -> None:
    """Four writers on one table, two at each gateway; numbers follow one another, each under its token's name."""
    tokens = [type_("token", "create", f"w{number}", "--scope", "catalog:write").out.strip() for number in range(4)]
    done: list[int] = []
    with gateway() as (one, _), gateway() as (other, _):
        owner = client(one, tokens[0])
        owner.create_namespace("s")
        owner.create_table("s.t", pa.schema([("id", pa.int64())]))
        writers = [
            threading.Thread(target=append, args=((one, other)[number % 2], token, 100 * number, done))
            for number, token in enumerate(tokens)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        seen = [
            sorted(client(door, tokens[0]).load_table("s.t").scan().to_arrow()["id"].to_pylist())
            for door in (one, other)
        ]
        assert type_("token", "revoke", "w3").code == 0
        for door in (one, other):
            with pytest.raises(UnauthorizedError, match="revoked"):
                client(door, tokens[3])
    assert len(done) == 4 * EACH
    assert seen == [sorted(done)] * 2
    with psycopg.connect(lake) as connection:
        commits = connection.execute("SELECT number, principal, kind FROM commits ORDER BY number").fetchall()
    assert [number for number, _, _ in commits] == list(range(1, len(commits) + 1))
    told = Counter(principal for _, principal, kind in commits if kind != "maintain")
    assert told == {"w0": EACH + 1, "w1": EACH, "w2": EACH, "w3": EACH}


@pytest.mark.usefixtures("lake")
def test_a_gateway_that_is_killed_does_not_stop_the_other(type_: Type) -> None:
    """Killed in the middle of its clients' work: the other goes on at once, and all that was acknowledged is there."""
    token = type_("token", "create", "writer", "--scope", "catalog:write").out.strip()
    lost: list[int] = []
    kept: list[int] = []
    with gateway() as (one, doomed), gateway() as (other, _):
        owner = client(other, token)
        owner.create_namespace("s")
        owner.create_table("s.t", pa.schema([("id", pa.int64())]))
        halfway = threading.Event()

        def until_it_dies() -> None:
            table = client(one, token).load_table("s.t")
            for number in range(100, 1000):
                try:
                    table.refresh()
                    table.append(pa.table({"id": [number]}))
                except CommitFailedException:
                    continue
                except OSError:
                    return
                lost.append(number)
                if len(lost) == 3:
                    halfway.set()

        victim = threading.Thread(target=until_it_dies)
        victim.start()
        assert halfway.wait(60)
        doomed.send_signal(signal.SIGKILL)
        append(other, token, 0, kept)
        victim.join(60)
        ids = client(other, token).load_table("s.t").scan().to_arrow()["id"].to_pylist()
    assert kept == list(range(EACH))
    assert set(kept + lost) <= set(ids)
    assert len(ids) == len(set(ids))
    assert len(set(ids) - set(kept + lost)) <= 1  # the one that was on its way
