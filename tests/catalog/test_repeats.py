"""Requests that arrive twice, and replies and requests that are long on their way: nothing lost, nothing doubled."""

from __future__ import annotations

import threading
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog.catalog import Catalog
from millpond.catalog.staging import TableChange
from millpond.core.names import TableName

from .clients import rows, step
from .proxy import REPEATS, Harm, Plan, Proxy, commits
from .test_replies import STATEMENTS, three, whole

Duck = Callable[..., duckdb.DuckDBPyConnection]

__all__ = ["three"]


def counted(lake: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Rows of the table, and different ones."""
    found: tuple[int, int] = rows(lake, "SELECT count(*), count(DISTINCT id) FROM lake.s.t")[0]
    return found


@pytest.mark.parametrize("harm", REPEATS)
@pytest.mark.parametrize("name", STATEMENTS)
def test_a_request_of_duckdb_that_arrives_twice_counts_once(
    name: str, harm: Harm, three: str, duck: Duck, catalog: Catalog
) -> None:
    """Each kind of commit: at once, one after the other, and long after others have committed."""
    statement, expected = STATEMENTS[name]
    plan = Plan(harm, commits, times=1)
    with Proxy(three, plan) as proxy:
        duck(proxy.endpoint).execute(statement)
        clean = duck(three)
        assert counted(clean) == (expected, expected)
        for number in (100, 101):
            clean.execute("INSERT INTO lake.s.u VALUES (?)", [number])
            clean.execute("INSERT INTO lake.s.t (id, word) VALUES (?, 'later')", [number])
        head = catalog.head()
        answers = proxy.deliver()
        assert all(status < 500 for status in answers), answers
    assert len(plan.done) == 1
    assert catalog.head() == head
    assert counted(clean) == (expected + 2, expected + 2)
    assert whole(catalog)


@pytest.mark.parametrize("harm", REPEATS)
def test_a_request_of_pyiceberg_that_arrives_twice_counts_once(
    harm: Harm, three: str, duck: Duck, catalog: Catalog
) -> None:
    """Also when it arrives once more after its snapshot was forgotten."""
    with Proxy(three, Plan(harm, commits, times=1)) as proxy:
        table = load_catalog("lake", type="rest", uri=proxy.endpoint, warehouse="prod").load_table("s.u")
        table.append(pa.table({"id": [2]}))
        clean = load_catalog("lake", type="rest", uri=three, warehouse="prod").load_table("s.u")
        for number in (3, 4):
            clean.append(pa.table({"id": [number]}))
        head = catalog.head()
        proxy.deliver()
    assert catalog.head() == head
    assert rows(duck(three), "SELECT id FROM lake.s.u ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert whole(catalog)


def test_the_first_write_of_a_table_that_arrives_again_long_after(three: str, duck: Duck, catalog: Catalog) -> None:
    """Its snapshot is named no more, so that it is not recognised by it: it is refused all the same."""
    lake = duck(three)
    lake.execute("CREATE TABLE lake.s.fresh (id BIGINT)")
    with Proxy(three, Plan("ask again later", commits, times=1)) as proxy:
        duck(proxy.endpoint).execute("INSERT INTO lake.s.fresh VALUES (1)")
        for number in range(2, 5):
            lake.execute("INSERT INTO lake.s.fresh VALUES (?)", [number])
        table = load_catalog("lake", type="rest", uri=three, warehouse="prod").load_table("s.fresh")
        oldest = table.metadata.snapshots[0].snapshot_id
        stage = catalog.begin("forget")
        change = ({"action": "remove-snapshots", "snapshot-ids": [oldest]},)
        stage.commit((TableChange(TableName("s", "fresh"), (), change),))
        stage.publish(step("forget"))
        proxy.deliver()
    assert rows(lake, "SELECT id FROM lake.s.fresh ORDER BY id") == [(1,), (2,), (3,), (4,)]
    assert whole(catalog)


def test_the_creation_of_a_table_that_arrives_again_after_it_was_dropped(
    three: str, duck: Duck, catalog: Catalog
) -> None:
    """It does not rise again."""
    with Proxy(three, Plan("ask again later", commits, times=1)) as proxy:
        duck(proxy.endpoint).execute("CREATE TABLE lake.s.n AS SELECT 1 AS a")
        lake = duck(three)
        lake.execute("DROP TABLE lake.s.n")
        proxy.deliver()
    assert {str(entry.name) for entry in catalog.tables()} == {"s.t", "s.u"}


@pytest.mark.parametrize("late", ["the reply", "the request"])
@pytest.mark.parametrize("name", ["insert", "delete", "two tables", "merge"])
def test_what_is_long_on_its_way_does_no_harm(name: str, late: str, three: str, duck: Duck, catalog: Catalog) -> None:
    """Others commit meanwhile: a late reply tells of a commit that is in, a late request is refused or counts once."""
    statement, expected = STATEMENTS[name]
    held, go = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        assert go.wait(60)

    told: list[BaseException] = []
    plan = Plan("answer late" if late == "the reply" else "ask late", commits, times=1, then=wait)
    with Proxy(three, plan) as proxy:
        lake, clean = duck(proxy.endpoint), duck(three)

        def work() -> None:
            try:
                lake.execute(statement)
            except duckdb.Error as refused:
                told.append(refused)

        thread = threading.Thread(target=work)
        thread.start()
        assert held.wait(60)
        for number in (100, 101):
            clean.execute("INSERT INTO lake.s.t VALUES (?, 'meanwhile')", [number])
        go.set()
        thread.join(60)
    refused = bool(told)
    assert refused == (late == "the request")
    wanted = 5 if refused else expected + 2
    assert counted(clean) == (wanted, wanted)
    assert whole(catalog)
