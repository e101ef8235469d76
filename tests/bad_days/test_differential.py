"""Random work on tables of the lake and on plain twins: the same rows after every round, for every reader."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from pyiceberg.catalog import load_catalog

from millpond.testing import FakeClock, TemporaryLake, temporary_lake
from tests.catalog.clients import loaded_duckdb

from .twins import REFUSED, DifferenceError, Twins, play, twins

SEED = int(os.environ.get("MILLPOND_SEED", "0"))
"""The first seed of the long test; 0 takes one by the clock. The error of a difference names its seed."""

GAMES, ROUNDS = 160, 25


@pytest.fixture(scope="module")
def client() -> Iterator[duckdb.DuckDBPyConnection]:
    """Stock DuckDB, with nothing attached."""
    made = loaded_duckdb()
    yield made
    made.close()


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """An empty lake whose clock stands still, while its clients' goes on."""
    with temporary_lake({"millpond.yaml": "version: 1\nname: twins\n"}, clock=FakeClock(datetime.now(UTC))) as made:
        yield made


@pytest.fixture
def twin(lake: TemporaryLake, client: duckdb.DuckDBPyConnection) -> Iterator[Twins]:
    """The lake's side and the plain side, without a table."""
    with twins(lake, client) as made:
        yield made


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_table_and_its_twin_stay_the_same(twin: Twins, seed: int) -> None:
    """A hundred rounds of writes, alterations, transactions, upkeep, time travel and other partitionings in all."""
    play(twin, seed, ROUNDS)


@pytest.mark.long
def test_tables_and_their_twins_stay_the_same(client: duckdb.DuckDBPyConnection) -> None:
    """Thousands of rounds, with other seeds each time."""
    first = SEED or int(time.time())
    for seed in range(first, first + GAMES):
        files = {"millpond.yaml": "version: 1\nname: twins\n"}
        with temporary_lake(files, clock=FakeClock(datetime.now(UTC))) as lake, twins(lake, client) as twin:
            play(twin, seed, ROUNDS)


def test_a_difference_is_found_and_told(twin: Twins) -> None:
    """The game can be lost: by a value that differs in its last bit, and by a row that only the lake has."""
    twin.make("CREATE TABLE {t} (id BIGINT, x DOUBLE)", "")
    twin.both("INSERT INTO {t} VALUES (1, 1.5), (2, 'NaN')")
    twin.compare()
    twin.plain.execute("UPDATE t SET x = 1.5000000000000002 WHERE id = 1")
    with pytest.raises(DifferenceError, match="INSERT INTO"):
        twin.compare()
    twin.plain.execute("UPDATE t SET x = 1.5 WHERE id = 1")
    twin.compare()
    twin.client.execute("INSERT INTO lake.silver.t VALUES (3, NULL)")
    with pytest.raises(DifferenceError, match="3 rows instead of 2"):
        twin.compare()


REFUSALS = {
    "Manifest file contains entries without partition info": (
        "",
        ("SET PARTITIONED BY (part)",),
        ("DELETE FROM {t} WHERE id = 1",),
    ),
    "STRUCT to STRUCT cast must have at least one matching member": (
        "part",
        ("SET PARTITIONED BY (bucket(2, id))",),
        ("INSERT INTO {t} VALUES (9, 'x')", "DELETE FROM {t} WHERE id IN (1, 9)"),
    ),
    'duplicate name "': (
        "part",
        ("SET PARTITIONED BY (bucket(2, id))", "SET PARTITIONED BY (part, bucket(3, id))"),
        ("DELETE FROM {t} WHERE id = 1",),
    ),
}
"""For each sign of a refusal: a first partitioning, its changes by the client, and what is then refused."""


@pytest.mark.parametrize("sign", REFUSED)
def test_what_duckdb_refuses_it_still_refuses_and_changes_nothing(sign: str, twin: Twins) -> None:
    """An exclusion from the game ends with the defect that it is for: then this fails."""
    first, changes, refused = REFUSALS[sign]
    twin.make("CREATE TABLE {t} (id BIGINT, part VARCHAR)", first)
    twin.both("INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
    for number, change in enumerate(changes):
        twin.client.execute(f"ALTER TABLE lake.silver.t {change}")
        if len(changes) > 1:
            twin.both(f"INSERT INTO {{t}} VALUES ({number + 3}, 'c')")
    assert not twin.both(*refused)
    assert [sign in told for told in twin.refused] == [True]
    twin.compare()


@pytest.mark.parametrize("sign", REFUSED)
def test_what_duckdb_refuses_it_does_where_millpond_changed_the_partitioning(sign: str, twin: Twins) -> None:
    """Except for INSERT and then DELETE in one transaction, which no step does."""
    first, changes, asked = REFUSALS[sign]
    twin.make("CREATE TABLE {t} (id BIGINT, part VARCHAR)", first)
    twin.both("INSERT INTO {t} VALUES (1, 'a'), (2, 'b')")
    for number, change in enumerate(changes):
        twin.repartition(change.partition("(")[2][:-1])
        if len(changes) > 1:
            twin.both(f"INSERT INTO {{t}} VALUES ({number + 3}, 'c')")
    assert all(twin.both(statement) for statement in asked)
    twin.compare()
    twin.others()


def test_duckdb_writes_one_zero_for_both(tmp_path: Path) -> None:
    """Into any Parquet file with a dictionary; so the game does not look at the sign of zero, until this fails."""
    with duckdb.connect() as plain:
        zeros = "SELECT (['0.0', '-0.0'])[1 + range % 2]::DOUBLE AS v FROM range(20)"
        assert plain.execute(f"SELECT count(DISTINCT v::VARCHAR) FROM ({zeros})").fetchall() == [(2,)]
        plain.execute(f"COPY ({zeros}) TO '{tmp_path}/zeros.parquet'")
        assert plain.execute(f"SELECT DISTINCT v::VARCHAR FROM '{tmp_path}/zeros.parquet'").fetchall() == [("0.0",)]


def test_pyiceberg_misreads_null_where_a_list_or_map_holds_structs(twin: Twins) -> None:
    """As an empty one; so the game asks it for other columns only, until this fails."""
    twin.make("CREATE TABLE {t} (id BIGINT, l STRUCT(a INTEGER)[], m MAP(INTEGER, STRUCT(a INTEGER)))", "")
    twin.both("INSERT INTO {t} VALUES (1, NULL, NULL)")
    twin.compare()
    remote = load_catalog("lake", type="rest", uri=twin.endpoint, warehouse="prod").load_table(("silver", "t"))
    assert remote.scan().to_arrow().to_pylist() == [{"id": 1, "l": [], "m": []}]
