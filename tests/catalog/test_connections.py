"""What `connect` prints is right, because it is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog.connections import CLIENTS, Door, configuration
from millpond.core.errors import ProjectError
from millpond.core.names import TableName
from tests.catalog.clients import loaded_duckdb

ODD = TableName("silver", "it's odd")


@pytest.fixture
def door(open_door: str) -> Door:
    """A gateway with one table of two rows, whose name wants quoting."""
    client = load_catalog("lake", type="rest", uri=open_door, warehouse="prod")
    client.create_namespace("silver")
    rows = pa.table({"id": pa.array([41, 42], pa.int64())})
    client.create_table((ODD.layer, ODD.name), schema=rows.schema).append(rows)
    return Door(open_door, "prod", ODD, token=False)


def test_the_statements_for_duckdb_run(door: Door) -> None:
    """INSTALL is what a user's own DuckDB needs; here the extension comes from its wheel."""
    text = configuration("duckdb", door).replace("INSTALL iceberg; LOAD iceberg;", "")
    with loaded_duckdb() as con:
        assert sorted(con.execute(text).fetchall()) == [(41,), (42,)]


@pytest.mark.parametrize("client", ["pyiceberg", "pandas", "polars"])
def test_the_program_for_python_runs(door: Door, client: str, tmp_path: Path) -> None:
    """It is saved and started as it was printed."""
    program = tmp_path / "program.py"
    program.write_text(configuration(client, door))
    ended = subprocess.run([sys.executable, str(program)], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "41" in ended.stdout
    assert "42" in ended.stdout


@pytest.mark.parametrize("client", CLIENTS)
def test_every_configuration_names_the_address_and_the_environment(client: str) -> None:
    """And with tokens says where the token goes."""
    door = Door("http://127.0.0.1:8787/iceberg", "staging", TableName("gold", "t"), token=True)
    text = configuration(client, door)
    assert door.endpoint in text
    assert "staging" in text
    assert "MILLPOND_TOKEN" in text or "paste the token here" in text
    assert "token" not in configuration(client, Door(door.endpoint, "staging", door.table, token=False)).lower()


def test_an_unknown_client_is_refused_with_what_it_would_need() -> None:
    """The nearest name is suggested."""
    with pytest.raises(ProjectError) as refused:
        configuration("sparc", Door("http://x/iceberg", "prod", ODD, token=False))
    assert refused.value.code == "MP-1054"
    assert refused.value.finding.suggestion == "spark"
