"""Stage and publish: what a step sees, what others see, and what becomes of two that meet."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from millpond.catalog import publishing
from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Cursor, Ledger
from millpond.catalog.staging import Stage, TableChange
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.project.model import Partition

from .clients import NAME, OTHER, SCHEMA, files_under, rows, step

Duck = Callable[..., duckdb.DuckDBPyConnection]


def made(catalog: Catalog, *names: TableName) -> None:
    """Publish empty tables."""
    stage = catalog.begin("make " + " ".join(map(str, names)))
    for name in names:
        stage.create_table(name, SCHEMA)
    stage.publish(step(stage.step_key))


def append(duck: Duck, door: str, stage: Stage, first: int, count: int = 1) -> None:
    """Insert rows under a step's token."""
    lake = duck(door, stage.token)
    lake.execute(f"INSERT INTO lake.silver.positions SELECT range, 'w' FROM range({first}, {first + count})")


def ids(duck: Duck, door: str, catalog: Catalog) -> list[int]:
    """The ids that a reader sees."""
    lake = duck(door, catalog.read_token())
    return [row[0] for row in rows(lake, "SELECT id FROM lake.silver.positions ORDER BY id")]


def test_what_a_step_did_is_past_when_its_engine_begins(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """However fast it was done: to a transaction that begins in the same millisecond it would not be there."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    append(duck, closed_door, stage, 0)
    (first,) = stage.metadata(NAME).document["snapshots"]
    several = [
        {**first, "snapshot-id": number, "sequence-number": number, "parent-snapshot-id": first["snapshot-id"]}
        for number in range(2, 32)
    ]
    stage.commit((TableChange(NAME, (), tuple({"action": "add-snapshot", "snapshot": one} for one in several)),))
    times = [snapshot["timestamp-ms"] for snapshot in stage.metadata(NAME).document["snapshots"]]
    assert times == sorted(set(times))
    assert times[-1] <= time.time_ns() // 1_000_000


def test_staged_work_is_seen_by_its_step_alone(catalog: Catalog) -> None:
    """Nobody else sees a table before it is published; then everybody does."""
    stage, other = catalog.begin("a"), catalog.begin("b")
    entry = stage.create_table(NAME, SCHEMA)
    assert stage.find(NAME) == entry
    assert [found.name for found in stage.tables()] == [NAME]
    assert stage.changed() == (NAME,)
    assert other.find(NAME) is None
    assert catalog.find(NAME) is None
    stage.publish(step("a"))
    assert catalog.find(NAME) is not None
    assert other.find(NAME) is None, "the other step still sees the commit that it began at"
    assert catalog.begin("c").find(NAME) == catalog.find(NAME)


def test_a_step_may_begin_at_an_earlier_commit(catalog: Catalog) -> None:
    """Reads of a step are pinned at its base."""
    made(catalog, NAME)
    made(catalog, OTHER)
    assert [entry.name for entry in catalog.begin("x", base=1).tables()] == [NAME]


def test_a_table_is_made_as_declared(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """Columns, partitioning, properties and place are those that were asked for, and DuckDB writes by them."""
    stage = catalog.begin("a")
    schema = Schema(
        (Column("ts", "TIMESTAMP", required=True, doc="when"), Column("x", "STRUCT(a BIGINT, b VARCHAR[])"))
    )
    entry = stage.create_table(NAME, schema, (Partition("ts", "day"),), {"owner": "team"})
    assert Path(entry.location).parent == Path(catalog.warehouse.root) / "silver"
    assert Path(entry.location).name.startswith("positions-")
    lake = duck(closed_door, stage.token)
    lake.execute("INSERT INTO lake.silver.positions VALUES (TIMESTAMP '2026-11-01', {'a': 1, 'b': ['c']})")
    stage.publish(step("a"))
    metadata = catalog.metadata(catalog.table(NAME))
    assert metadata.properties == {"owner": "team", "write.parquet.compression-codec": "zstd"}
    assert [field["transform"] for field in metadata.spec["fields"]] == ["day"]
    assert [(column.name, column.required, column.doc) for column in metadata.schema()] == [
        ("ts", True, "when"),
        ("x", False, None),
    ]
    (data,) = files_under(Path(entry.location) / "data", "*.parquet")
    assert data.parent.name == "ts_day=20758"


def test_columns_are_added_at_the_end_with_ids_of_their_own(catalog: Catalog) -> None:
    """New columns never take an id that was used, nested ones included."""
    made(catalog, NAME)
    stage = catalog.begin("b")
    stage.add_columns(NAME, (Column("place", "STRUCT(lon DOUBLE, lat DOUBLE)"), Column("speed", "DOUBLE")))
    stage.publish(step("b"))
    metadata = catalog.metadata(catalog.table(NAME))
    assert metadata.field_ids() == {"id": 1, "word": 2, "place": 3, "speed": 4}
    assert metadata.document["last-column-id"] == 6


def test_truncated_tables_are_filled_anew(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """After a truncate the step sees nothing and its insert replaces the contents; others see the old rows."""
    made(catalog, NAME)
    first = catalog.begin("b")
    append(duck, closed_door, first, 0, 10)
    first.publish(step("b"))
    stage = catalog.begin("c")
    stage.truncate(NAME)
    lake = duck(closed_door, stage.token)
    assert rows(lake, "SELECT count(*) FROM lake.silver.positions") == [(0,)]
    append(duck, closed_door, stage, 100)
    assert ids(duck, closed_door, catalog) == list(range(10))
    stage.publish(step("c"))
    assert ids(duck, closed_door, catalog) == [100]


def test_truncating_an_empty_table_changes_nothing(catalog: Catalog) -> None:
    """A table that nobody has written needs no empty snapshot."""
    made(catalog, NAME)
    stage = catalog.begin("b")
    stage.truncate(NAME)
    assert stage.changed() == ()


def test_what_is_made_and_dropped_in_one_step_leaves_no_trace(catalog: Catalog) -> None:
    """A scratch table is no part of the commit."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    stage.drop_table(NAME)
    assert stage.changed() == ()
    assert catalog.history(NAME) == ()


def test_taken_and_missing_names_are_refused(catalog: Catalog) -> None:
    """A table cannot be made twice, nor changed when it is not there."""
    made(catalog, NAME)
    stage = catalog.begin("b")
    with pytest.raises(CatalogError, match="already exists") as taken:
        stage.create_table(NAME, SCHEMA)
    assert taken.value.code == "MP-3003"
    for act in (stage.drop_table, stage.truncate, stage.metadata):
        with pytest.raises(CatalogError) as missing:
            act(OTHER)
        assert missing.value.code == "MP-3001"


def test_a_published_step_is_recognised(catalog: Catalog) -> None:
    """The same key a second time changes nothing and answers the first number."""
    made(catalog, NAME)
    again = catalog.begin("make silver.positions", base=0)
    again.create_table(NAME, SCHEMA)
    entry = catalog.table(NAME)
    answer = again.publish(step("make silver.positions"))
    assert (answer.number, answer.repeated) == (1, True)
    assert catalog.head() == 1
    assert catalog.table(NAME) == entry


def test_a_step_ends_with_its_publication(catalog: Catalog) -> None:
    """Neither the stage nor its token is good for anything afterwards."""
    stage = catalog.begin("a")
    token = stage.token
    stage.publish(step("a"))
    assert catalog.tokens.resolve(token) is None
    with pytest.raises(CatalogError) as ended:
        stage.create_table(NAME, SCHEMA)
    assert ended.value.code == "MP-3012"
    with pytest.raises(CatalogError):
        stage.publish(step("a"))


def test_a_discarded_step_leaves_nothing_visible(catalog: Catalog) -> None:
    """Staged work that is given up was never there."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    stage.discard()
    assert catalog.head() == 0
    assert catalog.tokens.resolve(stage.token) is None


def test_a_ledger_that_does_not_add_up_stops_the_commit(catalog: Catalog) -> None:
    """A lost row is found before anything is visible; the stage may be corrected."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    with pytest.raises(CatalogError) as wrong:
        stage.publish(step("a", ledger=Ledger(3, inserted=2)))
    assert wrong.value.code == "MP-3013"
    assert catalog.head() == 0
    assert stage.publish(step("a", ledger=Ledger(3, inserted=3))).number == 1


def test_several_tables_and_the_cursor_are_one_commit(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """Two tables written by DDL and several statements become visible together, with the cursor."""
    made(catalog, NAME)
    stage = catalog.begin("b")
    lake = duck(closed_door, stage.token)
    lake.execute("INSERT INTO lake.silver.positions VALUES (1, 'a')")
    lake.execute("CREATE TABLE lake.gold.trips AS SELECT * FROM lake.silver.positions")
    lake.execute("BEGIN")
    lake.execute("DELETE FROM lake.silver.positions")
    lake.execute("INSERT INTO lake.silver.positions VALUES (2, 'b')")
    lake.execute("INSERT INTO lake.gold.trips VALUES (3, 'c')")
    lake.execute("COMMIT")
    assert rows(lake, "SELECT id FROM lake.silver.positions") == [(2,)]
    assert stage.changed() == (OTHER, NAME)
    outside = duck(closed_door, catalog.read_token())
    assert rows(outside, "SELECT count(*) FROM lake.silver.positions") == [(0,)]
    assert stage.publish(step("b", cursors=(Cursor(OTHER, NAME, 1),))).number == 2
    after = duck(closed_door, catalog.read_token())
    assert rows(after, "SELECT id FROM lake.gold.trips ORDER BY id") == [(1,), (3,)]
    assert rows(after, "SELECT id FROM lake.silver.positions") == [(2,)]
    assert rows(outside, "SELECT count(*) FROM lake.silver.positions") == [(0,)], "its token is pinned"
    assert catalog.cursors().get((OTHER, NAME)) == 1
    assert catalog.history()[0].tables == (OTHER, NAME)


def test_a_step_that_meets_another_commit_is_told(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """The second of two steps on one table is refused, and nothing of it is visible, not even its other table."""
    made(catalog, NAME, OTHER)
    one, two = catalog.begin("one"), catalog.begin("two")
    append(duck, closed_door, one, 1)
    append(duck, closed_door, two, 2)
    two.add_columns(OTHER, (Column("more", "BIGINT"),))
    before = files_under(Path(catalog.warehouse.root), "*.metadata.json")
    one.publish(step("one"))
    with pytest.raises(ConflictError) as conflict:
        two.publish(step("two"))
    assert conflict.value.code == "MP-3010"
    assert ids(duck, closed_door, catalog) == [1]
    assert catalog.table(OTHER).commit == 1
    assert catalog.published("two") is None
    assert len(files_under(Path(catalog.warehouse.root), "*.metadata.json")) == len(before) + 1, "no file is left over"


def test_blind_appends_are_moved_onto_the_newest_state(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """Steps that only add rows all go in, whatever the order in which they publish."""
    made(catalog, NAME)
    stages = [catalog.begin(f"load {number}") for number in range(4)]
    for number, stage in enumerate(stages):
        append(duck, closed_door, stage, number * 10, 3)
        append(duck, closed_door, stage, number * 10 + 5)
    for stage in reversed(stages):
        stage.publish(step(stage.step_key, blind=True))
    assert ids(duck, closed_door, catalog) == [tens + one for tens in (0, 10, 20, 30) for one in (0, 1, 2, 5)]
    summary = (catalog.metadata(catalog.table(NAME)).current_snapshot or {})["summary"]
    assert summary["total-records"] == "16"


def test_a_blind_step_that_deletes_is_not_moved(catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """Only appends can be moved: a delete looked at the table."""
    made(catalog, NAME)
    first = catalog.begin("first")
    append(duck, closed_door, first, 0, 3)
    first.publish(step("first"))
    one, two = catalog.begin("one"), catalog.begin("two")
    append(duck, closed_door, one, 7)
    duck(closed_door, two.token).execute("DELETE FROM lake.silver.positions WHERE id = 1")
    one.publish(step("one"))
    with pytest.raises(ConflictError):
        two.publish(step("two", blind=True))
    assert ids(duck, closed_door, catalog) == [0, 1, 2, 7]


def test_a_blind_step_is_tried_again_when_it_is_overtaken(
    catalog: Catalog, closed_door: str, duck: Duck, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that comes between the look at the pointer and its swap is followed by another try."""
    made(catalog, NAME)
    slow, quick = catalog.begin("slow"), catalog.begin("quick")
    append(duck, closed_door, slow, 1)
    append(duck, closed_door, quick, 2)
    waiting = [quick]
    monkeypatch.setattr(publishing.Publisher, "_record", _between(publishing.Publisher._record, waiting))
    assert slow.publish(step("slow", blind=True)).number == 3
    assert ids(duck, closed_door, catalog) == [1, 2]


def _between(original: Callable[..., object], waiting: list[Stage]) -> Callable[..., object]:
    """A publication that lets another one in first."""

    def record(*given: object) -> object:
        if waiting:
            waiting.pop().publish(step("quick", blind=True))
        return original(*given)

    return record


def test_a_client_commit_is_all_or_nothing_in_the_stage(catalog: Catalog) -> None:
    """When the second change of a request fails, the first is not staged either."""
    made(catalog, NAME, OTHER)
    stage = catalog.begin("b")
    good = TableChange(NAME, (), ({"action": "set-properties", "updates": {"a": "b"}},))
    wrong = TableChange(OTHER, ({"type": "assert-table-uuid", "uuid": "other"},), ())
    with pytest.raises(ConflictError):
        stage.commit((good, wrong))
    assert stage.changed() == ()


def test_a_renamed_table_keeps_its_file_and_its_age(catalog: Catalog) -> None:
    """A rename moves the pointer only."""
    made(catalog, NAME)
    entry = catalog.table(NAME)
    stage = catalog.begin("b")
    stage.rename(NAME, OTHER)
    stage.publish(step("b"))
    renamed = catalog.table(OTHER)
    assert catalog.find(NAME) is None
    assert (renamed.metadata_location, renamed.uuid, renamed.created) == (entry.metadata_location, entry.uuid, 1)


def test_two_processes_share_one_store(store_url: str, catalog: Catalog, closed_door: str, duck: Duck) -> None:
    """Steps of two processes interleave; each is in once, and every number is used once."""
    made(catalog, NAME)
    where = (store_url, catalog.warehouse.root)
    script = Path(__file__).with_name("appender.py")
    workers = [subprocess.Popen([sys.executable, script, *where, str(first), "6"]) for first in (0, 100)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    assert ids(duck, closed_door, catalog) == [*range(6), *range(100, 106)]
    assert sorted(record.number for record in catalog.history()) == list(range(1, 14))
