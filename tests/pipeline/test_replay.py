"""Quarantined records mended and landed again: in the place of what they mend, once, whatever stands on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from millpond.core.errors import AccessError, IngestError, MillpondError, QualityError
from millpond.core.names import TableName
from millpond.pipeline.execution import Report
from millpond.pipeline.quarantine import Selection
from millpond.quality.edits import Assignments, edited
from millpond.quality.entries import Entry
from millpond.testing import TemporaryLake, temporary_lake
from tests.pipeline.shop import BY_PERSON, EVERY, FIRST, ORDERS, opened, run

BASE = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/*']\non_change: replace\nsettle_seconds: 0\n",
    "models/silver/orders.sql": ORDERS,
    "models/silver/large.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [50, 90]}\n---*/\n"
        "SELECT id, amount FROM silver.orders\n"
    ),
    "models/silver/people.sql": "SELECT person, count(*) AS records FROM bronze.orders GROUP BY person\n",
    "models/gold/by_person.sql": BY_PERSON,
}
HEADS = "columns: {id: VARCHAR, person: VARCHAR, amount: VARCHAR}\n"
BRONZE = TableName("bronze", "orders")


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A shop with a row that no check lets pass on each floor."""
    with opened(BASE) as made:
        yield made


def entries(lake: TemporaryLake, *models: str, statuses: tuple[str, ...] = EVERY) -> tuple[Entry, ...]:
    """The entries of some models."""
    return lake.lakehouse.quarantine.entries(Selection(models=models, statuses=statuses))  # type: ignore[arg-type]


def fix(lake: TemporaryLake, found: tuple[Entry, ...], **values: str | None) -> None:
    """Set columns of records."""
    lake.lakehouse.quarantine.assign(found, Assignments(values))


def replay(lake: TemporaryLake) -> Report:
    """Land everything that is fixed; every step must end well, every ledger add up, and nothing be left to do."""
    house = lake.lakehouse
    report = house.quarantine.replay(house.quarantine.entries(Selection(statuses=("fixed",))), lake.events.append)
    assert report.ok, report.failures
    for number in range(1, house.catalog.head() + 1):
        ledger = house.catalog.ledger(number)
        assert ledger is None or ledger.adds_up
    assert house.runner.plan().empty
    return report


def orders(lake: TemporaryLake) -> list[tuple[int, str, int]]:
    """The rows of silver.orders."""
    return [tuple(row.values()) for row in lake.rows("SELECT id, person, amount FROM silver.orders ORDER BY id")]


def statuses(lake: TemporaryLake) -> dict[tuple[str, str | None], str]:
    """Where each entry's life stands, by model and value."""
    return {(str(entry.model), entry.value): entry.status for entry in entries(lake)}


def test_a_mended_record_takes_the_place_of_what_it_mends(lake: TemporaryLake) -> None:
    """In bronze and in every table, its origin says of which entry and revision it is, and nothing is built anew."""
    (entry,) = entries(lake, "silver.orders")
    fix(lake, (entry,), amount="30")
    assert orders(lake) == [(1, "ann", 60), (3, "ann", 45)]
    report = replay(lake)
    assert orders(lake) == [(1, "ann", 60), (2, "bob", 30), (3, "ann", 45)]
    assert {row["person"]: row["records"] for row in lake.rows("FROM silver.people")} == {"ann": 2, "bob": 1}
    assert lake.rows("SELECT amount, _position FROM bronze.orders WHERE _origin = " + f"'quarantine:{entry.id}/1'") == [
        {"amount": "30", "_position": 1}
    ]
    landed = report.outcomes[BRONZE].ledger
    assert landed is not None
    assert (landed.staged, landed.inserted, landed.deleted) == (2, 1, 1)
    assert [event.fields["work"] for event in lake.events if event.fields.get("table") == "silver.orders"][-1] == (
        "increment"
    )
    assert statuses(lake)["silver.orders", "many"] == "replayed"


