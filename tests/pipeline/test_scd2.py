"""Models of kind scd2 on small lakes: history in the order of time, checks, rows of the input that go."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from millpond.catalog.commits import Ledger
from millpond.core.names import TableName
from millpond.testing import TemporaryLake, temporary_lake

PRODUCTS = TableName("silver", "products")

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/changes.yaml": "kind: files\npaths: ['data/*.csv']\non_change: replace\nsettle_seconds: 0\n",
    "models/silver/products.sql": (
        "/*---\nkind: scd2\nkey: [id]\nevent_time: changed\ndelete_when: op = 'D'\nexclude: [op]\n"
        "partition: [month(valid_from)]\nchecks:\n  - between: {price: [0, 100]}\n  - unique: name\n---*/\n"
        "SELECT id::INTEGER AS id, name, price::INTEGER AS price, changed::TIMESTAMP AS changed, op\n"
        "FROM bronze.changes\n"
    ),
}


def run(lake: TemporaryLake, name: str, *records: str) -> Ledger:
    """Deliver a file of changes (days of January) and run; what became of the model's rows."""
    lines = []
    for record in records:
        identity, label, price, day, op = record.split(",")
        lines.append(f"{identity},{label},{price},{day and f'2026-01-{day:0>2}'},{op}\n")
    lake.deliver(f"data/{name}.csv", f"id,name,price,changed,op\n{''.join(lines)}")
    report = lake.run()
    assert report.ok, report.failures
    ledger = report.outcomes[PRODUCTS].ledger
    assert ledger is not None
    return ledger


def products(lake: TemporaryLake) -> list[tuple[Any, ...]]:
    """The table's rows: id, price, first day, day of the end, whether it holds."""
    columns = "id, price, day(valid_from) AS f, day(valid_to) AS t, is_current"
    return [tuple(row.values()) for row in lake.rows(f"SELECT {columns} FROM silver.products ORDER BY id, valid_from")]


def test_late_changes_go_into_the_middle_of_history() -> None:
    """Versions follow the event time, not the arrival; what changes nothing writes nothing."""
    with temporary_lake(PROJECT) as lake:
        assert run(lake, "a", "1,tea,5,1,I", "1,tea,7,9,U", "1,tea,7,9,U").inserted == 2
        assert run(lake, "b", "1,tea,6,4,U", "1,tea,6,5,U", "1,tea,9,9,U") == Ledger(
            3, inserted=1, unchanged=1, stale=1, read=3, filtered=0
        )
        assert products(lake) == [(1, 5, 1, 4, False), (1, 6, 4, 9, False), (1, 7, 9, None, True)]
        (first, *_) = lake.rows("SELECT * FROM silver.products ORDER BY valid_from")
        assert list(first) == ["id", "name", "price", "valid_from", "valid_to", "is_current"]
        assert first["valid_from"] == datetime(2026, 1, 1)


def test_deletes_close_and_are_remembered() -> None:
    """A late change before a delete ends with it, also where no version held when the delete came."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,tea,5,1,I", "2,oil,,8,D", "2,oil,,5,D")
        assert run(lake, "b", "1,,,6,D").deleted == 1
        run(lake, "c", "1,tea,6,3,U", "2,oil,3,2,I", "2,oil,4,6,U", "1,tea,9,9,I")
        assert products(lake) == [
            (1, 5, 1, 3, False),
            (1, 6, 3, 6, False),
            (1, 9, 9, None, True),
            (2, 3, 2, 5, False),
            (2, 4, 6, 8, False),
        ]


def test_rows_that_cannot_be_placed_go_to_quarantine() -> None:
    """Without key or event time there is no place in a history; checks spare deletes."""
    with temporary_lake(PROJECT) as lake:
        ledger = run(lake, "a", ",tea,5,1,I", "1,tea,5,,I", "1,tea,500,2,I", "1,tea,5,3,I", "1,,900,4,D")
        assert (ledger.quarantined, ledger.inserted, ledger.deleted) == (3, 1, 1)
        rules = [row["rule"] for row in lake.rows("SELECT rule FROM quarantine.records ORDER BY rule")]
        assert rules == ["between:price", "null_event_time", "null_key"]


def test_unique_is_judged_among_what_holds() -> None:
    """Versions of one key share values, and a name may pass from one key to another; two at a time may not have it."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,tea,5,1,I", "1,tea,6,2,U", "1,oil,6,3,U", "2,tea,1,4,I")
        lake.deliver("data/b.csv", "id,name,price,changed,op\n3,tea,1,2026-01-09,I\n")
        assert lake.run().failures[PRODUCTS].code == "MP-6001"


def test_changes_that_go_leave_a_history_without_them() -> None:
    """A file that is replaced takes its changes along: neighbours grow together, and what it deleted lives again."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,tea,5,1,I", "1,tea,5,7,U", "2,oil,3,1,I", "3,jam,1,1,I")
        run(lake, "b", "1,tea,6,4,U", "2,,,5,D", "4,rum,8,1,I")
        assert len(products(lake)) == 6
        ledger = run(lake, "b", "3,jam,2,6,U")
        assert products(lake) == [
            (1, 5, 1, None, True),
            (2, 3, 1, None, True),
            (3, 1, 1, 6, False),
            (3, 2, 6, None, True),
        ]
        assert (ledger.inserted, ledger.unchanged, ledger.deleted) == (1, 3, 3)


def test_history_survives_going_back_and_building_anew() -> None:
    """What is remembered goes back with the versions; a rebuild gives the same from the inputs."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,tea,5,1,I", "1,tea,5,5,U", "2,,,4,D")
        number = lake.lakehouse.catalog.head()
        run(lake, "b", "1,tea,6,3,U", "2,oil,1,1,I")
        after = products(lake)
        assert after == [(1, 5, 1, 3, False), (1, 6, 3, 5, False), (1, 5, 5, None, True), (2, 1, 1, 4, False)]
        lake.lakehouse.restore(number, "silver.products")
        assert products(lake) == [(1, 5, 1, None, True)]
        assert lake.run().ok
        assert products(lake) == after
        assert lake.run(rebuild=("silver.products",)).ok
        assert products(lake) == after


def test_lineage_names_the_columns_of_the_table() -> None:
    """The event time is what the columns of a version come from; what is left out has none."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "a", "1,tea,5,1,I")
        edges = lake.lakehouse.catalog.lineage(PRODUCTS)
        assert {edge.output_column for edge in edges if edge.input_column == "changed"} == {
            "valid_from",
            "valid_to",
            "is_current",
        }
        assert "op" not in {edge.output_column for edge in edges}


def test_what_stands_on_versions_reads_their_columns() -> None:
    """Downstream models see the table as it is, in `check` and in runs."""
    gold = "SELECT is_current, count(*) AS n FROM silver.products GROUP BY is_current\n"
    files = {**PROJECT, "models/gold/held.sql": f"/*---\nkind: aggregate\nkey: [is_current]\n---*/\n{gold}"}
    with temporary_lake(files) as lake:
        run(lake, "a", "1,tea,5,1,I")
        run(lake, "b", "1,tea,6,3,U")
        assert lake.rows("FROM gold.held ORDER BY ALL") == [
            {"is_current": False, "n": 1},
            {"is_current": True, "n": 1},
        ]
