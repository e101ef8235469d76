"""A `unique` check that has rows stand aside: any order and batching of arrival gives one table and one quarantine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.catalog.commits import Commit, Ledger
from millpond.core.names import TableName, side_table
from millpond.pipeline.proving import prove
from millpond.pipeline.quarantine import Selection
from millpond.project.case_file import read_tests
from millpond.quality.edits import Assignments
from millpond.quality.entries import Entry
from millpond.testing import TemporaryLake, temporary_lake

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/people.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\non_change: replace\n",
    "models/silver/people.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {id: [0, 90]}\n"
        "  - unique: email\n    severity: quarantine\n  - unique: [phone, city]\n    severity: quarantine\n---*/\n"
        "SELECT id::INTEGER AS id, city, email, phone FROM bronze.people\n"
    ),
    "models/silver/flats.sql": (
        "/*---\nkind: append\nkey: [id]\n---*/\nSELECT id, city FROM silver.people WHERE phone IS NOT NULL\n"
    ),
    "models/gold/cities.sql": (
        "/*---\nkind: aggregate\nkey: [city]\nchecks:\n  - unique: people\n    severity: quarantine\n---*/\n"
        "SELECT city, count(*) AS people, max(email) AS last FROM silver.people GROUP BY city\n"
    ),
    "models/gold/sizes.sql": (
        "/*---\nkind: aggregate\nkey: [people]\n---*/\nSELECT people, count(*) AS n FROM gold.cities GROUP BY people\n"
    ),
    "models/gold/phones.sql": (
        "/*---\nkind: replace\nchecks:\n  - unique: phone\n    severity: quarantine\n---*/\n"
        "SELECT phone, city FROM silver.people WHERE phone IS NOT NULL\n"
    ),
}

Row = tuple[Any, ...]
Reject = tuple[str, str, Row]

records = st.tuples(
    st.sampled_from(["1", "2", "3", "4", "99"]),
    st.sampled_from(["oslo", "rome"]),
    st.sampled_from(["a", "b", ""]),
    st.sampled_from(["7", "8", ""]),
)
histories = st.lists(st.tuples(st.integers(0, 3), st.lists(records, min_size=1, max_size=4)), min_size=1, max_size=5)


def deliver(lake: TemporaryLake, file: object, batch: list[Row]) -> None:
    """A file of records, perhaps in the place of another, and a run; a ledger that does not add up would fail it."""
    lines = [f"{','.join(record)},{file}\n" for record in batch]  # the file: else equal files would be copies
    lake.deliver(f"data/f{file}.csv", "id,city,email,phone,file\n" + "".join(lines))
    report = lake.run()
    assert report.ok, report.failures


def content_order(row: Row) -> tuple[Any, ...]:
    """The least first, NULL last."""
    return tuple((value is None, value if value is not None else "") for value in row)


def settled(rows: set[Row], checks: dict[str, tuple[int, ...]]) -> tuple[set[Row], set[tuple[str, Row]]]:
    """What stays of rows of different keys, and what the checks, one after another, reject."""
    rejected: set[tuple[str, Row]] = set()
    for rule, columns in checks.items():
        first: dict[Row, Row] = {}
        for row in sorted(rows, key=content_order):
            values = tuple(row[column] for column in columns)
            if None not in values and first.setdefault(values, row) is not row:
                rejected.add((rule, row))
        rows = rows - {row for _, row in rejected}
    return rows, rejected


def reference(every: list[Row]) -> tuple[dict[str, list[Row]], set[Reject]]:
    """What the models mean, over all records at once, in plain Python: tables, and open records of quarantine."""
    typed = {(int(number), city, email or None, phone or None) for number, city, email, phone in every}
    rejects: set[Reject] = set()
    winners: dict[int, Row] = {}
    good = sorted((row for row in typed if row[0] <= 90), key=content_order)
    for row in good:
        if winners.setdefault(row[0], row) is not row:
            rejects.add(("people", "key_conflict", row))
    people, beaten = settled(set(winners.values()), {"unique:email": (2,), "unique:phone,city": (3, 1)})
    rejects |= {("people", rule, row) for rule, row in beaten}
    groups: dict[str, list[Row]] = {}
    for row in people:
        groups.setdefault(row[1], []).append(row)
    lasts = {city: max((row[2] for row in rows if row[2] is not None), default=None) for city, rows in groups.items()}
    cities, beaten = settled({(city, len(rows), lasts[city]) for city, rows in groups.items()}, {"unique:people": (1,)})
    rejects |= {("cities", rule, row[:1]) for rule, row in beaten}
    sizes: dict[int, int] = {}
    for city in cities:
        sizes[city[1]] = sizes.get(city[1], 0) + 1
    phones = [(row[3], row[1]) for row in people if row[3] is not None]
    listed, beaten = settled(set(phones), {"unique:phone": (0,)})
    rejects |= {("phones", rule, row) for rule, row in beaten}
    tables = {
        "silver.people": people,
        "silver.flats": {row[:2] for row in people if row[3] is not None},
        "gold.cities": cities,
        "gold.sizes": set(sizes.items()),
        "gold.phones": listed,
    }
    return {table: sorted(rows, key=content_order) for table, rows in tables.items()}, rejects


def tables(lake: TemporaryLake, names: list[str]) -> dict[str, list[Row]]:
    """Every table's rows, in order."""
    return {
        name: sorted((tuple(row.values()) for row in lake.rows(f"SELECT * FROM {name}")), key=content_order)
        for name in names
    }