def test_both_versions_are_kept(lake: TemporaryLake) -> None:
    """The raw record stays as it came, and each revision beside it with who made it."""
    (entry,) = entries(lake, "silver.orders")
    fix(lake, (entry,), amount="95")
    fix(lake, entries(lake, "silver.orders"), amount="9", person="eve")
    assert lake.rows("SELECT raw FROM quarantine.records WHERE model = 'silver.orders'") == [
        {"raw": '{"id":"2","person":"bob","amount":"many"}'}
    ]
    kept = lake.rows("SELECT revision, raw, origin, position, principal FROM quarantine.revisions ORDER BY revision")
    assert [(row["revision"], json.loads(row["raw"])) for row in kept] == [
        (1, {"id": "2", "person": "bob", "amount": "95"}),
        (2, {"id": "2", "person": "eve", "amount": "9"}),
    ]
    assert {(row["origin"], row["position"], row["principal"]) for row in kept} == {
        ("data/a.csv", 2, lake.lakehouse.principal)
    }
    replay(lake)
    assert (2, "eve", 9) in orders(lake)


def test_a_record_is_replayed_once(lake: TemporaryLake) -> None:
    """Neither by asking again, nor by a rebuild, nor by the same file under another name."""
    fix(lake, entries(lake, "silver.orders"), amount="30")
    replay(lake)
    with pytest.raises(QualityError) as refused:
        lake.lakehouse.quarantine.replay(entries(lake, "silver.orders"))
    assert refused.value.code == "MP-6124"
    lake.deliver("data/copy.csv", FIRST)
    run(lake, "silver.orders", "silver.people")
    assert lake.rows("SELECT count(*) AS n FROM bronze.orders") == [{"n": 3}]
    assert orders(lake) == [(1, "ann", 60), (2, "bob", 30), (3, "ann", 45)]
    assert statuses(lake)["silver.orders", "many"] == "replayed"


def test_a_mended_record_that_is_rejected_again_has_a_life_of_its_own(lake: TemporaryLake) -> None:
    """Its origin tells of the entry that it mends; mended in turn, it passes."""
    (first,) = entries(lake, "silver.orders")
    fix(lake, (first,), amount="91")
    replay(lake)
    (second,) = entries(lake, "silver.orders", statuses=("open",))
    assert (second.origin, second.value) == (f"quarantine:{first.id}/1", "91")
    fix(lake, (second,), amount="90")
    replay(lake)
    assert (2, "bob", 90) in orders(lake)
    assert lake.rows("SELECT count(*) AS n FROM bronze.orders") == [{"n": 3}]
    assert {entry.status for entry in entries(lake, "silver.orders")} == {"replayed"}


def test_a_row_of_a_later_table_is_mended_in_bronze(lake: TemporaryLake) -> None:
    """Its record is found by the way back through the models, and what was made of it goes."""
    (entry,) = entries(lake, "silver.large")
    (record,) = lake.lakehouse.quarantine.records((entry,))
    assert (record["_id"], record["_value"]) == (entry.id, "45")
    assert (record["_origin"], record["_position"]) == ("data/a.csv", 3)
    assert {name: record[name] for name in ("id", "person", "amount")} == {"id": "3", "person": "ann", "amount": "45"}
    fix(lake, (entry,), amount="55", person="zoe")
    replay(lake)
    assert orders(lake) == [(1, "ann", 60), (3, "zoe", 55)]
    assert [row["id"] for row in lake.rows("FROM silver.large ORDER BY id")] == [1, 3]
    assert {row["person"]: row["amount"] for row in lake.rows("FROM gold.by_person")} == {"ann": 60, "zoe": 55}
    assert statuses(lake)["silver.large", "45"] == "replayed"
    assert statuses(lake)["gold.by_person", "105"] == "healed"


def test_a_row_that_came_twice_is_mended_in_both_places(lake: TemporaryLake) -> None:
    """Else the copy would bring the old row back."""
    lake.deliver("data/b.csv", "id,person,amount,note\n3,ann,45,second\n")
    run(lake)
    (entry,) = entries(lake, "silver.large")
    first, second = lake.lakehouse.quarantine.records((entry,))
    assert (first["_part"], first["note"], second["_part"], second["note"]) == (1, None, 2, "second")
    fix(lake, (entry,), amount="50")
    replay(lake)
    assert lake.rows("SELECT amount, note FROM bronze.orders WHERE id = '3' ORDER BY note") == [
        {"amount": "50", "note": "second"},
        {"amount": "50", "note": None},
    ]
    assert (3, "ann", 50) in orders(lake)


