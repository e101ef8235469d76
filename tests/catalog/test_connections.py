"""What `connect` prints is right, because it is run."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog.catalog import Catalog
from millpond.catalog.client_tokens import WRITE, ClientTokens
from millpond.catalog.connections import CLIENTS, Door, configuration, endpoint
from millpond.catalog.gateway.server import Gateway
from millpond.core.errors import ProjectError
from millpond.core.names import TableName

ODD = TableName("silver", "it's odd")


@pytest.fixture(params=["open", "with a token"])
def door(request: pytest.FixtureRequest, catalog: Catalog) -> Iterator[Door]:
    """A gateway with one table of two rows, whose name wants quoting; the token is in MILLPOND_TOKEN."""
    gateway = Gateway(catalog, open_access=request.param == "open", outside=True)
    endpoint = gateway.start()
    token = None if request.param == "open" else ClientTokens(catalog).create("me", WRITE, "owner")[0]
    client = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod", **({"token": token} if token else {}))
    client.create_namespace("silver")
    rows = pa.table({"id": pa.array([41, 42], pa.int64())})
    client.create_table((ODD.layer, ODD.name), schema=rows.schema).append(rows)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MILLPOND_TOKEN", token or "")
        yield Door(endpoint, "prod", ODD, token=token is not None)
    gateway.stop()


def test_the_statements_for_duckdb_run(door: Door, tmp_path: Path) -> None:
    """In a DuckDB that has nothing; what it installs comes from the wheels, put where it looks for extensions."""
    text = configuration("duckdb", door).replace("paste the token here", os.environ["MILLPOND_TOKEN"])
    words = {"extension_directory": f"{tmp_path}/installed", "custom_extension_repository": _extensions(tmp_path)}
    with duckdb.connect(config=words) as con:
        assert sorted(con.execute(text).fetchall()) == [(41,), (42,)]


def _extensions(folder: Path) -> str:
    """A repository of extensions as DuckDB knows them, on this disk."""
    with duckdb.connect() as con:
        ((platform,),) = con.execute("PRAGMA platform").fetchall()
    place = folder / "repository" / f"v{duckdb.__version__}" / platform
    place.mkdir(parents=True)
    for name in ("avro", "httpfs", "iceberg"):
        package = importlib.import_module(f"duckdb_extension_{name}")
        (file,) = Path(str(package.__file__)).parent.glob(f"extensions/*/{name}.duckdb_extension")
        (place / file.name).symlink_to(file)
    return str(folder / "repository")


@pytest.mark.parametrize("door", ["with a token"], indirect=True)
@pytest.mark.parametrize("client", ["pyiceberg", "pandas", "polars"])
def test_the_program_for_python_runs(door: Door, client: str, tmp_path: Path) -> None:
    """It is saved and started as it was printed."""
    program = tmp_path / "program.py"
    program.write_text(configuration(client, door))
    ended = subprocess.run([sys.executable, str(program)], check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "41" in ended.stdout
    assert "42" in ended.stdout


TRINO = {
    "connector.name": "iceberg",
    "iceberg.catalog.type": "rest",
    "iceberg.rest-catalog.uri": "http://h:1/iceberg",
    "iceberg.rest-catalog.warehouse": "prod",
    "iceberg.register-table-procedure.enabled": "true",
    "fs.hadoop.enabled": "true",
}
"""The properties with which Trino 476 was seen to read, insert, delete and make tables of a lake."""


@pytest.mark.parametrize("token", [True, False])
def test_the_properties_for_trino_are_those_that_it_was_run_with(token: bool) -> None:
    """Its server is run by it elsewhere: that needs 821 MB and a newer Java than most machines have."""
    text = configuration("trino", Door("http://h:1/iceberg", "prod", ODD, token=token))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rights = {
        "iceberg.rest-catalog.security": "OAUTH2",
        "iceberg.rest-catalog.oauth2.token": "${ENV:MILLPOND_TOKEN}",
    }
    assert dict(line.split("=", 1) for line in lines) == TRINO | (rights if token else {})
    assert 'SELECT * FROM lake."silver"."it\'s odd" LIMIT 5' in text


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


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    """Else its last part would be taken for a port."""
    assert endpoint("::1", 8787) == "http://[::1]:8787/iceberg"
    assert endpoint("127.0.0.1", 8787) == "http://127.0.0.1:8787/iceberg"
