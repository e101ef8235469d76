"""Changes between two commits: exact, whatever was done in between."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from millpond.catalog import manifests
from millpond.catalog.staging import TableChange
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.project.model import Partition
from millpond.tables.changes import Changes, between, changes
from millpond.tables.reading import deleted_sql, inserted_sql, rows_sql
from millpond.tables.slices import FileSlice, Reading
from tests.tables.lake import Lake, Rows

T = TableName("silver", "t")
NAME = '"lake"."silver"."t"'


def both(lake: Lake, found: Changes, columns: tuple[str, ...] = ("a", "b")) -> tuple[Rows, Rows]:
    """The rows that came and the rows that went."""
    return lake.rows(inserted_sql(found, columns)), lake.rows(deleted_sql(found, columns))


def rows(*pairs: tuple[Any, ...]) -> Rows:
    """Rows with their counts."""
    return Counter(pairs)


@pytest.fixture
def numbers(lake: Lake) -> int:
    """A table of (1,'x'), (2,'x'), (3,'x') in one file; the number of its commit."""
    return lake.run(
        f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)",
        f"INSERT INTO {NAME} SELECT i, 'x' FROM range(1, 4) t(i)",
    )


def test_everything_is_new_when_nothing_was_read(lake: Lake, numbers: int) -> None:
    """A consumer without a cursor gets the whole table."""
    found = changes(lake.catalog, T, None, numbers)
    assert found.whole
    assert both(lake, found) == (rows((1, "x"), (2, "x"), (3, "x")), rows())


def test_an_append_inserts_and_deletes_nothing(lake: Lake, numbers: int) -> None:
    """Only the new file is read."""
    until = lake.run(f"INSERT INTO {NAME} VALUES (4, 'y')")
    found = changes(lake.catalog, T, numbers, until)
    assert (found.whole, len(found.inserted), found.deleted) == (False, 1, ())
    assert both(lake, found) == (rows((4, "y")), rows())


def test_a_commit_without_changes_is_empty(lake: Lake, numbers: int) -> None:
    """Commits of other tables move no cursor's rows."""
    until = lake.run('CREATE TABLE "lake"."silver"."other" (a BIGINT)')
    found = changes(lake.catalog, T, numbers, until)
    assert found.empty
    assert both(lake, found) == (rows(), rows())


def test_a_delete_gives_the_rows_as_they_were(lake: Lake, numbers: int) -> None:
    """Positions in new delete files are the deleted rows."""
    until = lake.run(f"DELETE FROM {NAME} WHERE a = 2")
    assert both(lake, changes(lake.catalog, T, numbers, until)) == (rows(), rows((2, "x")))


def test_rows_deleted_before_are_not_deleted_again(lake: Lake, numbers: int) -> None:
    """Older delete files of the same data file are taken off."""
    middle = lake.run(f"DELETE FROM {NAME} WHERE a = 2")
    until = lake.run(f"DELETE FROM {NAME} WHERE a >= 2")
    assert both(lake, changes(lake.catalog, T, middle, until)) == (rows(), rows((3, "x")))


def test_an_update_takes_the_old_row_and_brings_the_new(lake: Lake, numbers: int) -> None:
    """Both images are there."""
    until = lake.run(f"UPDATE {NAME} SET b = 'z' WHERE a = 1")
    assert both(lake, changes(lake.catalog, T, numbers, until)) == (rows((1, "z")), rows((1, "x")))


def test_rows_that_came_and_went_between_are_not_seen(lake: Lake, numbers: int) -> None:
    """Only the difference of the two versions counts."""
    lake.run(f"INSERT INTO {NAME} VALUES (9, 'gone'), (8, 'stays')")
    until = lake.run(f"DELETE FROM {NAME} WHERE a = 9")
    assert both(lake, changes(lake.catalog, T, numbers, until)) == (rows((8, "stays")), rows())


def test_truncate_and_insert_replaces_all_rows(lake: Lake, numbers: int) -> None:
    """The old files go, the new ones come, in one commit."""
    with lake.step() as (stage, session):
        stage.truncate(T)
        session.execute(f"INSERT INTO {NAME} VALUES (7, 'w')")
    found = changes(lake.catalog, T, numbers, lake.catalog.head())
    assert both(lake, found) == (rows((7, "w")), rows((1, "x"), (2, "x"), (3, "x")))


def test_a_table_made_anew_is_whole(lake: Lake, numbers: int) -> None:
    """Another table of the same name has no history with the old one."""
    lake.run(f"DROP TABLE {NAME}")
    until = lake.run(f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)", f"INSERT INTO {NAME} VALUES (5, 'n')")
    found = changes(lake.catalog, T, numbers, until)
    assert found.whole
    assert both(lake, found) == (rows((5, "n")), rows())