def test_a_loser_of_a_key_conflict_gets_a_key_of_its_own(lake: TemporaryLake) -> None:
    """Wherever it stood: staged beside the winner, or in the table before the winner came."""
    lake.deliver("data/b.csv", "id,person,amount\n1,bea,60\n3,aaa,45\n")
    run(lake)
    losers = {entry.raw: entry for entry in entries(lake, "silver.orders") if entry.rule == "key_conflict"}
    assert len(losers) == 2
    for number, raw in enumerate(sorted(losers)):
        fix(lake, (losers[raw],), id=str(10 + number))
    replay(lake)
    assert orders(lake) == [(1, "ann", 60), (3, "aaa", 45), (10, "bea", 60), (11, "ann", 45)]


def test_a_group_cannot_be_mended_itself(lake: TemporaryLake) -> None:
    """The error says why, and that it heals with what it is made of."""
    with pytest.raises(QualityError) as refused:
        fix(lake, entries(lake, "gold.by_person"), amount="1")
    assert refused.value.code == "MP-6121"
    assert "many rows" in refused.value.finding.message


def test_rows_of_the_newest_state_are_mended_where_they_came_from() -> None:
    """A model of kind upsert takes mended rows in by their order, and is traced like any other; versions are not."""
    newest = (
        "/*---\nkind: {kind}\nkey: [id]\n{order}: ts\nchecks:\n  - between: {{amount: [0, 90]}}\n---*/\n"
        "SELECT id::INTEGER AS id, amount::INTEGER AS amount, ts::TIMESTAMP AS ts FROM bronze.orders\n"
    )
    small = (
        "/*---\nkind: append\nkey: [id, amount]\nchecks: [{between: {amount: [0, 50]}}]\n---*/\n"
        "SELECT id, amount FROM silver.%s\n"
    )
    files = {name: text for name, text in BASE.items() if not name.startswith("models/")}
    files["models/silver/now.sql"] = newest.format(kind="upsert", order="order")
    files["models/silver/ever.sql"] = newest.format(kind="scd2", order="event_time")
    files |= {"models/gold/small.sql": small % "now", "models/gold/versions.sql": small % "ever"}
    with temporary_lake(files) as lake:
        lake.deliver("data/a.csv", "id,amount,ts\n1,70,2026-01-01\n2,99,2026-01-02\n2,5,2026-01-01\n")
        run(lake)
        fix(lake, tuple(entry for entry in entries(lake, "silver.now") if entry.value == "99"), amount="9")
        fix(lake, entries(lake, "gold.small"), amount="7")
        with pytest.raises(QualityError) as refused:
            fix(lake, entries(lake, "gold.versions"), amount="7")
        assert (refused.value.code, "scd2" in refused.value.finding.message) == ("MP-6121", True)
        replay(lake)
        assert [(row["id"], row["amount"]) for row in lake.rows("FROM silver.now ORDER BY id")] == [(1, 7), (2, 9)]
        assert [(row["id"], row["amount"]) for row in lake.rows("FROM gold.small ORDER BY id")] == [(1, 7), (2, 9)]
        assert statuses(lake)["silver.ever", "99"] == "healed"


def test_two_models_that_reject_one_record_let_it_be_mended_once(lake: TemporaryLake) -> None:
    """The second mending finds the record mended already; its entry heals."""
    lake.write(
        "models/silver/also.sql",
        "/*---\nkind: append\nkey: [id]\n---*/\nSELECT id, amount::BIGINT AS amount FROM bronze.orders\n",
    )
    run(lake)
    fix(lake, entries(lake, "silver.orders"), amount="30")
    fix(lake, entries(lake, "silver.also"), amount="31")
    report = replay(lake)
    assert [finding.code for finding in report.notes] == ["MP-6127"]
    assert lake.rows("SELECT amount FROM bronze.orders WHERE id = '2'") in ([{"amount": "30"}], [{"amount": "31"}])
    assert {statuses(lake)["silver.orders", "many"], statuses(lake)["silver.also", "many"]} == {"replayed", "healed"}


def test_an_unreadable_record_lands_by_its_columns() -> None:
    """A line of a delimited file, and of JSON."""
    with temporary_lake(BASE) as lake:
        lake.deliver("data/a.csv", "id,person,amount\n1,ann\n2,bob,5\n")
        lake.deliver("data/b.ndjson", '{"id": 3, "person": "eve", "amount": 7}\n{"id": 4, "person": \n')
        run(lake)
        line, text = entries(lake, "bronze.orders")
        assert [record["_raw"] for record in lake.lakehouse.quarantine.records((line, text))] == [line.raw, text.raw]
        fix(lake, (line,), id="1", person="ann", amount="6")
        fix(lake, (text,), id="4", person="zoe", amount=None)
        replay(lake)
        assert orders(lake) == [(1, "ann", 6), (2, "bob", 5), (3, "eve", 7), (4, "zoe", None)]