def rejects(lake: TemporaryLake) -> set[Reject]:
    """The open records of quarantine that lost to another row: table, rule and content."""
    found = set()
    for entry in lake.lakehouse.quarantine.entries(Selection(statuses=("open",))):
        if entry.rule.startswith(("unique", "key_conflict")):
            row = tuple(json.loads(entry.raw or "{}").values())
            found.add((entry.model.name, entry.rule, row[:1] if entry.model.name == "cities" else row))
    return found


def check_history(history: list[tuple[int, list[Row]]]) -> None:
    """Let files arrive and be replaced, one by one; all must always be what the records there mean at once."""
    with temporary_lake(PROJECT) as lake:
        there: dict[int, list[Row]] = {}
        for file, batch in history:
            deliver(lake, file, batch)
            there[file] = batch
            meant, beaten = reference([record for each in there.values() for record in each])
            assert tables(lake, list(meant)) == meant
            assert rejects(lake) == beaten


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(histories)
def test_any_arrival_gives_what_all_records_at_once_mean(history: list[tuple[int, list[Row]]]) -> None:
    """Duplicates, conflicts of keys and of values, files that are replaced: tables and quarantine, after each file."""
    check_history(history)


@pytest.mark.long
@pytest.mark.timeout(6000)
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(histories)
def test_any_arrival_in_many_rounds(history: list[tuple[int, list[Row]]]) -> None:
    """The same, with hundreds of histories."""
    check_history(history)


SMALL = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/people.yaml": PROJECT["sources/people.yaml"],
    "models/silver/people.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - unique: email\n    severity: quarantine\n---*/\n"
        "SELECT id::INTEGER AS id, email FROM bronze.people\n"
    ),
}
PEOPLE = TableName("silver", "people")


def arrive(lake: TemporaryLake, file: str, *people: str) -> Ledger:
    """A file of people, and a run; the ledger of the model's step."""
    lake.deliver(f"data/{file}.csv", "id,email,file\n" + "".join(f"{person},{file}\n" for person in people))
    report = lake.run()
    assert report.ok, report.failures
    ledger = report.outcomes[PEOPLE].ledger
    assert ledger is not None
    return ledger


def people(lake: TemporaryLake) -> list[Row]:
    """The table."""
    return [tuple(row.values()) for row in lake.rows("SELECT id, email FROM silver.people ORDER BY ALL")]


def entries(lake: TemporaryLake) -> list[Entry]:
    """All that is or was in quarantine, in a fixed order."""
    every = Selection(statuses=("open", "fixed", "replayed", "discarded", "healed"))
    return sorted(lake.lakehouse.quarantine.entries(every), key=lambda entry: (entry.rule, entry.raw or ""))


def lives(lake: TemporaryLake) -> list[tuple[str, str | None, str]]:
    """(rule, value, status) of each record."""
    return [(entry.rule, entry.value, entry.status) for entry in entries(lake)]


