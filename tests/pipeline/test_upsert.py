"""Models of kind upsert on small lakes: deletes that are remembered, checks, rows of the input that go, going back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millpond.catalog.commits import Commit, Ledger
from millpond.catalog.repair import repair
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.pipeline.quarantine import Selection
from millpond.testing import TemporaryLake, temporary_lake

CUSTOMERS = TableName("silver", "customers")
SIDE = TableName("state", "silver__customers")

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/changes.yaml": "kind: files\npaths: ['data/*.csv']\non_change: replace\nsettle_seconds: 0\n",
    "models/silver/customers.sql": (
        "/*---\nkind: upsert\nkey: [id]\norder: changed\ndelete_when: op = 'D'\nexclude: [op]\n"
        "checks:\n  - in: {op: [I, U, D]}\n  - not_null: name\n---*/\n"
        "SELECT id::INTEGER AS id, name, changed::INTEGER AS changed, op FROM bronze.changes\n"
    ),
}


def run(lake: TemporaryLake, name: str, *records: str) -> Ledger:
    """Deliver a file of changes and run; what became of the model's rows."""
    lake.deliver(f"data/{name}.csv", "\n".join(("id,name,changed,op", *records, "")))
    report = lake.run()
    assert report.ok, report.failures
    ledger = report.outcomes[CUSTOMERS].ledger
    assert ledger is not None
    return ledger


def customers(lake: TemporaryLake) -> list[tuple[Any, ...]]:
    """The table's rows."""
    return [tuple(row.values()) for row in lake.rows("SELECT * FROM silver.customers ORDER BY ALL")]


def rejected(lake: TemporaryLake) -> list[str]:
    """The rules that records in quarantine broke."""
    return [row["rule"] for row in lake.rows("SELECT rule FROM quarantine.records ORDER BY rule")]


def test_the_newest_row_of_each_key_is_kept_and_each_row_accounted_for() -> None:
    """New, replaced, stale, equal and repeated rows are told apart; the column of the mark is not kept."""
    with temporary_lake(PROJECT) as lake:
        assert run(lake, "a", "1,Ann,5,I", "2,Bob,5,I", "2,Bob,5,I") == Ledger(
            3, inserted=2, deduplicated=1, read=3, filtered=0
        )
        ledger = run(lake, "b", "1,Anna,7,U", "1,Anne,6,U", "2,Bob,5,I", "3,Eve,1,I", "2,Bo,4,U")
        assert ledger == Ledger(5, inserted=1, updated=1, unchanged=1, stale=2, read=5, filtered=0)
        assert customers(lake) == [(1, "Anna", 7), (2, "Bob", 5), (3, "Eve", 1)]


def test_a_late_update_of_a_deleted_key_stays_dead_unless_it_is_newer() -> None:
    """A delete is remembered, even of a key that never had a row."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,Ann,5,I", "9,,8,D")
        assert run(lake, "b", "1,,7,D").deleted == 1
        late = run(lake, "c", "1,Anna,6,U", "9,Old,3,I", "1,Same,7,U")
        assert (late.stale, customers(lake)) == (3, [])
        assert run(lake, "d", "1,Again,8,I").inserted == 1
        assert customers(lake) == [(1, "Again", 8)]
        assert run(lake, "e", "1,Older,7,U").stale == 1


def test_rows_without_key_or_order_go_to_quarantine_and_deletes_need_nothing_else() -> None:
    """A delete is not held to the checks; what cannot be placed is kept aside."""
    with temporary_lake(PROJECT) as lake:
        ledger = run(lake, "a", ",Ann,5,I", "2,Bob,,I", "3,,5,I", "4,Dan,5,X", "5,Eve,5,I", "6,,5,D", "7,,x,D")
        assert (ledger.quarantined, ledger.inserted, ledger.unchanged) == (5, 1, 1)
        assert rejected(lake) == ["cast:changed", "in:op", "not_null:name", "null_key", "null_order"]


def test_a_row_that_goes_gives_way_to_the_next_newest() -> None:
    """A file that changes upstream takes its rows along: the table is as if they had never been there."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,Ann,5,I", "2,Bob,5,I")
        run(lake, "b", "1,Anna,7,U", "2,,7,D", "3,Eve,7,I")
        ledger = run(lake, "b", "4,Dan,1,I")
        notes = {event.fields.get("table"): event.fields.get("note") for event in lake.events}
        assert notes[str(CUSTOMERS)] == "rows of the input went: took in all rows of 3 keys"
        assert customers(lake) == [(1, "Ann", 5), (2, "Bob", 5), (4, "Dan", 1)]
        assert ledger == Ledger(4, inserted=2, updated=1, deleted=1, read=4, filtered=0)