def test_a_file_is_mended_by_other_bytes(lake: TemporaryLake, tmp_path: Path) -> None:
    """Both are kept; its records bear the entry's name, and a second delivery of the bytes is a copy."""
    lake.deliver("data/b.csv", "<html><body>504</body></html>\n")
    run(lake)
    (entry,) = entries(lake, "bronze.orders")
    with pytest.raises(QualityError) as columns:
        fix(lake, (entry,), id="7")
    assert columns.value.code == "MP-6124"
    mended = tmp_path / "mended.csv"
    mended.write_text("id,person,amount\n7,tom,70\n8,tom,x\n")
    lake.lakehouse.quarantine.replace_file(entry, mended)
    replay(lake)
    assert (7, "tom", 70) in orders(lake)
    origin = f"quarantine:{entry.id}/1"
    assert lake.rows(f"SELECT id, _position FROM bronze.orders WHERE _origin = '{origin}' ORDER BY id") == [
        {"id": "7", "_position": 1},
        {"id": "8", "_position": 2},
    ]
    assert [(found.origin, found.position) for found in entries(lake, "silver.orders") if found.value == "x"] == [
        (origin, 2)
    ]
    lake.deliver("data/c.csv", mended.read_text())
    run(lake)
    assert lake.rows("SELECT count(*) AS n FROM bronze.orders WHERE id = '7'") == [{"n": 1}]


def test_a_file_that_its_source_now_reads_is_replayed_as_it_is(lake: TemporaryLake) -> None:
    """Once; and the next run does not load it beside."""
    lake.deliver("data/b.csv", '{"id": 7, "person": "tom", "amount": 70}\n')
    run(lake)
    (entry,) = entries(lake, "bronze.orders")
    report = lake.lakehouse.quarantine.replay((entry,))
    assert isinstance(report.failures[BRONZE], QualityError)
    assert report.failures[BRONZE].code == "MP-6125"
    assert entries(lake, "bronze.orders")[0].status == "open"
    source = BASE["sources/orders.yaml"].replace("data/*", "data/b.csv") + "format: ndjson\n"
    lake.write("sources/orders.yaml", source)
    assert lake.lakehouse.quarantine.replay((entry,)).ok
    assert (7, "tom", 70) in orders(lake)
    run(lake)
    assert lake.rows("SELECT count(*) AS n FROM bronze.orders WHERE id = '7'") == [{"n": 1}]
    assert entries(lake, "bronze.orders")[0].status == "replayed"


def test_a_file_that_comes_again_takes_what_was_mended_of_it_away(lake: TemporaryLake, tmp_path: Path) -> None:
    """With `on_change: replace` the sender's own mending counts, be it of a record or of a whole file."""
    lake.deliver("data/b.csv", "<html><body>504</body></html>\n")
    run(lake)
    fix(lake, entries(lake, "silver.orders"), amount="30")
    mended = tmp_path / "mended.csv"
    mended.write_text("id,person,amount\n7,tom,70\n")
    lake.lakehouse.quarantine.replace_file(entries(lake, "bronze.orders")[0], mended)
    replay(lake)
    assert len(orders(lake)) == 4
    lake.deliver("data/a.csv", FIRST.replace("many", "31"))
    lake.deliver("data/b.csv", "id,person,amount\n7,tom,71\n")
    run(lake)
    assert orders(lake) == [(1, "ann", 60), (2, "bob", 31), (3, "ann", 45), (7, "tom", 71)]
    lake.deliver("data/c.csv", mended.read_text())
    run(lake)
    assert lake.rows("SELECT count(*) AS n FROM bronze.orders WHERE id = '7'") == [{"n": 2}]


