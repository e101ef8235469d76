"""A gateway that is killed when a commit is in and its client has not heard: the client deletes its files in vain."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import duckdb
import pytest

from millpond.catalog.repair import repair
from millpond.lakehouse import open_lakehouse
from millpond.pipeline.doctor import diagnose
from tests.bad_days.test_at_once import MILLPOND, served
from tests.catalog.clients import rows, stock_duckdb
from tests.catalog.proxy import Plan, Proxy, commits


def lost_in_the_middle(project: Path) -> None:
    """A table with one row, and an INSERT of which the client hears only that the gateway is gone."""
    project.mkdir()
    (project / "millpond.yaml").write_text("version: 1\nname: rows\nengine: {memory: 300MB, threads: 1}\n")
    words = [MILLPOND, "serve", "--port", "0", "--open", "--json", "--project", str(project)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as doomed:
        assert doomed.stdout is not None
        door = json.loads(doomed.stdout.readline())["endpoint"]
        owner = stock_duckdb(door)
        owner.execute("CREATE SCHEMA lake.bronze")
        owner.execute("CREATE TABLE lake.bronze.t AS SELECT 1 AS n")

        def kill() -> None:
            doomed.send_signal(signal.SIGKILL)
            doomed.wait(30)

        with Proxy(door, Plan("drop the reply", commits, times=1, then=kill)) as proxy:
            client = stock_duckdb(proxy.endpoint)
            client.execute("SET http_retries = 1")
            with pytest.raises(duckdb.Error):
                client.execute("INSERT INTO lake.bronze.t VALUES (2)")


def test_the_next_gateway_puts_the_files_back(tmp_path: Path) -> None:
    """As it starts: the row is in, and nothing is damaged."""
    lost_in_the_middle(tmp_path / "lake")
    with served(tmp_path / "lake") as door:
        assert rows(stock_duckdb(door), "SELECT n FROM lake.bronze.t ORDER BY n") == [(1,), (2,)]
    with open_lakehouse(tmp_path / "lake") as lake:
        assert diagnose(lake.project, lake.catalog, lake.engine).sound


def test_repair_puts_the_files_back_where_no_gateway_comes(tmp_path: Path) -> None:
    """Doctor finds what is missing; nothing is lost by repairing it."""
    lost_in_the_middle(tmp_path / "lake")
    with open_lakehouse(tmp_path / "lake") as lake:
        assert "MP-3190" in {one.code for one in diagnose(lake.project, lake.catalog, lake.engine).findings}
        assert repair(lake.catalog, "me") == ()
        assert diagnose(lake.project, lake.catalog, lake.engine).sound
        assert lake.tables.query("SELECT count(*) AS n FROM bronze.t").rows() == [{"n": 2}]
