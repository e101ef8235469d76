"""A proxy between client and gateway that loses replies: nothing is lost, doubled, or deleted under a live table."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    ServerError,
    ServiceUnavailableError,
)

from millpond.catalog import manifests
from millpond.catalog.catalog import Catalog
from millpond.core.names import TableName

from .clients import NAME, SCHEMA, rows, step
from .proxy import HARMS, Harm, Plan, Proxy, changes, commits

Duck = Callable[..., duckdb.DuckDBPyConnection]

AFTER: tuple[Harm, ...] = ("drop the reply", "500 after", "503 after")

STATEMENTS = {
    "insert": ("INSERT INTO lake.s.t VALUES (10, 'x')", 4),
    "delete": ("DELETE FROM lake.s.t WHERE id = 1", 2),
    "update": ("UPDATE lake.s.t SET word = 'y' WHERE id = 2", 3),
    "merge": (
        """MERGE INTO lake.s.t USING (SELECT 2 AS id UNION ALL SELECT 7) AS s ON t.id = s.id
        WHEN MATCHED THEN UPDATE SET word = 'z' WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'n')""",
        4,
    ),
    "two tables": ("BEGIN; INSERT INTO lake.s.t VALUES (10, 'x'); INSERT INTO lake.s.u VALUES (2); COMMIT", 4),
    "create as": ("CREATE TABLE lake.s.n AS SELECT * FROM lake.s.t", 3),
    "create": ("CREATE TABLE lake.s.n (a BIGINT)", 3),
    "alter": ("ALTER TABLE lake.s.t ADD COLUMN more BIGINT", 3),
    "alter and insert": (
        "BEGIN; ALTER TABLE lake.s.t ADD COLUMN m INT; INSERT INTO lake.s.t VALUES (9, 'x', 1); COMMIT",
        4,
    ),
}


@pytest.fixture
def three(open_door: str, duck: Duck) -> str:
    """An open gateway in front of `s.t` with three rows and `s.u` with one."""
    lake = duck(open_door)
    lake.execute("CREATE SCHEMA lake.s")
    lake.execute("CREATE TABLE lake.s.t AS SELECT range AS id, 'w' AS word FROM range(3)")
    lake.execute("CREATE TABLE lake.s.u AS SELECT 1::BIGINT AS id")
    return open_door


def live_files(catalog: Catalog) -> list[Path]:
    """Every file that a live snapshot names."""
    found: list[Path] = []
    for entry in catalog.tables():
        snapshot = catalog.metadata(entry).current_snapshot
        if snapshot is not None:
            found.append(Path(snapshot["manifest-list"]))
            for manifest in manifests.manifests(snapshot["manifest-list"]):
                found.append(Path(manifest.path))
                found.extend(Path(file.path) for file in manifests.files(manifest))
    return found


def whole(catalog: Catalog) -> bool:
    """Whether every file of a live snapshot is there, or comes back within seconds."""
    until = time.monotonic() + 20
    while not all(file.exists() for file in live_files(catalog)):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_one_lost_reply_to_duckdb_does_no_harm(name: str, harm: Harm, three: str, duck: Duck, catalog: Catalog) -> None:
    """Each kind of commit, once: the client ends well and the rows are what the statement says."""
    statement, expected = STATEMENTS[name]
    plan = Plan(harm, commits, times=1)
    with Proxy(three, plan) as proxy:
        lake = duck(proxy.endpoint)
        lake.execute(statement)
    assert len(plan.done) == 1
    clean = duck(three)
    assert rows(clean, "SELECT count(*), count(DISTINCT id) FROM lake.s.t") == [(expected, expected)]
    assert whole(catalog)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["insert", "delete", "two tables", "merge"])
def test_a_client_that_never_hears_anything_does_no_harm(
    name: str, harm: Harm, three: str, duck: Duck, catalog: Catalog
) -> None:
    """Every reply is lost, the client takes its commit for failed and deletes its files: the table stays whole."""
    statement, expected = STATEMENTS[name]
    with Proxy(three, Plan(harm, commits, times=99)) as proxy:
        lake = duck(proxy.endpoint)
        with pytest.raises(duckdb.Error):
            lake.execute(statement)
    clean = duck(three)
    wanted = expected if harm in AFTER else 3
    assert rows(clean, "SELECT count(*), count(DISTINCT id) FROM lake.s.t") == [(wanted, wanted)]
    assert whole(catalog)


@pytest.mark.parametrize("harm", AFTER)
def test_files_deleted_later_come_back_by_themselves(harm: Harm, three: str, duck: Duck, catalog: Catalog) -> None:
    """A client that gives up at once and deletes its files is noticed without anyone asking the gateway."""
    with Proxy(three, Plan(harm, commits, times=99)) as proxy:
        lake = duck(proxy.endpoint)
        lake.execute("SET http_retries = 0")
        with pytest.raises(duckdb.Error):
            lake.execute("INSERT INTO lake.s.t VALUES (10, 'x')")
    assert whole(catalog)


@pytest.mark.parametrize("harm", HARMS)
def test_a_lost_reply_to_pyiceberg_does_no_harm(harm: Harm, three: str, duck: Duck, catalog: Catalog) -> None:
    """PyIceberg may report a failure; the table holds the rows once or not at all, and can be read."""
    with Proxy(three, Plan(harm, commits, times=1)) as proxy:
        table = load_catalog("lake", type="rest", uri=proxy.endpoint, warehouse="prod").load_table("s.u")
        with suppress(
            CommitStateUnknownException, CommitFailedException, ServerError, ServiceUnavailableError, OSError
        ):
            table.append(pa.table({"id": [2]}))
    counts = {2} if harm in AFTER else {1, 2}
    assert rows(duck(three), "SELECT count(*) FROM lake.s.u")[0][0] in counts
    assert whole(catalog)


@pytest.mark.parametrize("harm", AFTER)
def test_lost_replies_to_other_changes_leave_the_lake_whole(
    harm: Harm, three: str, duck: Duck, catalog: Catalog
) -> None:
    """Making and dropping schemas and tables: a repeated request may be refused, but what is there can be read."""
    for statement in ("CREATE SCHEMA lake.x", "ALTER TABLE lake.s.u RENAME TO v", "DROP TABLE lake.s.v"):
        with Proxy(three, Plan(harm, changes, times=1)) as proxy:
            lake = duck(proxy.endpoint)
            try:
                lake.execute(statement)
            except duckdb.Error:
                assert rows(duck(three), "SELECT count(*) FROM lake.s.t") == [(3,)]
    assert [entry.name for entry in catalog.tables()] == [TableName("s", "t")]
    assert rows(duck(three), "SELECT count(*) FROM lake.s.t") == [(3,)]


@pytest.mark.parametrize("harm", HARMS)
def test_a_step_survives_a_lost_reply(harm: Harm, closed_door: str, duck: Duck, catalog: Catalog) -> None:
    """Under a step's token a repeated request is recognised too."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    with Proxy(closed_door, Plan(harm, commits, times=1)) as proxy:
        lake = duck(proxy.endpoint, stage.token)
        lake.execute("INSERT INTO lake.silver.positions VALUES (1, 'x')")
        lake.execute("INSERT INTO lake.silver.positions VALUES (2, 'y')")
    stage.publish(step("a"))
    reader = duck(closed_door, catalog.read_token())
    assert rows(reader, "SELECT id FROM lake.silver.positions ORDER BY id") == [(1,), (2,)]
