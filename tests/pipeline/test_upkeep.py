"""Upkeep of a whole lake: what it does, what it must leave, and that a kill loses nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from millpond.catalog import manifests, views
from millpond.catalog.commits import VIEW, Commit
from millpond.catalog.reachability import needed_versions, recent
from millpond.catalog.reserving import unpublished
from millpond.catalog.retention import keeping
from millpond.catalog.rewriting import dead
from millpond.core.errors import CatalogError, RunError
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.lakehouse import Lakehouse, open_lakehouse
from millpond.pipeline.doctor import diagnose
from millpond.pipeline.request import Request
from millpond.pipeline.upkeep import retention

ORDERS = TableName("bronze", "orders")
FILES = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: data/*.csv\nformat: csv\n",
    "models/silver/orders.sql": (
        "/*---\nkind: append\nkey: id\ncluster: [day, id]\n---*/\n"
        "SELECT id::INTEGER AS id, day::DATE AS day FROM bronze.orders"
    ),
    "models/gold/days.sql": "/*---\nkind: aggregate\nkey: day\n---*/\n"
    "SELECT day, count(*) AS n FROM silver.orders GROUP BY day",
}


SHORT = "retention: {all: 0m, hourly: 0m, daily: 0m, orphans: 0m}\n"


class Shop:
    """A small project; its retention can be made as short as can be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.days = 0
        for path, text in FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        (folder / "data").mkdir()
        self.lake: Lakehouse = open_lakehouse(folder)

    def day(self, *select: str) -> None:
        """A file of ten orders comes and is run."""
        self.days += 1
        rows = "".join(f"{self.days * 10 + i},2026-01-{self.days:02}\n" for i in range(10))
        file = self.folder / f"data/{self.days}.csv"
        file.write_text("id,day\n" + rows)
        os.utime(file, (1_700_000_000, 1_700_000_000))
        assert self.lake.runner.run(Request(select)).ok

    def forgetful(self) -> None:
        """From now on upkeep keeps nothing of the past, and takes every file that is not named for an orphan."""
        self.lake.close()
        (self.folder / "millpond.yaml").write_text(FILES["millpond.yaml"] + SHORT)
        self.lake = open_lakehouse(self.folder)

    def rows(self, sql: str, at: int | None = None) -> list[tuple[object, ...]]:
        """What a query gives."""
        return sorted(tuple(row.values()) for row in self.lake.tables.query(sql, at=at).rows())

    def files(self) -> set[Path]:
        """Every file of the lake."""
        return {path for path in (self.folder / ".millpond/lake").rglob("*") if path.is_file()}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """The project, closed at the end."""
    made = Shop(tmp_path)
    yield made
    made.lake.close()


def works(shop: Shop) -> list[tuple[str, str]]:
    """What upkeep would do."""
    return [(step.work, str(step.table or "lake")) for step in shop.lake.upkeep.plan().steps]


def test_a_small_lake_is_left_alone(shop: Shop) -> None:
    """One file for each table is as good as it gets."""
    shop.day()
    assert works(shop) == []
    report = shop.lake.upkeep.run()
    assert (report.ok, report.done) == (True, ())


def test_small_files_are_put_together_and_consumers_see_nothing_new(shop: Shop) -> None:
    """After a compaction of everything, a run has nothing to do but what really came."""
    for _ in range(5):
        shop.day()
    before = shop.rows("SELECT * FROM gold.days")
    assert ("compact", "silver.orders") in works(shop)
    report = shop.lake.upkeep.run()
    assert report.ok
    assert {done.step.work for done in report.done} >= {"compact"}
    assert shop.rows("SELECT * FROM gold.days") == before
    shop.day()
    newest = shop.lake.catalog.history(TableName("gold", "days"))[0]
    assert newest.ledger is not None
    assert newest.ledger.inserted == 1
    assert shop.rows("SELECT count(*), sum(n) FROM gold.days") == [(6, 60)]


def test_upkeep_is_numbered_commits_of_its_own_kind(shop: Shop) -> None:
    """History shows them."""
    for _ in range(5):
        shop.day()
    head = shop.lake.catalog.head()
    report = shop.lake.upkeep.run()
    numbers = [number for done in report.done for number in done.numbers]
    assert numbers
    assert min(numbers) > head
    assert {record.kind for record in shop.lake.catalog.history() if record.number in numbers} == {"maintain"}