@pytest.mark.parametrize("on_change", ["replace", "append"])
def test_a_file_that_is_read_again_does_not_bring_back_what_was_mended(on_change: str) -> None:
    """The source's settings changed: all records come anew, but for those that are mended."""
    source = BASE["sources/orders.yaml"].replace("replace", on_change)
    with temporary_lake({**BASE, "sources/orders.yaml": source}) as lake:
        lake.deliver("data/a.csv", FIRST)
        run(lake)
        fix(lake, entries(lake, "silver.orders"), amount="55")
        fix(lake, entries(lake, "silver.large"), amount="50")
        replay(lake)
        lake.write("sources/orders.yaml", source + "csv: {null: [zoe]}\n")
        run(lake)
        assert orders(lake) == [(1, "ann", 60), (2, "bob", 55), (3, "ann", 50)]
        assert lake.rows("SELECT count(*) AS n FROM bronze.orders") == [{"n": 3}]
        assert {entry.status for entry in entries(lake, "silver.orders", "silver.large")} == {"replayed"}
        assert lake.lakehouse.runner.plan().empty


QUOTED = 'id,person,amount\n1,ann,60\n2,"bob, jr",{}\n3,zoe,45\n'
JUNK = "id,person,amount\nexported,by,many\n1,ann,60\n2,bob,many\n3,zoe,45\n"


@pytest.mark.parametrize("on_change", ["replace", "append"])
@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (QUOTED.format(51), "csv: {quote: ''}\n", "csv: {quote: '\"'}\n"),
        (QUOTED.format("many"), "csv: {quote: '\"'}\n", "csv: {quote: ''}\n"),
        (QUOTED.format("many"), "", "csv: {null: [many]}\n"),
        (JUNK, "csv: {header: false}\n" + HEADS, "csv: {header: false, skip: 2}\n" + HEADS),
    ],
    ids=["passes", "no longer passes", "reads otherwise", "has another number"],
)
def test_a_mended_record_counts_once_however_its_file_is_read_later(
    on_change: str, text: str, before: str, after: str
) -> None:
    """What was rejected passes, what passed is rejected, is another row, or has another number: its place is taken."""
    source = BASE["sources/orders.yaml"].replace("replace", on_change)
    with temporary_lake({**BASE, "sources/orders.yaml": source + before}) as lake:
        lake.deliver("data/a.csv", text)
        run(lake)
        wrong = [entry for entry in entries(lake) if "bob" in (entry.raw or "")]
        fix(lake, tuple(wrong), id="2", person="bob, jr", amount="55")
        replay(lake)
        for settings in (after, before, after):
            lake.write("sources/orders.yaml", source + settings)
            run(lake)
            assert lake.rows("SELECT amount FROM bronze.orders WHERE id = '2'") == [{"amount": "55"}]
            assert (2, "bob, jr", 55) in orders(lake)
            assert lake.rows("SELECT count(*) AS n FROM bronze.orders WHERE id IN ('1', '3')") == [{"n": 2}]
            still = [entry for entry in entries(lake, statuses=("open",)) if "bob" in (entry.raw or "")]
            assert still == []
            assert lake.lakehouse.runner.plan().empty


def test_a_mended_record_that_cannot_be_told_any_more_is_named() -> None:
    """Its number in the file is another, and so is what it says: it may have come once more."""
    source = BASE["sources/orders.yaml"] + HEADS
    with temporary_lake({**BASE, "sources/orders.yaml": source + "csv: {header: false}\n"}) as lake:
        lake.deliver("data/a.csv", JUNK)
        run(lake)
        (entry,) = [entry for entry in entries(lake, "silver.orders") if "bob" in (entry.raw or "")]
        fix(lake, (entry,), amount="55")
        replay(lake)
        lake.write("sources/orders.yaml", source + "csv: {header: false, skip: 2, 'null': [many]}\n")
        (warning,) = run(lake).notes
        assert (warning.code, entry.id[:8] in warning.message) == ("MP-6129", True)


@pytest.mark.parametrize("on_change", ["replace", "append"])
def test_a_mended_file_counts_once_however_it_is_read_later(on_change: str, tmp_path: Path) -> None:
    """Its source comes to read what it rejected, and then reads it by still other settings."""
    source = BASE["sources/orders.yaml"].replace("replace", on_change).replace("data/*", "data/b.csv")
    with temporary_lake({**BASE, "sources/orders.yaml": source}) as lake:
        lake.deliver("data/b.csv", '{"id": 7, "person": "tom", "amount": 70}\n')
        run(lake)
        mended = tmp_path / "mended.csv"
        mended.write_text("id,person,amount\n7,tom,71\n")
        lake.lakehouse.quarantine.replace_file(entries(lake, "bronze.orders")[0], mended)
        replay(lake)
        for settings in ("format: ndjson\n", "format: ndjson\ncsv: {null: [tom]}\n"):
            lake.write("sources/orders.yaml", source + settings)
            run(lake)
            assert lake.rows("SELECT amount FROM bronze.orders") == [{"amount": "71"}]
            assert entries(lake, "bronze.orders")[0].status == "replayed"
            assert lake.lakehouse.runner.plan().empty


