"""The life of quarantined records: opened once, healed, discarded, overdue."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millpond.core.errors import QualityError, RunError
from millpond.core.names import TableName
from millpond.pipeline.quarantine import Selection
from millpond.quality.entries import Entry
from millpond.quality.review import overdue
from millpond.testing import TemporaryLake, temporary_lake
from tests.pipeline.shop import BY_PERSON, EVERY, FIRST, ORDERS, opened, run

BASE = {
    "millpond.yaml": "version: 1\nname: shop\nquarantine: {review_by: 12h}\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/*.csv']\nformat: csv\non_change: replace\nsettle_seconds: 0\n",
    "models/silver/orders.sql": ORDERS,
    "models/silver/large.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [50, 90]}\nreview_by: 3d\n---*/\n"
        "SELECT id, amount FROM silver.orders\n"
    ),
    "models/gold/by_person.sql": BY_PERSON,
}


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A shop with a row that no check lets pass on each floor."""
    with opened(BASE) as made:
        yield made


def entries(lake: TemporaryLake, *statuses: str, **chosen: object) -> tuple[Entry, ...]:
    """The entries of the statuses, by default of all."""
    return lake.lakehouse.quarantine.entries(Selection(statuses=statuses or EVERY, **chosen))  # type: ignore[arg-type]


def told(lake: TemporaryLake, *statuses: str) -> set[tuple[str, str, str]]:
    """(model, value, status) of each entry."""
    return {(str(entry.model), str(entry.value), entry.status) for entry in entries(lake, *statuses)}


OPENED = {
    ("silver.orders", "many", "open"),
    ("silver.large", "45", "open"),
    ("gold.by_person", "105", "open"),
}


def test_an_entry_tells_the_record_its_place_and_its_commit(lake: TemporaryLake) -> None:
    """A row of bronze has its file and number; a row of a later table, that table; a group, none."""
    found = {str(entry.model): entry for entry in entries(lake)}
    row, later, group = (found[name] for name in ("silver.orders", "silver.large", "gold.by_person"))
    assert (str(row.raw_of), row.origin, row.position) == ("bronze.orders", "data/a.csv", 2)
    assert row.raw == '{"id":"2","person":"bob","amount":"many"}'
    assert (str(later.raw_of), later.origin, later.position) == ("silver.orders", "silver.orders", None)
    assert (str(group.raw_of), group.origin, group.raw) == ("gold.by_person", None, '{"person":"ann","amount":105}')
    steps = {commit.number: commit.step_key for commit in lake.lakehouse.catalog.history()}
    assert [steps[entry.life.opened] for entry in found.values()] == [entry.step for entry in found.values()]


def test_a_rebuild_opens_nothing_twice_whatever_columns_came(lake: TemporaryLake) -> None:
    """The record is the same though its row has a column more; nor does a rewritten input make it another."""
    lake.deliver("data/b.csv", "id,person,amount,note\n4,eve,1,x\n")
    run(lake)
    run(lake, "silver.orders")
    run(lake, "silver.orders")
    assert told(lake) == OPENED | {("silver.large", "1", "open")}
    assert len(entries(lake)) == len(OPENED) + 1


def test_a_discarded_record_stays_so(lake: TemporaryLake) -> None:
    """A rebuild rejects it again, and it is not opened again; nor can it be discarded twice."""
    quarantine = lake.lakehouse.quarantine
    chosen = quarantine.entries(Selection(models=("silver.orders",)))
    number = quarantine.discard(chosen, "a test record")
    run(lake, "silver.orders")
    (entry,) = entries(lake, "discarded")
    assert (entry.value, entry.life.reason, entry.review_by) == ("many", "a test record", None)
    assert told(lake, "open") == OPENED - {("silver.orders", "many", "open")}
    assert lake.lakehouse.catalog.history()[0].number > number
    with pytest.raises(QualityError) as refused:
        quarantine.discard(entries(lake, "discarded"))
    assert refused.value.code == "MP-6124"


def test_a_changed_rule_heals_what_it_lets_pass(lake: TemporaryLake) -> None:
    """Entries close when their rows are good by themselves, and open again should they be bad again."""
    model = BASE["models/silver/orders.sql"]
    lake.write("models/silver/orders.sql", model.replace("amount::INTEGER", "try_cast(amount AS INTEGER)"))
    run(lake, "silver.orders")
    assert ("silver.orders", "many", "healed") in told(lake)
    lake.write("models/silver/orders.sql", model)
    run(lake, "silver.orders")
    (entry,) = entries(lake, "open", models=("silver.orders",))
    assert (entry.value, entry.life.last) == ("many", 2)