def test_readers_meet_no_entries_of_files_that_went(shop: Shop) -> None:
    """The rewrite's own snapshot names what it took away; the one after it names what is there, and no more."""
    for _ in range(6):
        shop.day()
    table = TableName("silver", "orders")
    report = shop.lake.upkeep.run((str(table),))
    [done] = [done for done in report.done if done.step.work == "compact"]
    rewrite, tidied = (shop.lake.catalog.metadata(shop.lake.catalog.table(table, number)) for number in done.numbers)
    assert (dead(rewrite), dead(tidied)) == (6, 0)
    assert [row["summary"]["operation"] for row in tidied.snapshots[-2:]] == ["replace", "replace"]
    assert shop.rows("SELECT count(*) FROM silver.orders") == [(60,)]
    shop.day()
    assert shop.rows("SELECT count(*), sum(n) FROM gold.days") == [(7, 70)]


def test_entries_that_others_left_behind_are_tidied_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rewrite that was killed before its end, or another program's, is made good the next time."""
    for _ in range(6):
        shop.day()
    with monkeypatch.context() as killed:
        killed.setattr("millpond.pipeline.upkeep.tidy", lambda *_: None)
        shop.lake.upkeep.run()
    monkeypatch.setattr("millpond.pipeline.upkeep.MANY_DEAD", 5)
    assert ("merge", "silver.orders") in works(shop)
    assert shop.lake.upkeep.run().ok
    assert works(shop) == []


def test_the_past_is_kept_by_the_rule_and_then_forgotten(shop: Shop) -> None:
    """By default all of the last day can be read; where nothing is to be kept, one file of one version is left."""
    for _ in range(5):
        shop.day()
    head = shop.lake.catalog.head()
    states = {
        at: shop.rows("SELECT * FROM silver.orders", at)
        for at in range(2, head + 1)
        if shop.lake.catalog.find(TableName("silver", "orders"), at)
    }
    assert shop.lake.upkeep.run().ok
    for at, rows in states.items():
        assert shop.rows("SELECT * FROM silver.orders", at) == rows
    shop.forgetful()
    assert shop.lake.upkeep.run().ok
    assert shop.rows("SELECT * FROM silver.orders") == states[head]
    with pytest.raises(CatalogError) as gone:
        shop.rows("SELECT * FROM silver.orders", min(states))
    assert gone.value.code == "MP-3076"
    assert shop.lake.runner.run().ok  # until then the consumers have the rewrites before them
    assert shop.lake.upkeep.run().ok
    data = [path for path in shop.files() if "/silver/" in str(path) and path.suffix == ".parquet"]
    assert len(data) == 1


@pytest.mark.parametrize("dropped", [False, True])
def test_what_went_back_names_nothing_that_was_forgotten(shop: Shop, dropped: bool) -> None:
    """The version that a tag kept also named snapshots that no rule kept, and whose files went meanwhile."""
    for _ in range(3):
        shop.day()
    then, number = shop.rows("SELECT * FROM silver.orders"), shop.lake.catalog.head()
    shop.lake.tags.add("three", number, "tester")
    shop.day()
    for name in ("gold/days", "silver/orders") if dropped else ():
        (shop.folder / f"models/{name}.sql").unlink()
    shop.forgetful()
    assert shop.lake.runner.run(Request(drop=("gold.days", "silver.orders") if dropped else ())).ok
    assert shop.lake.upkeep.run().ok
    shop.lake.restore(number, "silver.orders")
    assert shop.rows("SELECT * FROM silver.orders") == then
    assert diagnose(shop.lake.project, shop.lake.catalog, shop.lake.engine).findings == ()
    assert shop.lake.upkeep.run(("bronze.orders",)).ok