def test_rows_that_go_and_do_not_matter_are_not_looked_for() -> None:
    """Where a newer row of the key is there, the input is not read again."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,Ann,5,I")
        run(lake, "b", "1,Anna,7,U")
        assert run(lake, "a", "2,Bob,5,I").staged == 1
        assert customers(lake) == [(1, "Anna", 7), (2, "Bob", 5)]


def test_the_side_table_is_not_shown_and_goes_with_its_table() -> None:
    """What is remembered stands beside the table in the same commit, out of sight, and is dropped with it."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,Ann,5,I", "2,,5,D")
        catalog = lake.lakehouse.catalog
        assert catalog.table(SIDE).commit == catalog.table(CUSTOMERS).commit
        (lake.folder / "models/silver/customers.sql").unlink()
        lake.close()
        assert lake.run(drop=(str(CUSTOMERS),)).ok
        assert lake.lakehouse.catalog.find(SIDE) is None


def test_deletes_are_remembered_after_going_back_and_building_anew() -> None:
    """The side table is restored with its table alone, and made anew by a rebuild."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,Ann,5,I", "2,Bob,5,I")
        run(lake, "b", "1,,7,D")
        number = lake.lakehouse.catalog.head()
        run(lake, "c", "1,Again,9,I", "2,,9,D")
        lake.lakehouse.restore(number, "silver.customers")
        assert customers(lake) == [(2, "Bob", 5)]
        assert lake.run().ok
        assert customers(lake) == [(1, "Again", 9)]
        assert run(lake, "d", "2,Late,8,U").stale == 1
        assert lake.run(rebuild=("silver.customers",)).ok
        assert customers(lake) == [(1, "Again", 9)]
        assert run(lake, "e", "2,Later,8,U").stale == 1
        with pytest.raises(CatalogError) as refused:
            lake.lakehouse.restore(number, "state.silver__customers")
        assert refused.value.code == "MP-3101"


def test_a_lost_side_table_is_told() -> None:
    """Without what was remembered a late row could come back to life, so the step stops."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,Ann,5,I")
        stage = lake.lakehouse.catalog.begin("by hand")
        stage.drop_table(SIDE)
        stage.publish(Commit("by hand", "external", "somebody"))
        lake.deliver("data/b.csv", "id,name,changed,op\n1,Anna,6,U\n")
        assert lake.run().failures[CUSTOMERS].code == "MP-3100"
        assert lake.run(rebuild=("silver.customers",)).ok
        assert customers(lake) == [(1, "Anna", 6)]


def test_a_damaged_side_table_takes_its_table_back_along() -> None:
    """Both are put back to when both were whole, and the next run ends where it would have."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,Ann,5,I", "2,Bob,5,I")
        run(lake, "b", "1,,7,D")
        catalog = lake.lakehouse.catalog
        Path(catalog.table(SIDE).metadata_location).write_text("{")
        catalog.cache.forget(catalog.table(SIDE).metadata_location)
        (done,) = repair(catalog, "me")
        assert (done.table, len(done.lost)) == (CUSTOMERS, 1)
        assert customers(lake) == [(1, "Ann", 5), (2, "Bob", 5)]
        assert lake.run().ok
        assert customers(lake) == [(2, "Bob", 5)]
        assert run(lake, "c", "1,Late,6,U").stale == 1


def test_a_fork_and_another_name_take_the_side_table_along() -> None:
    """What is remembered belongs to the table, wherever it goes."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,,5,D")
        trial = TableName("silver", "trial")
        lake.lakehouse.forks.fork(CUSTOMERS, trial)
        catalog = lake.lakehouse.catalog
        assert catalog.find(TableName("state", "silver__trial")) is not None
        stage = catalog.begin("by hand")
        stage.rename(trial, TableName("silver", "other"))
        stage.publish(Commit("by hand", "external", "somebody"))
        assert catalog.find(TableName("state", "silver__other")) is not None
        assert catalog.find(TableName("state", "silver__trial")) is None