def test_what_was_mended_is_kept_as_it_stood_in_bronze(lake: TemporaryLake) -> None:
    """Also where a later table rejected the row."""
    fix(lake, entries(lake, "silver.large"), amount="50")
    replay(lake)
    assert lake.rows("SELECT replaced, raw FROM quarantine.revisions") == [
        {"replaced": '{"id":"3","person":"ann","amount":"45"}', "raw": '{"id": "3", "person": "ann", "amount": "50"}'}
    ]


def test_typed_columns_keep_every_digit(tmp_path: Path) -> None:
    """What is not changed lands as it was; a value that its column cannot hold is refused."""
    model = "/*---\nkind: append\nkey: [id]\nchecks: [{between: {d: [0, 1]}}]\n---*/\nSELECT id, d FROM bronze.orders\n"
    files = {name: text for name, text in BASE.items() if not name.startswith("models/")}
    with temporary_lake({**files, "models/silver/orders.sql": model}) as lake:
        duckdb.execute(
            "COPY (SELECT 1::BIGINT AS id, 12345678901234567.123456789::DECIMAL(38, 9) AS d, "
            "12345678901234567890.123456789::DECIMAL(38, 9) AS e, '\\x00\\xff'::BLOB AS b, "
            "TIMESTAMP '2026-01-02 03:04:05.678901' AS t, {'x': [1, NULL], 'y': 'z'} AS n, 'nan'::DOUBLE AS f) "
            f"TO '{tmp_path}/a.parquet' (FORMAT parquet)"
        )
        lake.deliver("data/a.parquet", (tmp_path / "a.parquet").read_bytes())
        run(lake)
        before = lake.rows("SELECT * EXCLUDE (d, f, _origin, _position, _load, _loaded_at) FROM bronze.orders")
        (entry,) = entries(lake, "silver.orders")
        assert json.loads(entry.raw or "", parse_float=Decimal)["e"] == Decimal("12345678901234567890.123456789")
        with pytest.raises(QualityError) as refused:
            fix(lake, (entry,), d="half")
        assert refused.value.code == "MP-6123"
        fix(lake, (entry,), d="0.5")
        replay(lake)
        assert lake.rows("SELECT * EXCLUDE (d, f, _origin, _position, _load, _loaded_at) FROM bronze.orders") == before
        assert lake.rows("SELECT d, isnan(f) AS f FROM bronze.orders") == [{"d": Decimal("0.500000000"), "f": True}]


def test_columns_are_computed_from_the_others(lake: TemporaryLake) -> None:
    """By an expression that passes the gate, for many records at once; the latest revision is what it sees."""
    lake.deliver("data/b.csv", 'id,person,amount\n5,eve,"1,5"\n6,eve,"2,5"\n')
    run(lake)
    quarantine = lake.lakehouse.quarantine
    found = [entry for entry in entries(lake, "silver.orders") if "," in str(entry.value)]
    quarantine.assign(
        found, Assignments({}, {"amount": "replace(amount, ',', '') -- no cents", "Person": "upper(person)"})
    )
    found = [entry for entry in entries(lake, "silver.orders") if "," in str(entry.value)]
    quarantine.assign(found, Assignments({}, {"amount": "amount::INTEGER + 1"}))
    replay(lake)
    assert [row for row in orders(lake) if row[1] == "EVE"] == [(5, "EVE", 16), (6, "EVE", 26)]


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("1; DROP TABLE x", "MP-8001"),
        ("read_text('/etc/passwd')", "MP-8006"),
        ("nobody", "MP-4001"),
        ("max(amount)", "MP-4001"),
        ("unnest([1, 2])", "MP-6122"),
    ],
)
def test_an_expression_may_do_nothing_but_compute(lake: TemporaryLake, expression: str, code: str) -> None:
    """What the gate refuses is refused here; nothing is fixed then."""
    lake.deliver("data/b.csv", "id,person,amount\n5,eve,x\n")
    run(lake)
    with pytest.raises(MillpondError) as refused:
        lake.lakehouse.quarantine.assign(entries(lake, "silver.orders"), Assignments({}, {"amount": expression}))
    assert refused.value.code == code
    assert {entry.status for entry in entries(lake, "silver.orders")} == {"open"}