def test_a_table_that_was_replaced_with_a_column_of_another_type_is_whole(lake: Lake, numbers: int) -> None:
    """As CREATE OR REPLACE TABLE does, by which it stays the same table: what it held cannot be read as numbers."""
    with lake.step() as (stage, session):
        schema = stage.metadata(T).schema_document
        a, b = schema["fields"]
        updates = (
            {"action": "remove-snapshot-ref", "ref-name": "main"},
            {"action": "add-schema", "schema": {**schema, "fields": [a, {**b, "type": "int"}]}},
            {"action": "set-current-schema", "schema-id": -1},
        )
        stage.commit((TableChange(T, (), updates),))
        session.execute(f"INSERT INTO {NAME} VALUES (7, 70)")
    found = changes(lake.catalog, T, numbers, lake.catalog.head())
    assert found.whole
    assert both(lake, found) == (rows((7, 70)), rows())


def test_a_table_that_was_not_there_yet_is_whole(lake: Lake, numbers: int) -> None:
    """A cursor from before the table's birth means everything."""
    assert changes(lake.catalog, T, 0, numbers).whole


def test_going_back_brings_deleted_rows_again(lake: Lake, numbers: int) -> None:
    """The difference works in both directions: a restore inserts what had been deleted."""
    later = lake.run(f"DELETE FROM {NAME} WHERE a = 2")
    found = between(lake.metadata(T, later), lake.metadata(T, numbers))
    assert both(lake, found) == (rows((2, "x")), rows())


def test_old_files_are_read_under_the_new_columns(lake: Lake, numbers: int) -> None:
    """A renamed column keeps its values, an added one is NULL in older rows, a widened one keeps its numbers."""
    until = lake.run(
        f"ALTER TABLE {NAME} RENAME COLUMN b TO c",
        f"ALTER TABLE {NAME} ADD COLUMN d INTEGER",
        f"DELETE FROM {NAME} WHERE a = 3",
        f"INSERT INTO {NAME} VALUES (4, 'new', 4)",
    )
    found = changes(lake.catalog, T, numbers, until)
    assert both(lake, found, ("a", "c", "d")) == (rows((4, "new", 4)), rows((3, "x", None)))


def test_the_origin_of_a_row_is_its_file_and_place(lake: Lake, numbers: int) -> None:
    """Tables without origin columns say where a row lies."""
    found = changes(lake.catalog, T, None, numbers)
    answer = lake.rows(inserted_sql(found, ("a",), with_origin=True))
    assert answer == rows(*((number + 1, found.inserted[0].path, number) for number in range(3)))


def test_columns_may_be_called_like_those_of_the_reader(lake: Lake) -> None:
    """`filename` and `file_row_number` are names like any other."""
    until = lake.run(
        f"CREATE TABLE {NAME} (filename VARCHAR, file_row_number BIGINT)",
        f"INSERT INTO {NAME} VALUES ('mine', 41)",
        f"DELETE FROM {NAME} WHERE file_row_number = 0",
    )
    found = changes(lake.catalog, T, None, until)
    assert lake.rows(inserted_sql(found, ("filename", "file_row_number"))) == rows(("mine", 41))


def test_an_unknown_column_is_refused_with_the_nearest(lake: Lake, numbers: int) -> None:
    """A typing error is told, not guessed."""
    found = changes(lake.catalog, T, None, numbers)
    with pytest.raises(CatalogError) as refused:
        inserted_sql(found, ("A", "bb"))
    assert (refused.value.code, refused.value.finding.suggestion) == ("MP-3041", "b")


def test_partition_values_of_any_text_are_found(lake: Lake) -> None:
    """Files lie in folders named after values; none of them is taken for a pattern."""
    values = ["x*y", "q?", "[a]", "p/q %20 é", "", "a=b", "'"]
    with lake.step() as (stage, session):
        stage.create_table(T, Schema((Column("a", "BIGINT"), Column("b", "VARCHAR"))), (Partition("b", "identity"),))
        session.execute(f"INSERT INTO {NAME} SELECT i, v FROM unnest(?) WITH ORDINALITY AS u(v, i)", [values])
        session.execute(f"INSERT INTO {NAME} VALUES (0, NULL)")
    with lake.step() as (_stage, session):
        session.execute(f"DELETE FROM {NAME} WHERE a % 2 = 1")
    found = changes(lake.catalog, T, None, lake.catalog.head())
    kept = rows((0, None), *((place, value) for place, value in enumerate(values, 1) if place % 2 == 0))
    assert both(lake, found) == (kept, rows())


def test_a_folder_with_pattern_signs_is_read_as_it_is_called(lake: Lake, tmp_path: Path) -> None:
    """A project may lie in a folder called `lake[1]`."""
    odd = tmp_path / "odd[1]*?"
    odd.mkdir()
    lake.run(f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)", f"INSERT INTO {NAME} VALUES (1, 'x')")
    found = changes(lake.catalog, T, None, lake.catalog.head())
    moved = odd / "f.parquet"
    moved.write_bytes(Path(found.inserted[0].path).read_bytes())
    sql = rows_sql(Reading((FileSlice(str(moved)),), found.layout), ("a", "b"), with_origin=True)
    assert lake.rows(sql) == rows((1, "x", str(moved), 0))