def test_a_tombstone_deletes_without_a_mark() -> None:
    """A row that has nothing but key and order deletes its key."""
    model = (
        "/*---\nkind: upsert\nkey: [id]\norder: changed\ntombstones: true\n---*/\n"
        "SELECT id::INTEGER AS id, name, changed::INTEGER AS changed FROM bronze.changes\n"
    )
    with temporary_lake({**PROJECT, "models/silver/customers.sql": model}) as lake:
        run(lake, "a", "1,Ann,5,", "2,Bob,5,")
        assert run(lake, "b", "1,,6,").deleted == 1
        assert run(lake, "c", "1,Late,5,").stale == 1
        assert customers(lake) == [(2, "Bob", 5)]


def test_a_mark_that_cannot_be_told_is_a_verdict_on_its_row() -> None:
    """An expression that fails on a value quarantines the row and stops nothing."""
    sql = PROJECT["models/silver/customers.sql"].replace("op = 'D'", "op::INTEGER = 1").replace("[I, U, D]", "[0, 1]")
    sql = sql.replace("in: {op: ['0', '1']}", "not_null: op").replace("  - in: {op: [0, 1]}\n", "")
    with temporary_lake({**PROJECT, "models/silver/customers.sql": sql}) as lake:
        assert run(lake, "a", "1,Ann,5,0", "2,Bob,5,x", "3,,5,1").quarantined == 1
        assert (rejected(lake), customers(lake)) == (["delete_when"], [(1, "Ann", 5)])


def test_a_query_over_several_rows_is_compared_as_a_whole() -> None:
    """A join is computed again; what it no longer gives goes, and a late key is not kept dead by rows that are gone."""
    files = {
        **PROJECT,
        "models/silver/pairs.sql": (
            "/*---\nkind: upsert\nkey: [id]\norder: changed\ndelete_when: mark\nexclude: [mark]\n---*/\n"
            "SELECT a.id::INTEGER AS id, max(b.changed::INTEGER) AS changed, count(*) AS n, max(b.op) = 'U' AS mark\n"
            "FROM bronze.changes AS a JOIN bronze.changes AS b ON a.id = b.id GROUP BY 1\n"
        ),
    }
    with temporary_lake(files) as lake:
        run(lake, "a", "1,Ann,5,I", "2,Bob,5,U", "3,Eve,1,I")
        assert lake.rows("SELECT id, n FROM silver.pairs ORDER BY id") == [{"id": 1, "n": 1}, {"id": 3, "n": 1}]
        run(lake, "a", "2,Bob,5,I", "3,Eve,1,I", "3,Eve,2,I")
        assert lake.rows("SELECT id, n FROM silver.pairs ORDER BY id") == [{"id": 2, "n": 1}, {"id": 3, "n": 4}]


def test_what_was_rejected_and_is_no_more_is_healed() -> None:
    """A mended file heals its records, in the model that read it and in one that stands on that model's rows."""
    files = {
        **PROJECT,
        "models/silver/raw.sql": (
            "/*---\nkind: append\nkey: [id, changed]\n---*/\n"
            "SELECT id::INTEGER AS id, name, changed::INTEGER AS changed FROM bronze.changes\n"
        ),
        "models/silver/short.sql": (
            "/*---\nkind: upsert\nkey: [id]\norder: changed\nchecks:\n  - regex: {name: '^.{1,3}$'}\n---*/\n"
            "SELECT id, name, changed FROM silver.raw\n"
        ),
    }
    with temporary_lake(files) as lake:
        run(lake, "a", "1,Ann,5,I", "2,Bobby,5,X")
        run(lake, "b", "3,Chris,5,X")
        run(lake, "a", "1,Ann,5,I", "2,Bob,5,I")
        entries = lake.lakehouse.quarantine.entries(Selection(statuses=("open", "healed")))
        assert {(entry.model.name, entry.rule, entry.value, entry.status) for entry in entries} == {
            ("customers", "in:op", "X", "healed"),
            ("customers", "in:op", "X", "open"),
            ("short", "regex:name", "Bobby", "healed"),
            ("short", "regex:name", "Chris", "open"),
        }
        assert customers(lake) == [(1, "Ann", 5), (2, "Bob", 5)]