@pytest.mark.parametrize("first", ["1,ann@x", "2,ann@x"])
def test_who_comes_first_does_not_matter(first: str) -> None:
    """Of two people with one address the least by content stays, also where the other stood in the table."""
    second = "2,ann@x" if first == "1,ann@x" else "1,ann@x"
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", first, "3,eve@x")
        ledger = arrive(lake, "b", second)
        assert people(lake) == [(1, "ann@x"), (3, "eve@x")]
        (lost,) = entries(lake)
        assert (lost.rule, lost.value, lost.raw) == ("unique:email", "ann@x", '{"id":2,"email":"ann@x"}')
        assert lost.reason == "another row of the same email stays, by content"
        if second == "2,ann@x":
            assert ledger == Ledger(1, quarantined=1, read=1, filtered=0)
        else:  # the row that left the table is met again, and counts as staged
            assert ledger == Ledger(2, inserted=1, deleted=1, read=2, filtered=0)


def test_a_row_comes_back_when_its_rival_takes_another_value() -> None:
    """The rival's key goes to a row with another address, so nothing stands in the way any more."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x")
        ledger = arrive(lake, "b", "1,ann@x")
        assert people(lake) == [(1, "ann@x"), (2, "bob@x")]
        assert lives(lake) == [("key_conflict", "1", "open"), ("unique:email", "bob@x", "healed")]
        assert ledger == Ledger(2, inserted=1, updated=1, read=2, filtered=0)


def test_a_row_that_stands_aside_may_lose_its_key_as_well() -> None:
    """Then the conflict of keys is what keeps it out, and no longer the value."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x")
        arrive(lake, "b", "2,ann@x")
        assert people(lake) == [(1, "bob@x"), (2, "ann@x")]
        assert lives(lake) == [("key_conflict", "2", "open"), ("unique:email", "bob@x", "healed")]


def test_a_row_comes_back_when_its_rival_goes_from_the_input() -> None:
    """A file is replaced by one without the rival."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,bob@x")
        arrive(lake, "b", "2,bob@x")
        arrive(lake, "a", "3,eve@x")
        assert people(lake) == [(2, "bob@x"), (3, "eve@x")]
        assert lives(lake) == [("unique:email", "bob@x", "healed")]


def test_a_loser_that_goes_from_the_input_is_listed_no_longer() -> None:
    """It never stood in the way of anything; its record heals, unless an equal row is left."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,ann@x", "1,bob@x")
        arrive(lake, "b", "1,bob@x", "1,eve@x")
        arrive(lake, "b", "2,dan@x")
        assert people(lake) == [(1, "ann@x"), (2, "dan@x")]
        assert [(entry.raw, entry.status) for entry in entries(lake)] == [
            ('{"id":1,"email":"bob@x"}', "open"),
            ('{"id":1,"email":"eve@x"}', "healed"),
        ]


def test_the_same_row_again_is_a_duplicate_and_repeats_nothing() -> None:
    """In one file and in the next, whether it stays or stands aside."""
    with temporary_lake(SMALL) as lake:
        assert arrive(lake, "a", "1,a@x", "1,a@x", "2,a@x") == Ledger(
            3, inserted=1, deduplicated=1, quarantined=1, read=3, filtered=0
        )
        assert arrive(lake, "b", "1,a@x", "2,a@x") == Ledger(2, deduplicated=2, read=2, filtered=0)
        assert lives(lake) == [("unique:email", "a@x", "open")]


def test_null_repeats_nothing() -> None:
    """Rows without a value all stay."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,", "2,")
        arrive(lake, "b", "3,")
        assert people(lake) == [(1, None), (2, None), (3, None)]
        assert entries(lake) == []


def test_what_was_given_up_stays_so() -> None:
    """A discarded record is neither opened again nor healed, whatever becomes of its row."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x")
        lake.lakehouse.quarantine.discard(entries(lake), "known")
        arrive(lake, "b", "3,eve@x")
        assert lives(lake) == [("unique:email", "bob@x", "discarded")]
        arrive(lake, "a", "2,bob@x")
        assert people(lake) == [(2, "bob@x"), (3, "eve@x")]
        arrive(lake, "c", "1,bob@x")
        assert people(lake) == [(1, "bob@x"), (3, "eve@x")]
        assert lives(lake) == [("unique:email", "bob@x", "discarded")]


