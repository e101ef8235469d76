"""What `connect` prints for Spark and Sail is right, because it is run, with a token."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.conftest import missing
from tests.services.printed import ODD, Printed, free_port

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


def by_visitors(printed: Printed) -> int:
    """How many commits of the table were made under the token's name."""
    commits = printed.lake.lakehouse.catalog.history(ODD)
    return len([commit for commit in commits if commit.principal == "visitor"])


def test_spark_works_by_its_printed_file(spark_server: Any, printed: Printed) -> None:
    """It was started with it as its spark-defaults.conf."""
    before = by_visitors(printed)
    rows = {row[0] for row in spark_server.sql(printed.statement("spark")).collect()}
    assert {41, 42} <= rows
    spark_server.sql("INSERT INTO lake.silver.`it's odd` VALUES (50)")
    spark_server.sql("DELETE FROM lake.silver.`it's odd` WHERE id = 50")
    assert by_visitors(printed) == before + 2
    assert spark_server.conf.get("spark.sql.session.timeZone") == "UTC"


@pytest.fixture
def sail(tmp_path: Path, printed: Printed) -> Iterator[str]:
    """A Sail server that was started by the printed commands; where it listens."""
    if importlib.util.find_spec("pysail") is None:
        missing("pysail is not installed: make test-services installs it")
    port, script = free_port(), tmp_path / "sail.sh"
    script.write_text(printed.text("sail").replace("15013", str(port)))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MILLPOND_TOKEN": printed.token}
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            ["bash", "-e", str(script)], cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(server, port, tmp_path / "log")
        yield f"sc://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail(f"Sail did not start: {log.read_text()}")


PROGRAM = """
import sys
from pyspark.sql import SparkSession
session = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
table = "lake.`silver`.`it's odd`"
session.sql(f"INSERT INTO {table} VALUES (60), (61)")
session.sql(f"DELETE FROM {table} WHERE id = 60")
print(sorted(row[0] for row in session.sql(f"SELECT * FROM {table}").collect()))
session.sql(f"DELETE FROM {table} WHERE id = 61")
session.stop()
"""


def test_sail_works_by_its_printed_commands(sail: str, printed: Printed) -> None:
    """A client of Spark Connect reads, inserts and deletes through it."""
    before = by_visitors(printed)
    # A session on a Spark of this process leaves its own token in the environment.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, sail],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.strip() == "[41, 42, 61]"
    assert by_visitors(printed) == before + 3