def test_no_columns_still_count_rows(lake: Lake, numbers: int) -> None:
    """A count needs no column."""
    found = changes(lake.catalog, T, None, numbers)
    assert lake.rows(f"SELECT count(*) FROM ({inserted_sql(found, ())})") == rows((3,))
    assert lake.rows(f"SELECT count(*) FROM ({deleted_sql(found, ())})") == rows((0,))


def test_nested_fields_may_be_added_but_not_renamed(lake: Lake) -> None:
    """A nested rename cannot be followed in old files: that column is refused, others are read."""
    first = lake.run(
        f"CREATE TABLE {NAME} (a BIGINT, s STRUCT(x BIGINT, y VARCHAR[]))",
        f"INSERT INTO {NAME} VALUES (1, {{'x': 10, 'y': ['p']}})",
    )
    metadata = lake.metadata(T, first)
    renamed = [
        {**field, "type": {**field["type"], "fields": [{**field["type"]["fields"][0], "name": "x2"}]}}
        if field["name"] == "s"
        else field
        for field in metadata.schema_document["fields"]
    ]
    found = changes(lake.catalog, T, None, first)
    assert lake.rows(f"SELECT a, s.x, s.y[1] FROM ({inserted_sql(found, ('a', 's'))})") == rows((1, 10, "p"))
    from_schema = {**metadata.schema_document, "schema-id": 1, "fields": renamed}
    document = {**metadata.document, "schemas": [*metadata.document["schemas"], from_schema], "current-schema-id": 1}
    moved = between(None, type(metadata)(document))
    assert lake.rows(inserted_sql(moved, ("a",))) == rows((1,))
    with pytest.raises(CatalogError, match="renamed"):
        inserted_sql(moved, ("a", "s"))


@pytest.mark.parametrize("seed", range(4))
def test_any_series_of_statements_is_followed_exactly(lake: Lake, seed: int) -> None:
    """For any two commits: the older rows, less the deleted, plus the inserted, are the newer rows."""
    follow(lake, random.Random(seed), commits=8)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_long_series_are_followed_exactly(lake: Lake, seed: int) -> None:
    """The same with more seeds and longer histories."""
    follow(lake, random.Random(seed), commits=30)


def follow(lake: Lake, chance: random.Random, commits: int) -> None:
    """Make a history and compare its changes with the full comparison of the versions."""
    partition = chance.choice([(), (Partition("a", "bucket", 2),)])
    with lake.step() as (stage, session):
        stage.create_table(T, Schema((Column("a", "BIGINT"), Column("b", "VARCHAR"))), partition)
        session.execute(f"INSERT INTO {NAME} SELECT i, 'x' FROM range(50) t(i)")
    numbers = [lake.catalog.head()]
    for _ in range(commits):
        with lake.step() as (stage, session):
            for _statement in range(chance.choice([1, 1, 3])):
                if chance.random() < 0.1:
                    stage.truncate(T)
                else:
                    session.execute(any_statement(chance))
        numbers.append(lake.catalog.head())
    versions = {number: lake.rows(f"SELECT a, b FROM {NAME}", number) for number in set(numbers)}
    for number, held in versions.items():
        assert both(lake, changes(lake.catalog, T, None, number)) == (held, rows())
    for _ in range(commits + 4):
        since, until = sorted(chance.sample(numbers, 2))
        came, went = both(lake, changes(lake.catalog, T, since, until))
        assert not went - versions[since]
        assert versions[since] - went + came == versions[until]


def any_statement(chance: random.Random) -> str:
    """An insert, delete or update of a small range."""
    low = chance.randrange(60)
    high = low + chance.randrange(20)
    return chance.choice(
        [
            f"INSERT INTO {NAME} SELECT i, 'n' || (i % 5) FROM range({low}, {high + 1}) t(i)",
            f"DELETE FROM {NAME} WHERE a BETWEEN {low} AND {high}",
            f"UPDATE {NAME} SET b = b || 'u' WHERE a BETWEEN {low} AND {high}",
        ]
    )


def test_equality_deletes_are_refused(lake: Lake, numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed says that it cannot follow them, instead of leaving rows in."""
    until = lake.run(f"DELETE FROM {NAME} WHERE a = 2")
    original = manifests.files

    def with_equality(manifest: manifests.Manifest) -> tuple[manifests.DataFile, ...]:
        return tuple(
            type(entry)(**{**entry.__dict__, "content": manifests.EQUALITY_DELETES}) if entry.content else entry
            for entry in original(manifest)
        )

    monkeypatch.setattr(manifests, "files", with_equality)
    with pytest.raises(CatalogError, match="equality deletes") as refused:
        changes(lake.catalog, T, numbers, until)
    assert refused.value.code == "MP-3038"