def test_a_mended_row_takes_its_place() -> None:
    """The record is replayed, also where what it loses to stays."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x", "3,eve@x")
        (lost,) = entries(lake)
        quarantine = lake.lakehouse.quarantine
        quarantine.assign([lost], Assignments({"email": "rob@x"}))
        arrive(lake, "b", "4,dan@x")
        assert lives(lake) == [("unique:email", "bob@x", "fixed")]
        assert quarantine.replay(entries(lake)).ok
        assert people(lake) == [(1, "bob@x"), (2, "rob@x"), (3, "eve@x"), (4, "dan@x")]
        assert lives(lake) == [("unique:email", "bob@x", "replayed")]


def test_a_row_mended_for_another_reason_contests_like_any_other() -> None:
    """What was unreadable is replayed: one row ousts another, one takes the key of a row that stands aside."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "one,bob@x", "2,bob@x", "3,bob@x", "three,ann@x")
        assert people(lake) == [(2, "bob@x")]
        quarantine = lake.lakehouse.quarantine
        for entry in entries(lake):
            if entry.rule == "cast:id":
                quarantine.assign([entry], Assignments({"id": "1" if entry.value == "one" else "3"}))
        report = quarantine.replay(quarantine.entries(Selection(statuses=("fixed",))))
        assert report.outcomes[PEOPLE].ledger == Ledger(3, inserted=2, deleted=1, read=3, filtered=0)
        assert people(lake) == [(1, "bob@x"), (3, "ann@x")]
        assert [(entry.rule, entry.raw, entry.status) for entry in entries(lake)][2:] == [
            ("key_conflict", '{"id":3,"email":"bob@x"}', "open"),
            ("unique:email", '{"id":2,"email":"bob@x"}', "open"),
            ("unique:email", '{"id":3,"email":"bob@x"}', "healed"),
        ]


def test_a_check_before_decides_first() -> None:
    """A row that the first check rejects stands in nobody's way at the second."""
    checks = "[{unique: email, severity: quarantine}, {unique: phone, severity: quarantine}]"
    model = (
        f"/*---\nkind: append\nkey: [id]\nchecks: {checks}\n---*/\n"
        "SELECT id::INTEGER AS id, email, phone FROM bronze.people\n"
    )
    with temporary_lake({**SMALL, "models/silver/people.sql": model}) as lake:
        lake.deliver("data/a.csv", "id,email,phone\n3,eve@x,7\n2,bob@x,7\n")
        assert lake.run().ok
        assert people(lake) == [(2, "bob@x")]
        lake.deliver("data/b.csv", "id,email,phone\n1,bob@x,8\n")
        assert lake.run().ok
        assert people(lake) == [(1, "bob@x"), (3, "eve@x")]
        assert lives(lake) == [("unique:email", "bob@x", "open"), ("unique:phone", "7", "healed")]


def test_more_repeats_than_are_borne_stop_the_step() -> None:
    """Then neither table nor quarantine changes."""
    model = SMALL["models/silver/people.sql"].replace(
        "severity: quarantine", "severity: quarantine\n    max_failed: 40%"
    )
    with temporary_lake({**SMALL, "models/silver/people.sql": model}) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x", "3,eve@x")
        lake.deliver("data/b.csv", "id,email,file\n4,bob@x,b\n5,eve@x,b\n6,dan@x,b\n")
        failed = lake.run().failures[PEOPLE]
        assert failed.code == "MP-6001"
        assert "2 of 3 rows share their email with another, more than the 40%" in failed.finding.message
        assert people(lake) == [(1, "bob@x"), (3, "eve@x")]
        assert len(entries(lake)) == 1


def test_a_row_that_comes_back_is_judged_by_the_checks_that_stop() -> None:
    """It is none of the staged rows, and may repeat another value nevertheless."""
    checks = "[{unique: email, severity: quarantine}, {unique: phone}]"
    model = (
        f"/*---\nkind: append\nkey: [id]\nchecks: {checks}\n---*/\n"
        "SELECT id::INTEGER AS id, email, phone FROM bronze.people\n"
    )
    with temporary_lake({**SMALL, "models/silver/people.sql": model}) as lake:
        lake.deliver("data/a.csv", "id,email,phone\n1,bob@x,5\n2,bob@x,7\n3,eve@x,7\n")
        assert lake.run().ok
        lake.deliver("data/b.csv", "id,email,phone\n1,ann@x,5\n")
        assert lake.run().failures[PEOPLE].code == "MP-6001"
        assert people(lake) == [(1, "bob@x"), (3, "eve@x")]