def test_a_consumer_that_is_behind_keeps_what_it_needs(shop: Shop) -> None:
    """Many compactions later, with nothing else kept, it still gets exactly what came."""
    shop.day()
    shop.forgetful()
    for _ in range(5):
        shop.day("bronze.orders", "silver.orders")
        assert shop.lake.upkeep.run().ok
    assert shop.rows("SELECT * FROM gold.days")[0][1] == 10
    assert shop.lake.runner.run().ok
    newest = shop.lake.catalog.history(TableName("gold", "days"))[0]
    assert newest.ledger is not None
    assert (newest.ledger.inserted, newest.ledger.updated, newest.ledger.unchanged) == (5, 0, 0)
    assert shop.rows("SELECT count(*), sum(n) FROM gold.days") == [(6, 60)]


def test_one_table_is_judged_as_it_is_among_all(shop: Shop) -> None:
    """By readers that are behind, or gone and back, by a restore, a tag, and rewrites of it and of others."""
    for _ in range(3):
        shop.day()
    shop.lake.tags.add("three", shop.lake.catalog.head(), "tester")
    shop.day("bronze.orders", "silver.orders")
    assert shop.lake.upkeep.run().ok
    (shop.folder / "models/gold/days.sql").rename(shop.folder / "days.sql")
    shop.forgetful()
    assert shop.lake.runner.run(Request(drop=("gold.days",))).ok
    shop.day()
    shop.lake.restore(shop.lake.catalog.head() - 1)
    (shop.folder / "days.sql").rename(shop.folder / "models/gold/days.sql")
    shop.forgetful()
    shop.day("bronze.orders", "silver.orders")
    assert shop.lake.upkeep.run().ok
    shop.day()
    catalog, rule = shop.lake.catalog, retention(shop.lake.project)
    for kept in (rule.keep, recent, lambda _: ()):
        among = needed_versions(catalog, None, kept)
        assert len({version.uuid for version in among}) >= 3
        for uuid in {version.uuid for version in among}:
            alone = needed_versions(catalog, (uuid,), kept)
            assert alone == tuple(version for version in among if version.uuid == uuid)
    among = needed_versions(catalog, None, keeping(catalog, rule))
    for uuid in {version.uuid for version in among}:
        alone = needed_versions(catalog, (uuid,), keeping(catalog, rule, uuid))
        assert set(needed_versions(catalog, (uuid,), rule.keep)) <= set(alone) <= set(among)


def test_files_that_no_table_names_go_when_they_are_old(shop: Shop) -> None:
    """A young one may belong to a step that is not done yet."""
    shop.day()
    folder = Path(shop.lake.catalog.table(ORDERS).location)
    stray = folder / "data/left-behind.parquet"
    stray.write_bytes(b"x")
    assert shop.lake.upkeep.run().ok
    assert stray.exists()
    shop.forgetful()
    assert shop.lake.upkeep.run().ok
    assert not stray.exists()


def test_what_an_open_step_names_is_never_an_orphan(shop: Shop) -> None:
    """However long the step takes."""
    shop.day()
    shop.forgetful()
    stage = shop.lake.catalog.begin("slow")
    with shop.lake.engine.session(shop.lake.endpoint, stage.token) as session:
        session.execute("INSERT INTO lake.silver.orders SELECT 1000, DATE '2026-02-01'")
        assert shop.lake.upkeep.run().ok
    stage.publish(Commit("slow", "test", "tester"))
    assert (1000,) in shop.rows("SELECT id FROM silver.orders")


def test_a_table_that_was_never_published_leaves_nothing_for_ever(shop: Shop) -> None:
    """Its folder goes with its old files; one that a person made beside it stays, and so does an open step's."""
    shop.day()
    shop.forgetful()
    catalog = shop.lake.catalog
    folders = {}
    for name in ("killed", "open"):
        stage = catalog.begin(name)
        entry = stage.create_table(TableName("silver", name), Schema((Column("id", "INTEGER"),)))
        folders[name] = Path(entry.location)
        with shop.lake.engine.session(shop.lake.endpoint, stage.token) as session:
            session.execute(f"INSERT INTO lake.silver.{name} SELECT 1")
        if name == "killed":
            stage.discard()
    foreign = folders["killed"].with_name("notes-0a1b2c3d") / "data" / "kept.parquet"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"x")
    assert any(folders["killed"].rglob("*.parquet"))
    assert shop.lake.upkeep.run().ok
    assert not folders["killed"].exists()
    assert foreign.exists()
    stage.publish(Commit("open", "test", "tester"))
    assert shop.rows("SELECT id FROM silver.open") == [(1,)]
    with catalog.store.read() as connection:
        assert unpublished(connection) == frozenset()


