"""`token` and `serve`, as their users see them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from millpond.catalog.retention import Retention
from tests.cli.conftest import Type
from tests.services.postgres import ENCODED, Server


@contextmanager
def serving(*words: str) -> Iterator[str]:
    """`millpond serve` as a process of its own; its endpoint."""
    program = [sys.executable, "-c", "from millpond.cli.start import main; main()"]
    process = subprocess.Popen([*program, "serve", "--port", "0", "--json", *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["endpoint"]
    finally:
        process.terminate()
        process.wait(30)
        assert process.stdout is not None
        process.stdout.close()


def status(endpoint: str, token: str | None = None) -> int:
    """What a request for the namespaces is answered with."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(f"{endpoint}/v1/prod/namespaces", headers=headers).status_code


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project without sources; the working folder is in it."""
    (tmp_path / "millpond.yaml").write_text("version: 1\nname: lake\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_token_is_shown_once_and_then_listed_without_its_secret(empty: Path, type_: Type) -> None:
    """Standard output is the token alone, so that a script can keep it."""
    made = type_("token", "create", "spark", "--scope", "catalog:write", "--expires", "30d")
    secret = made.out.strip()
    assert (made.code, secret.startswith("mp-client-"), "shown this once" in made.err) == (0, True, True)
    (listed,) = type_("token", "list", "--json").objects()
    assert (listed["name"], listed["scope"], listed["state"]) == ("spark", "catalog:write", "good")
    expires = datetime.fromisoformat(listed["expires"])
    assert timedelta(days=29) < expires - datetime.now(UTC) < timedelta(days=30, seconds=1)
    table = type_("token", "list")
    assert "spark" in table.out
    assert secret[-64:] not in table.out + json.dumps(listed)
    kept = [path for path in empty.rglob("*") if path.is_file() and secret[-64:].encode() in path.read_bytes()]
    assert kept == []


def test_a_token_only_reads_unless_it_is_told_otherwise(empty: Path, type_: Type) -> None:
    """The smaller scope is the one that is given without asking."""
    (made,) = type_("token", "create", "dashboard", "--json").objects()
    assert (made["scope"], made["expires"], made["environment"]) == ("catalog:read", None, "prod")


def test_mistakes_are_told(empty: Path, type_: Type) -> None:
    """A length of time, a scope and a name that cannot be, and a token that is not there."""
    assert type_("token", "list").out.startswith("no tokens yet")
    for words, code, exit_code in (
        (("create", "a", "--expires", "soon"), "MP-1092", 2),
        (("create", "a", "--expires", "999999y"), "MP-1092", 2),
        (("create", "a", "--scope", "all"), "MP-3090", 1),
        (("create", "no name"), "MP-3090", 1),
        (("revoke", "nobody"), "MP-3092", 1),
    ):
        said = type_("token", *words)
        assert (said.code, code in said.err) == (exit_code, True), said.err


def test_a_running_gateway_asks_for_tokens_and_forgets_revoked_ones(empty: Path, type_: Type) -> None:
    """Made and revoked by other processes while it runs."""
    with serving("-q") as endpoint:
        assert status(endpoint) == 401
        secret = type_("token", "create", "spark").out.strip()
        assert status(endpoint, secret) == 200
        assert type_("token", "revoke", "spark").code == 0
        assert status(endpoint, secret) == 401


def test_an_open_door_is_for_loopback_only(empty: Path, type_: Type) -> None:
    """There it needs no token; elsewhere it is refused."""
    refused = type_("serve", "--open", "--host", "0.0.0.0")
    assert (refused.code, "MP-9024" in refused.err) == (1, True)
    with serving("--open", "--host", "127.0.0.1") as endpoint:
        assert status(endpoint) == 200


def test_the_projects_retention_binds_whoever_is_served(
    empty: Path, monkeypatch: pytest.MonkeyPatch, type_: Type
) -> None:
    """The gateway is given the rule of `millpond.yaml`."""
    given: list[object] = []
    monkeypatch.setattr("millpond.catalog.gateway.server.serve", lambda *words: given.append(words[-1]))
    with (empty / "millpond.yaml").open("a") as file:
        file.write("retention: {all: 1h, hourly: 2h, daily: 3d}\n")
    assert type_("serve", "--open", "--no-upkeep").code == 0
    assert given == [Retention(timedelta(hours=1), timedelta(hours=2), timedelta(days=3))]


def test_a_project_keeps_its_pointers_in_postgres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type, postgres: Server
) -> None:
    """The templates' commands work as on a file; the password comes by reference and is in no file and no message."""
    monkeypatch.chdir(tmp_path)
    assert type_("init", "shop", "-q").code == 0
    monkeypatch.chdir(tmp_path / "shop")
    schema = postgres.schema("keeper")
    url = f"postgresql://keeper:${{PW}}@127.0.0.1:{postgres.port}/lake?options=-csearch_path%3D{schema}"
    file = Path("millpond.yaml")
    file.write_text(file.read_text() + f"\ncatalog:\n  url: {url}\n")
    monkeypatch.setenv("PW", "not%20it")
    for debug in ((), ("--debug",)):
        refused = type_("ls", *debug)
        assert (refused.code, "MP-3081" in refused.err) == (1, True), refused.err
        assert "not%20it" not in refused.err
        assert "not it" not in refused.err
    monkeypatch.setenv("PW", ENCODED)
    ran = type_("run", "--json")
    assert ran.code == 0, ran.err
    first = type_("ls", "--json").out
    again = type_("run", "--json")
    assert (again.code, type_("ls", "--json").out) == (0, first)
    assert not Path(".millpond/catalog.db").exists()
    written = [path for path in Path().rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert written == []
    assert os.environ["PW"] not in ran.out + ran.err + again.out
    for table in (row["table"] for row in map(json.loads, first.splitlines())):
        assert type_("show", table).code == 0