def test_columns_that_come_later_are_taken_along() -> None:
    """A star takes in a new column; what stood aside before comes back without it."""
    model = SMALL["models/silver/people.sql"].replace("id::INTEGER AS id, email", "* EXCLUDE (file)")
    with temporary_lake({**SMALL, "models/silver/people.sql": model}) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x")
        lake.deliver("data/b.csv", "id,email,city,file\n3,bob@x,rome,b\n1,ann@x,oslo,b\n")
        assert lake.run().ok
        assert lake.rows("SELECT id, email, city FROM silver.people ORDER BY id") == [
            {"id": "1", "email": "ann@x", "city": "oslo"},
            {"id": "2", "email": "bob@x", "city": None},
        ]


def test_a_table_that_is_restored_knows_what_stood_aside_then() -> None:
    """What stands aside goes back with its table."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x")
        before = lake.lakehouse.catalog.head()
        arrive(lake, "b", "1,ann@x")
        lake.lakehouse.restore(before)
        assert people(lake) == [(1, "bob@x")]
        assert lake.run().ok
        assert people(lake) == [(1, "ann@x"), (2, "bob@x")]


def test_without_what_stood_aside_nothing_is_added() -> None:
    """Rows could not come back: the step stops, and a rebuild makes both anew."""
    with temporary_lake(SMALL) as lake:
        arrive(lake, "a", "1,bob@x", "2,bob@x")
        stage = lake.lakehouse.catalog.begin("odd")
        stage.drop_table(side_table(PEOPLE))
        stage.publish(Commit("odd", "odd", "test"))
        lake.deliver("data/b.csv", "id,email,file\n3,eve@x,b\n")
        assert lake.run().failures[PEOPLE].code == "MP-3100"
        assert lake.run(rebuild=("silver.people",)).ok
        assert people(lake) == [(1, "bob@x"), (3, "eve@x")]


def test_a_test_of_the_project_tells_which_rows_stand_aside() -> None:
    """`millpond test` gives what a run gives."""
    text = (
        "model: silver.people\n"
        "given: {bronze.people: [{id: 2, email: bob@x}, {id: 1, email: bob@x}, {id: 1, email: eve@x}]}\n"
        "expect: [{id: 1, email: bob@x}]\n"
        "expect_quarantine: [{rule: 'unique:email', id: 2}, {rule: key_conflict, email: eve@x}]\n"
    )
    with temporary_lake({**SMALL, "tests/people.yaml": text}) as lake:
        house = lake.lakehouse
        (proof,) = prove(house.project, house.runner.graph(), house.engine, read_tests(lake.folder)[0])
        assert proof.outcome == "passed", proof


def test_rows_that_stand_aside_follow_a_renamed_column() -> None:
    """They come back under its new name, also where the author has forgotten the old one since."""
    head = "/*---\nkind: append\nkey: [id]\nchecks:\n  - unique: NAME\n    severity: quarantine\n"
    query = "---*/\nSELECT id::INTEGER AS id, email AS NAME FROM bronze.people\n"
    small = {key: PROJECT[key] for key in ("millpond.yaml", "sources/people.yaml")}
    with temporary_lake({**small, "models/silver/people.sql": (head + query).replace("NAME", "email")}) as lake:
        lake.deliver("data/a.csv", "id,email\n1,a\n")
        lake.deliver("data/b.csv", "id,email\n2,a\n3,b\n")
        assert lake.run().ok
        for words in ("columns:\n  mail: {renamed_from: email}\n", "columns:\n  mail: {description: where to}\n"):
            lake.write("models/silver/people.sql", (head + words + query).replace("NAME", "mail"))
            assert lake.run().ok
        lake.deliver("data/c.csv", "id,email\n4,b\n")
        assert lake.run().ok
        assert lake.rows("SELECT id, mail FROM silver.people ORDER BY id") == [
            {"id": 1, "mail": "a"},
            {"id": 3, "mail": "b"},
        ]
        lake.deliver("data/a.csv", "id,email\n1,c\n")
        assert lake.run().ok
        assert lake.rows("SELECT id, mail FROM silver.people ORDER BY id") == [
            {"id": 1, "mail": "c"},
            {"id": 2, "mail": "a"},
            {"id": 3, "mail": "b"},
        ]
