"""A stock DuckDB as a client of a served project."""

from __future__ import annotations

import importlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from measure import MILLPOND

ICEBERG = ("avro", "httpfs", "iceberg")


def stock_client(*others: str) -> duckdb.DuckDBPyConnection:
    """A DuckDB with the extensions of the installed wheels, also those named, and nothing of Millpond's."""
    con = duckdb.connect()
    for name in (*ICEBERG, *others):
        package = Path(str(importlib.import_module(f"duckdb_extension_{name}").__file__)).parent
        con.execute(f"LOAD '{next(package.glob(f'extensions/**/{name}.duckdb_extension'))}'")
    return con


@contextmanager
def gateway(project: Path, *options: str) -> Iterator[str]:
    """The address of a gateway that serves the project while the block runs; `options` are those of `serve`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [MILLPOND, "serve", "--port", str(port), "--open", *options]
    server = subprocess.Popen(words, cwd=project, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/iceberg"
    finally:
        server.terminate()
        server.wait()


def attached(con: duckdb.DuckDBPyConnection, endpoint: str) -> None:
    """Attach the served lake as `lake`, with a namespace `silver`."""
    con.execute(f"ATTACH 'prod' AS lake (TYPE iceberg, ENDPOINT '{endpoint}', AUTHORIZATION_TYPE 'none')")
    con.execute("CREATE SCHEMA IF NOT EXISTS lake.silver")
