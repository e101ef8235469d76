"""A Trino server as a user sets it up: its lake is the file that `connect` prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pyiceberg.catalog import load_catalog

from tests.catalog.clients import stock_duckdb
from tests.services.printed import Printed

SERVER = Path(__file__).parents[2] / ".venv/trino"
"""Where `make test-services` puts it."""

_JAVA = 24
"""The oldest Java that this Trino runs on."""

_JVM = """-server
-Xmx1G
-XX:+UseG1GC
-XX:+ExitOnOutOfMemoryError
-Djdk.attach.allowAttachSelf=true
-Dfile.encoding=UTF-8
--add-modules=jdk.incubator.vector
--enable-native-access=ALL-UNNAMED
--sun-misc-unsafe-memory-access=allow
"""
_CONFIG = """coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
query.max-memory=256MB
query.max-memory-per-node=256MB
memory.heap-headroom-per-node=128MB
web-ui.enabled=false
"""


def java() -> str | None:
    """The home of a Java that is new enough; None where this machine has none."""
    homes = [os.environ.get("JAVA_HOME", ""), *map(str, sorted(Path("/usr/lib/jvm").glob("*")))]
    return next((home for home in homes if home and _version(Path(home)) >= _JAVA), None)


def _version(home: Path) -> int:
    release = home / "release"
    found = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if release.is_file() else None
    return int(found[1]) if found else 0


@contextmanager
def trino_running(home: Path, printed: Printed, port: int) -> Iterator[None]:
    """A server whose catalog `lake` is what was printed, until it is left; it answers on the port."""
    (home / "catalog").mkdir(parents=True)
    (home / "node.properties").write_text(f"node.environment=test\nnode.id=one\nnode.data-dir={home}/data\n")
    (home / "jvm.config").write_text(_JVM)
    (home / "config.properties").write_text(_CONFIG.format(port=port))
    (home / "catalog/lake.properties").write_text(printed.text("trino"))
    newest = java() or ""
    words = {"JAVA_HOME": newest, "PATH": f"{newest}/bin:{os.environ['PATH']}", "MILLPOND_TOKEN": printed.token}
    with (home / "log").open("w") as log:
        command = [str(SERVER / "bin/launcher"), "-etc-dir", str(home), "run"]
        server = subprocess.Popen(command, env={**os.environ, **words}, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(server, port, printed.statement("trino"), home / "log")
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def _wait(server: subprocess.Popen[bytes], port: int, question: str, log: Path) -> None:
    """Until it answers a question that a worker has to answer: it says that it is ready some seconds before."""
    from trino.exceptions import Http503Error, TrinoConnectionError, TrinoQueryError

    until = time.monotonic() + 240
    while time.monotonic() < until and server.poll() is None:
        with suppress(TrinoConnectionError, Http503Error):
            try:
                asked(port, question)
            except TrinoQueryError as early:
                if early.error_name not in _EARLY:
                    raise
            else:
                return
        time.sleep(0.5)
    raise AssertionError(f"Trino did not start: {log.read_text()[-2000:]}")


_EARLY = ("NO_NODES_AVAILABLE", "SERVER_STARTING_UP")


def asked(port: int, sql: str) -> list[tuple[Any, ...]]:
    """The rows that the server gives."""
    from trino.dbapi import connect

    with connect(host="127.0.0.1", port=port, user="visitor", catalog="lake", max_attempts=1) as connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


class Trino:
    """A running server on the printed lake, and the others who read that."""

    def __init__(self, port: int, printed: Printed) -> None:
        self._port = port
        self.lake = printed.lake
        endpoint = printed.door.endpoint
        self.iceberg: Any = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod", token=printed.token)
        self.duckdb = stock_duckdb(endpoint, printed.token)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a statement in Trino."""
        return asked(self._port, sql)

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """The rows of a table in order, after it was shown that all four readers see the same."""
        scanned = self.iceberg.load_table(table).scan().to_arrow()
        columns = ", ".join(scanned.column_names)
        seen = {
            "trino": self.ask(f"SELECT {columns} FROM lake.{table}"),
            "duckdb": self.duckdb.execute(f"SELECT {columns} FROM lake.{table}").fetchall(),
            "pyiceberg": [tuple(row.values()) for row in scanned.to_pylist()],
            "millpond": [tuple(row.values()) for row in self.lake.rows(f"SELECT {columns} FROM {table}")],
        }
        ordered = {name: sorted(rows, key=repr) for name, rows in seen.items()}
        assert len({repr(rows) for rows in ordered.values()}) == 1, ordered
        return ordered["trino"]