def test_an_input_that_changed_heals_the_group_that_it_mends(lake: TemporaryLake) -> None:
    """Only the groups that were recomputed are judged anew; a group is known again by its key."""
    lake.deliver("data/b.csv", "id,person,amount\n5,zoe,70\n6,zoe,70\n")
    run(lake)
    lake.deliver("data/c.csv", "id,person,amount\n7,zoe,1\n")
    run(lake)
    assert {("gold.by_person", "105", "open"), ("gold.by_person", "140", "open")} <= told(lake)
    assert ("gold.by_person", "141", "open") not in told(lake)
    lake.write("models/silver/orders.sql", BASE["models/silver/orders.sql"].replace("[0, 90]", "[0, 65]"))
    run(lake, "silver.orders")
    assert {("gold.by_person", "105", "open"), ("gold.by_person", "140", "healed")} <= told(lake)


def test_a_file_that_was_mended_where_it_came_from_heals_its_records() -> None:
    """Its unreadable lines, and the rows that were rejected; what is still wrong stays as it is."""
    with temporary_lake(BASE) as lake:
        lake.deliver("data/a.csv", "id,person,amount\n1,ann\n2,bob,many\n3\n")
        run(lake)
        assert len(entries(lake, "open")) == 3
        lake.deliver("data/a.csv", "id,person,amount\n1,ann,60\n2,bob,3\n3\n")
        run(lake)
        assert [(entry.raw, entry.status) for entry in entries(lake) if entry.kind == "record"] == [
            ("1,ann", "healed"),
            ("3", "open"),
        ]
        assert ("silver.orders", "many", "healed") in told(lake)


def test_a_file_that_can_be_read_in_the_end_is_no_longer_in_quarantine() -> None:
    """It came again under its name, or the source's settings changed."""
    with temporary_lake(BASE) as lake:
        lake.deliver("data/a.csv", "<html>\n<body>gone</body></html>\n")
        lake.deliver("data/b.csv", b"id|person|amount\n\xff\xfe\n")
        run(lake)
        before = entries(lake, "open")
        lake.deliver("data/a.csv", FIRST)
        run(lake)
        assert {(entry.origin, entry.status) for entry in entries(lake) if entry in before} <= {
            ("data/b.csv", "open"),
        }
        assert [entry.status for entry in entries(lake) if entry.origin == "data/a.csv" and entry.kind == "file"] == [
            "healed"
        ]


def test_going_back_takes_the_healing_back(lake: TemporaryLake) -> None:
    """A table that is again what it was meets the record again; going back with all brings the old decisions."""
    before = lake.lakehouse.catalog.head()
    lake.write(
        "models/silver/orders.sql", BASE["models/silver/orders.sql"].replace("amount::", "TRY_CAST(NULL AS TEXT)::")
    )
    run(lake, "silver.orders")
    assert ("silver.orders", "many", "healed") in told(lake)
    lake.lakehouse.restore(before, "silver.orders")
    assert ("silver.orders", "many", "open") in told(lake)
    lake.lakehouse.quarantine.discard(entries(lake, "open", models=("silver.orders",)))
    lake.lakehouse.restore(before)
    assert told(lake, "open") == OPENED


def test_records_are_overdue_after_the_time_that_is_set(lake: TemporaryLake) -> None:
    """The project's time, or the model's own; a decision ends the waiting."""
    names = [TableName.parse(name) for name in ("gold.by_person", "silver.orders")]

    def late() -> list[TableName]:
        house = lake.lakehouse
        return [found.table for found in overdue(house.project, house.catalog, lake.clock.now())]

    lake.clock.advance(hours=11)
    assert late() == []
    lake.clock.advance(hours=2)
    assert late() == names
    assert {entry.model for entry in entries(lake, overdue=True)} == set(names)
    lake.lakehouse.quarantine.discard(entries(lake, models=("silver.orders",)))
    assert late() == names[:1]
    lake.clock.advance(days=3)
    assert late() == [names[0], TableName("silver", "large")]


def test_records_are_chosen_by_what_is_known_of_them(lake: TemporaryLake) -> None:
    """By id, rule, model, source and time; all conditions must hold."""
    one = entries(lake)[0]
    choose = lake.lakehouse.quarantine.entries
    assert choose(Selection(ids=(one.id[:12],))) == (one,)
    assert {str(entry.model) for entry in choose(Selection(rules=("between:amount",)))} == {
        "silver.large",
        "gold.by_person",
    }
    assert len(choose(Selection(sources=("orders",)))) == 3
    assert choose(Selection(models=("layer:gold",), rules=("cast:amount",))) == ()
    assert choose(Selection(until=one.at)) == choose(Selection())
    assert choose(Selection(since=one.at.replace(year=2100))) == ()
    with pytest.raises(RunError):
        choose(Selection(sources=("nobody",)))
    with pytest.raises(QualityError) as unknown:
        choose(Selection(ids=("zzz",)))
    assert unknown.value.code == "MP-6010"