def test_views_stand_beside_the_tables_unharmed(shop: Shop) -> None:
    """Their metadata is needed, is found by doctor, and is no table's."""
    shop.day()
    location = f"{shop.lake.catalog.warehouse.root}/silver/seen-0"
    version = {
        "version-id": 1,
        "schema-id": 0,
        "timestamp-ms": 1,
        "summary": {},
        "representations": [{"type": "sql", "sql": "SELECT 1", "dialect": "spark"}],
        "default-namespace": ["silver"],
    }
    schema = {"type": "struct", "fields": [{"id": 1, "name": "id", "type": "int", "required": False}]}
    made = views.create(schema, version, location=location, uuid=str(uuid4()), now_ms=1)
    stage = shop.lake.catalog.begin("view")
    stage.views.create(TableName("silver", "seen"), made)
    stage.publish(Commit("view", "test", "tester"))
    shop.forgetful()
    assert shop.lake.upkeep.run().ok
    entry = shop.lake.catalog.find(TableName("silver", "seen"), None, VIEW)
    assert entry is not None
    assert Path(entry.metadata_location).exists()
    assert diagnose(shop.lake.project, shop.lake.catalog, shop.lake.engine).findings == ()
    Path(entry.metadata_location).write_text("{")
    told = diagnose(shop.lake.project, shop.lake.catalog, shop.lake.engine).findings
    assert any("silver.seen" in finding.message for finding in told)


def test_selected_tables_alone_are_kept(shop: Shop) -> None:
    """A name that nothing has is refused."""
    for _ in range(5):
        shop.day()
    steps = shop.lake.upkeep.plan(("silver.orders",)).steps
    assert {str(step.table) for step in steps if step.table} == {"silver.orders"}
    with pytest.raises(RunError) as refused:
        shop.lake.upkeep.plan(("nothing",))
    assert refused.value.code == "MP-7001"


SILVER = TableName("silver", "orders")


def silver_files(shop: Shop) -> int:
    """How many data files the silver table has."""
    snapshot = shop.lake.catalog.metadata(shop.lake.catalog.table(SILVER)).current_snapshot
    return sum(len(manifests.files(one)) for one in manifests.of_snapshot(snapshot) if one.content == "data")


def partitioned(shop: Shop, by: str) -> None:
    """From now on the silver table's new files are partitioned."""
    shop.lake.close()
    path = shop.folder / "models/silver/orders.sql"
    text = re.sub(r"partition: .*\n", "", path.read_text())
    path.write_text(text.replace("key: id\n", f"key: id\npartition: [{by}]\n"))
    shop.lake = open_lakehouse(shop.folder)


@pytest.mark.parametrize(
    "specs",
    [
        ("", "bucket(8, id)"),
        ("month(day)", "bucket(8, id)"),
        ("bucket(8, id)", "month(day)"),
        ("bucket(2, id)", "bucket(3, id)"),
    ],
)
@pytest.mark.parametrize("cluster", [True, False])
def test_files_of_an_earlier_partitioning_never_become_more(shop: Shop, specs: tuple[str, str], cluster: bool) -> None:
    """Where their rows go into many partitions they stay as they were partitioned. A second time changes nothing."""
    if not cluster:
        path = shop.folder / "models/silver/orders.sql"
        path.write_text(path.read_text().replace("cluster: [day, id]\n", ""))
    if specs[0]:
        partitioned(shop, specs[0])
    for _ in range(7):
        shop.day()
    partitioned(shop, specs[1])
    for _ in range(2):
        shop.day()
    rows, before = shop.rows("SELECT * FROM silver.orders"), silver_files(shop)
    assert shop.lake.upkeep.run().ok
    after = silver_files(shop)
    assert after < before
    assert shop.rows("SELECT * FROM silver.orders") == rows
    assert shop.rows("SELECT * FROM silver.orders WHERE id % 3 = 1") == [
        row for row in rows if int(str(row[0])) % 3 == 1
    ]
    assert [step.work for step in shop.lake.upkeep.plan(("silver.orders",)).steps if step.work == "compact"] == []
    assert shop.lake.upkeep.run().ok
    assert silver_files(shop) == after
