"""Rewritten files are no changes, wherever a consumer stands."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from pyiceberg.catalog import load_catalog

from millpond.catalog import manifests
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.staging import TableChange
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.pipeline.compaction import batches, compact, gathered, merge_manifests, planned
from millpond.pipeline.positions import stage_deletes, write_deletes
from millpond.project.model import Partition
from millpond.tables.changes import Version, changes
from millpond.tables.compaction import Live, many_deletes
from millpond.tables.reading import deleted_sql, inserted_sql, rows_sql
from millpond.tables.slices import FileSlice, Layout, Reading
from tests.tables.lake import Lake, Rows

T = TableName("silver", "t")
NAME = '"lake"."silver"."t"'
COLUMNS = ("a", "b")


def late_rewrite(lake: Lake, *cursors: int, cluster: tuple[str, ...] = ()) -> Callable[[], int]:
    """A compaction of the table as it is now, for consumers at some commits; what it gives does it, later."""
    metadata = lake.metadata(T)
    found, hindrance = planned(metadata, [lake.metadata(T, at).sequence_number for at in cursors], cluster)
    assert not hindrance
    lake.steps += 1
    key = f"maintain-{lake.steps}"

    def work() -> int:
        done = [
            compact(lake.bench(), T, batch, metadata, cluster, f"{key}-{part}")
            for part, batch in enumerate(batches(found))
        ]
        return sum(one.number is not None for one in done)

    return work


def compacted(lake: Lake, *cursors: int, cluster: tuple[str, ...] = ()) -> int:
    """Compact the table as upkeep does, for consumers at some commits; how many commits that took."""
    return late_rewrite(lake, *cursors, cluster=cluster)()


def came_and_went(lake: Lake, since: int, until: int) -> tuple[Rows, Rows]:
    """The rows of the change feed."""
    found = changes(lake.catalog, T, since, until)
    return lake.rows(inserted_sql(found, COLUMNS)), lake.rows(deleted_sql(found, COLUMNS))


def make(lake: Lake, partition: tuple[Partition, ...] = ()) -> None:
    """An empty table."""
    with lake.step() as (stage, _):
        stage.create_table(T, Schema((Column("a", "BIGINT"), Column("b", "VARCHAR"))), partition)


def small_files(lake: Lake, count: int = 5, first: int = 0) -> None:
    """Some commits of ten rows."""
    for place in range(first, first + count):
        lake.run(f"INSERT INTO {NAME} SELECT i, 'x' || i % 3 FROM range({place * 10}, {place * 10 + 10}) t(i)")


def take_out(lake: Lake, path: str, first: int) -> None:
    """Delete the first rows of a file."""
    with lake.step() as (stage, session):
        session.execute(
            f"CREATE TEMP TABLE places AS SELECT '{path}' AS _mp_file, i AS _mp_place FROM range({first}) t(i)"
        )
        stage_deletes(stage, T, write_deletes(session, stage.metadata(T), {path: first}), now_ms=0)


def gathered_deletes(lake: Lake, many: int = 2) -> Callable[[], int | None]:
    """Delete files of one data file put together as upkeep does; what it gives publishes it, once."""
    metadata = lake.metadata(T)
    lake.steps += 1
    with gathered(
        lake.bench(), T, metadata, many_deletes(Live.of(metadata), (), many), f"deletes-{lake.steps}"
    ) as publish:
        return publish


def delete_files(lake: Lake) -> int:
    """How many delete files the table has now."""
    return len(Version(lake.metadata(T).current_snapshot).deletes())


def seen_by_pyiceberg(lake: Lake) -> Rows:
    """The rows as another reader has them."""
    gateway = Gateway(lake.catalog, open_access=True)
    try:
        client = load_catalog("lake", type="rest", uri=gateway.start(), warehouse="prod")
        return Counter((row["a"], row["b"]) for row in client.load_table("silver.t").scan().to_arrow().to_pylist())
    finally:
        gateway.stop()


def test_a_consumer_before_a_compaction_sees_nothing(lake: Lake) -> None:
    """The rows lie in another file; none of them came or went."""
    make(lake)
    small_files(lake)
    since = lake.catalog.head()
    rows = lake.rows(f"SELECT * FROM {NAME}")
    assert compacted(lake, since) == 1
    assert len(manifests.of_snapshot(lake.metadata(T).current_snapshot)) == 1
    assert lake.rows(f"SELECT * FROM {NAME}") == rows
    assert came_and_went(lake, since, lake.catalog.head()) == (Counter(), Counter())


def test_rows_deleted_before_and_after_a_compaction_are_seen(lake: Lake) -> None:
    """Each deleted row is seen once, in whichever file it lay."""
    make(lake)
    small_files(lake)
    since = lake.catalog.head()
    lake.run(f"DELETE FROM {NAME} WHERE a < 20 AND a % 2 = 0")
    compacted(lake, since)
    lake.run(f"DELETE FROM {NAME} WHERE a = 33")
    lake.run(f"INSERT INTO {NAME} VALUES (100, 'new')")
    came, went = came_and_went(lake, since, lake.catalog.head())
    assert came == Counter({(100, "new"): 1})
    assert went == Counter({(a, f"x{a % 3}"): 1 for a in [*range(0, 20, 2), 33]})


def test_files_on_both_sides_of_a_cursor_stay_apart(lake: Lake) -> None:
    """What is new to a consumer comes from its own files, and a row deleted of it later is never seen."""
    make(lake)
    small_files(lake)
    since = lake.catalog.head()
    small_files(lake, first=5)
    assert compacted(lake, since) == 2
    lake.run(f"DELETE FROM {NAME} WHERE a IN (3, 77)")
    came, went = came_and_went(lake, since, lake.catalog.head())
    assert came == Counter({(a, f"x{a % 3}"): 1 for a in range(50, 100) if a != 77})
    assert went == Counter({(3, "x0"): 1})


def test_merged_manifests_are_no_change(lake: Lake) -> None:
    """The same files under one manifest: same rows, same places."""
    make(lake)
    small_files(lake, 3)
    since = lake.catalog.head()
    rows = lake.rows(f"SELECT * FROM {NAME}")
    assert merge_manifests(lake.bench(), T, "merge") is not None
    assert len(manifests.of_snapshot(lake.metadata(T).current_snapshot)) == 1
    assert lake.rows(f"SELECT * FROM {NAME}") == rows
    assert came_and_went(lake, since, lake.catalog.head()) == (Counter(), Counter())
    lake.run(f"DELETE FROM {NAME} WHERE a = 5")
    assert came_and_went(lake, since, lake.catalog.head())[1] == Counter({(5, "x2"): 1})


@pytest.mark.parametrize("cluster", [("a",), ("a", "b")])
def test_clustered_files_hold_the_same_rows_once_sorted(lake: Lake, cluster: tuple[str, ...]) -> None:
    """Sorted files are left alone the next time."""
    make(lake)
    small_files(lake, 6)
    rows = lake.rows(f"SELECT * FROM {NAME}")
    assert compacted(lake, cluster=cluster) == 1
    assert lake.rows(f"SELECT * FROM {NAME}") == rows
    assert compacted(lake, cluster=cluster) == 0


def test_what_is_appended_meanwhile_stays(lake: Lake) -> None:
    """A compaction that was planned before an append keeps what was appended."""
    make(lake)
    small_files(lake)
    metadata = lake.metadata(T)
    found, _ = planned(metadata, (), ())
    lake.run(f"INSERT INTO {NAME} VALUES (999, 'late')")
    rows = lake.rows(f"SELECT * FROM {NAME}")
    done = compact(lake.bench(), T, found, metadata, (), "late")
    assert (done.before, done.after, done.left) == (5, 1, 0)
    assert lake.rows(f"SELECT * FROM {NAME}") == rows


@pytest.mark.parametrize("cluster", [(), ("a",), ("b", "a")])
def test_rows_that_went_meanwhile_are_gone_from_the_new_files(lake: Lake, cluster: tuple[str, ...]) -> None:
    """However these are sorted; of rows that are all the same, as many go as were deleted."""
    make(lake)
    small_files(lake)
    for _ in range(3):
        lake.run(f"INSERT INTO {NAME} SELECT 5, 'same' FROM range(4)")
    lake.run(f"DELETE FROM {NAME} WHERE a = 3")
    metadata = lake.metadata(T)
    since = lake.catalog.head()
    found, _ = planned(metadata, (), cluster)
    before = lake.rows(f"SELECT * FROM {NAME}")
    last = max(Version(metadata.current_snapshot).data().values(), key=lambda file: file.sequence_number)
    lake.run(f"DELETE FROM {NAME} WHERE a = 7")
    take_out(lake, last.path, 4)
    rows = lake.rows(f"SELECT * FROM {NAME}")
    assert before - rows == Counter({(7, "x1"): 1, (5, "same"): 4})
    done = compact(lake.bench(), T, found, metadata, cluster, "late")
    assert (done.before, done.after, done.left) == (8, 1, 0)
    assert lake.rows(f"SELECT * FROM {NAME}") == rows
    assert seen_by_pyiceberg(lake) == rows
    came, went = came_and_went(lake, since, lake.catalog.head())
    came.subtract(went)
    assert {row: count for row, count in came.items() if count} == {(7, "x1"): -1, (5, "same"): -4}


def test_zeros_that_went_meanwhile_are_found_though_the_new_file_has_one_for_both_signs(lake: Lake) -> None:
    """So the engine writes a column that it keeps as a dictionary."""
    for place in range(4):
        zeros = "CASE WHEN i % 2 = 0 THEN 0.0 ELSE '-0.0' END::DOUBLE AS b"
        made = f"SELECT i::BIGINT AS a, {zeros} FROM range({place * 10}, {place * 10 + 10}) t(i)"
        lake.run(f"INSERT INTO {NAME} {made}" if place else f"CREATE TABLE {NAME} AS {made}")
    work = late_rewrite(lake)
    for path in Version(lake.metadata(T).current_snapshot).data():
        take_out(lake, path, 3)
    rows = lake.rows(f"SELECT a FROM {NAME}")
    assert work() == 1
    assert (lake.rows(f"SELECT a FROM {NAME}"), len(rows), delete_files(lake)) == (rows, 28, 1)


def test_files_that_were_replaced_meanwhile_are_left(lake: Lake) -> None:
    """A rewrite takes the place of what it read, and of nothing else."""
    make(lake)
    small_files(lake)
    metadata = lake.metadata(T)
    found, _ = planned(metadata, (), ())
    assert compacted(lake) == 1
    rows = lake.rows(f"SELECT * FROM {NAME}")
    done = compact(lake.bench(), T, found, metadata, (), "late")
    assert (done.number, done.left) == (None, 5)
    assert lake.rows(f"SELECT * FROM {NAME}") == rows


def test_delete_files_of_one_data_file_become_one(lake: Lake) -> None:
    """Whoever reads the table or follows it sees the same rows; what others delete meanwhile is deleted."""
    make(lake)
    lake.run(f"INSERT INTO {NAME} SELECT i, 'x' FROM range(100) t(i)")
    start = lake.catalog.head()
    for gone in range(4):
        lake.run(f"DELETE FROM {NAME} WHERE a = {gone * 7}")
    since = lake.catalog.head()
    publish = gathered_deletes(lake)
    lake.run(f"DELETE FROM {NAME} WHERE a = 99")
    lake.run(f"INSERT INTO {NAME} VALUES (100, 'y')")
    rows = lake.rows(f"SELECT * FROM {NAME}")
    assert delete_files(lake) == 5
    assert publish() == lake.catalog.head()
    assert publish() is None
    assert delete_files(lake) == 2
    assert lake.rows(f"SELECT * FROM {NAME}") == rows
    assert seen_by_pyiceberg(lake) == rows
    assert came_and_went(lake, since, lake.catalog.head()) == (Counter({(100, "y"): 1}), Counter({(99, "x"): 1}))
    _, went = came_and_went(lake, start, lake.catalog.head())
    assert went == Counter({(gone, "x"): 1 for gone in (0, 7, 14, 21, 99)})
    summary = lake.metadata(T).current_snapshot["summary"]
    assert (summary["operation"], summary["total-delete-files"], summary["total-position-deletes"]) == (
        "replace",
        "2",
        "5",
    )
    assert compacted(lake) == 1
    assert (delete_files(lake), lake.rows(f"SELECT * FROM {NAME}")) == (0, rows)


def test_delete_files_of_a_file_that_was_rewritten_are_left(lake: Lake) -> None:
    """There is nothing that they could name any more."""
    make(lake)
    small_files(lake)
    for gone in range(4):
        lake.run(f"DELETE FROM {NAME} WHERE a = {gone}")
    publish = gathered_deletes(lake)
    assert compacted(lake) == 1
    before = lake.catalog.head()
    assert publish() is None
    assert lake.catalog.head() == before


def test_a_table_that_became_one_of_a_later_format_meanwhile_is_left(lake: Lake) -> None:
    """It takes no more delete files of this kind, and its snapshots number their rows."""
    make(lake)
    small_files(lake, count=1)
    for gone in range(2):
        lake.run(f"DELETE FROM {NAME} WHERE a = {gone}")
    publish = gathered_deletes(lake)
    with lake.step() as (stage, _):
        stage.commit((TableChange(T, (), ({"action": "upgrade-format-version", "format-version": 3},)),))
    before = lake.catalog.head()
    assert publish() is merge_manifests(lake.bench(), T, "merge") is None
    assert lake.catalog.head() == before


def test_a_table_with_a_renamed_field_inside_a_column_is_left(lake: Lake) -> None:
    """Its older files cannot be read here, so that no rewrite would ever come to an end."""
    lake.run(f"CREATE TABLE {NAME} (a BIGINT, s STRUCT(x INTEGER))")
    for place in range(5):
        lake.run(f"INSERT INTO {NAME} VALUES ({place}, {{'x': 1}})")
    with lake.step() as (stage, _):
        schema = stage.metadata(T).schema_document
        a, s = schema["fields"]
        inner = {"type": "struct", "fields": [{**s["type"]["fields"][0], "name": "y"}]}
        updates = (
            {"action": "add-schema", "schema": {**schema, "fields": [a, {**s, "type": inner}]}},
            {"action": "set-current-schema", "schema-id": -1},
        )
        stage.commit((TableChange(T, (), updates),))
    told = "a field inside its column s was renamed, by which older files cannot be read"
    assert planned(lake.metadata(T), (), ()) == ((), told)


def test_what_a_client_said_of_how_long_the_past_is_kept_stays(lake: Lake) -> None:
    """The branch moves to the snapshot of the rewrite, and is the same otherwise."""
    make(lake)
    small_files(lake)
    with lake.step() as (stage, _):
        main = {**stage.metadata(T).document["refs"]["main"], "min-snapshots-to-keep": 7}
        stage.commit((TableChange(T, (), ({**main, "action": "set-snapshot-ref", "ref-name": "main"},)),))
    assert compacted(lake) == 1
    number = lake.metadata(T).document["current-snapshot-id"]
    assert lake.metadata(T).document["refs"]["main"] == {**main, "snapshot-id": number}


def test_parts_of_one_file_that_went_at_different_times_are_read_apart(lake: Lake) -> None:
    """What one part leaves out is not left out of the other."""
    make(lake)
    lake.run(f"INSERT INTO {NAME} SELECT i, 'x' FROM range(10) t(i)")
    versions = [Version(lake.metadata(T).current_snapshot)]
    for gone in (1, 2):
        lake.run(f"DELETE FROM {NAME} WHERE a = {gone}")
        versions.append(Version(lake.metadata(T).current_snapshot))
    [(path, part)] = versions[0].slices().items()
    first, second = (tuple(version.slices()[path].deletes) for version in versions[1:])
    parts = (FileSlice(path, part.deletes, first), FileSlice(path, first, second))
    rows = lake.rows(rows_sql(Reading(parts, Layout.of(lake.metadata(T))), COLUMNS))
    assert rows == Counter({(1, "x"): 1, (2, "x"): 1})


def followed(lake: Lake, seed: int, rounds: int) -> None:
    """Random work on a table, with upkeep in between; every pair of commits is compared with plain Python."""
    chance = random.Random(seed)
    make(lake, chance.choice([(), (Partition("b", "identity"),), (Partition("a", "truncate", 20),)]))
    states: dict[int, Rows] = {}
    cursors = [lake.catalog.head()] * 3
    late: list[Callable[[], object]] = []
    for _ in range(rounds):
        work = chance.random()
        low = chance.randrange(100)
        if work < 0.4:
            lake.run(
                f"INSERT INTO {NAME} SELECT i, 'x' || i % 3 FROM range({low}, {low + chance.randrange(1, 9)}) t(i)"
            )
        elif work < 0.6:
            lake.run(f"DELETE FROM {NAME} WHERE a BETWEEN {low} AND {low + chance.randrange(30)}")
        elif work < 0.7:
            lake.run(f"UPDATE {NAME} SET b = 'u' WHERE a BETWEEN {low} AND {low + 10}")
        elif work < 0.8:
            compacted(lake, *cursors, cluster=chance.choice([(), ("b", "a")]))
        elif work < 0.9:
            cluster = chance.choice([(), ("b", "a")])
            late.append(
                late_rewrite(lake, *cursors, cluster=cluster) if chance.random() < 0.6 else gathered_deletes(lake)
            )
        elif work < 0.95 and late:
            late.pop(chance.randrange(len(late)))()
        else:
            lake.steps += 1
            merge_manifests(lake.bench(), T, f"merge-{lake.steps}")
        states[lake.catalog.head()] = lake.rows(f"SELECT a, b FROM {NAME}")
        if chance.random() < 0.4:
            cursors[chance.randrange(3)] = lake.catalog.head()
    numbers = sorted(states)
    for since in {*numbers[:: max(1, len(numbers) // 6)], *(n for n in cursors if n in states)}:
        until = numbers[-1]
        came, went = came_and_went(lake, since, until)
        came.subtract(went)
        came.subtract(states[until])
        came.update(states[since])
        assert not any(came.values()), (seed, since, until)


@pytest.mark.parametrize("seed", range(4))
def test_any_series_with_compactions_is_followed_exactly(lake: Lake, seed: int) -> None:
    """What came less what went is the difference of the full tables, for consumers anywhere."""
    followed(lake, seed, 14)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 140))
def test_many_long_series_with_compactions_are_followed_exactly(lake: Lake, seed: int) -> None:
    """The same, many times and longer."""
    followed(lake, seed, 60)