def test_an_unknown_column_is_refused_with_what_was_meant(lake: TemporaryLake) -> None:
    """A fix never adds columns to bronze."""
    with pytest.raises(QualityError) as refused:
        fix(lake, entries(lake, "silver.orders"), amout="3")
    assert (refused.value.code, refused.value.finding.suggestion) == ("MP-6122", "amount")


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_edited_records_are_taken_over(lake: TemporaryLake, tmp_path: Path, form: str) -> None:
    """Those that say what they said before stay open."""
    lake.deliver("data/b.csv", "id,person,amount\n5,eve,x\n6,eve,y\n")
    run(lake)
    quarantine = lake.lakehouse.quarantine
    records = quarantine.records(entries(lake, "silver.orders"))
    for record in records:
        if record["id"] != "6":
            record["amount"] = "44"
    path = tmp_path / f"edited.{form}"
    if form == "csv":
        lines = [",".join(records[0])] + [",".join(str(value or "") for value in record.values()) for record in records]
    else:
        lines = [json.dumps(record) for record in records]
    path.write_text("\n".join(lines) + "\n")
    mended = quarantine.edit(edited(path))
    assert (len(mended.entries), [entry.value for entry in mended.unchanged]) == (2, ["y"])
    replay(lake)
    assert [row for row in orders(lake) if row[2] == 44] == [(2, "bob", 44), (5, "eve", 44)]
    assert statuses(lake)["silver.orders", "y"] == "open"


def test_going_back_before_a_replay_lets_it_happen_again(lake: TemporaryLake) -> None:
    """The record is fixed, and no longer replayed; once more it lands once."""
    fix(lake, entries(lake, "silver.orders"), amount="30")
    before = lake.lakehouse.catalog.head()
    replay(lake)
    lake.lakehouse.restore(before, "bronze.orders")
    assert statuses(lake)["silver.orders", "many"] == "fixed"
    run(lake)
    assert orders(lake) == [(1, "ann", 60), (3, "ann", 45)]
    replay(lake)
    assert orders(lake) == [(1, "ann", 60), (2, "bob", 30), (3, "ann", 45)]


def test_a_record_that_left_bronze_is_not_brought_back(lake: TemporaryLake) -> None:
    """Its file came again with another record in its place, before what was mended had landed."""
    fix(lake, entries(lake, "silver.orders"), amount="30")
    lake.deliver("data/a.csv", "id,person,amount\n1,ann,60\n")
    run(lake, "silver.orders")
    assert statuses(lake)["silver.orders", "many"] == "healed"
    with pytest.raises(QualityError) as refused:
        lake.lakehouse.quarantine.replay(entries(lake, "silver.orders"))
    assert refused.value.code == "MP-6124"


def test_a_failing_load_leaves_what_is_fixed_to_be_replayed(lake: TemporaryLake, tmp_path: Path) -> None:
    """A file that the frozen source refuses: the step fails whole, and both stay fixed."""
    lake.write("sources/orders.yaml", BASE["sources/orders.yaml"] + "on_schema_change: freeze\n")
    lake.deliver("data/b.csv", "<html><body>504</body></html>\n")
    run(lake)
    fix(lake, entries(lake, "silver.orders"), amount="30")
    mended = tmp_path / "mended.csv"
    mended.write_text("id,person,amount,more\n7,tom,70,x\n")
    lake.lakehouse.quarantine.replace_file(entries(lake, "bronze.orders")[0], mended)
    report = lake.lakehouse.quarantine.replay(entries(lake, statuses=("fixed",)))
    assert isinstance(report.failures[BRONZE], IngestError)
    assert len(entries(lake, statuses=("fixed",))) == 2
    assert lake.rows("SELECT count(*) AS n FROM bronze.orders") == [{"n": 3}]


def test_only_those_may_be_asked_who_may_read(lake: TemporaryLake) -> None:
    """An expression over a table that is not there is refused by the gate."""
    with pytest.raises(AccessError):
        lake.lakehouse.quarantine.assign(
            entries(lake, "silver.orders"), Assignments({}, {"amount": "(SELECT max(amount) FROM gold.secret)"})
        )
