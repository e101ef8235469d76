"""Models of kind snapshot on small lakes: versions at the run's time, rejected rows, clocks, rebuilds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.catalog.commits import Ledger
from millpond.core.names import TableName
from millpond.testing import FakeClock, TemporaryLake, temporary_lake

STOCK = TableName("silver", "stock")
SQL = (
    "/*---\nkind: snapshot\nkey: [item]\nchecks:\n  - between: {amount: [0, 100]}\n---*/\n"
    "SELECT item, amount::INTEGER AS amount FROM bronze.stock WHERE item IS DISTINCT FROM 'none'\n"
)
PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/stock.yaml": "kind: files\npaths: ['data/*.csv']\non_change: replace\nsettle_seconds: 0\n",
    "models/silver/stock.sql": SQL,
}


def run(lake: TemporaryLake, *records: str, name: str = "stock") -> Ledger:
    """Put the whole state in place of the one before, let an hour go by, and run; what became of the rows."""
    lake.clock.advance(hours=1)
    lake.deliver(f"data/{name}.csv", "\n".join(("item,amount", *records, "")))
    report = lake.run()
    assert report.ok, report.failures
    ledger = report.outcomes[STOCK].ledger
    assert ledger is not None
    return ledger


def stock(lake: TemporaryLake) -> list[tuple[Any, ...]]:
    """The table's rows: item, amount, hour of the beginning, hour of the end, whether it holds."""
    columns = "item, amount, hour(valid_from) AS f, hour(valid_to) AS t, is_current"
    return [tuple(row.values()) for row in lake.rows(f"SELECT {columns} FROM silver.stock ORDER BY item, valid_from")]


def test_what_differs_from_the_last_state_becomes_a_version() -> None:
    """New keys begin, changed ones end and begin, missing ones end, and what is equal is left alone."""
    with temporary_lake(PROJECT) as lake:
        assert run(lake, "tea,5", "oil,3", "none,1") == Ledger(2, inserted=2, read=3, filtered=1)
        assert run(lake, "tea,5", "oil,4", "oil,4", "jam,1") == Ledger(
            4, inserted=1, updated=1, unchanged=1, deduplicated=1, read=4, filtered=0
        )
        assert run(lake, "tea,5", "jam,2") == Ledger(3, updated=1, unchanged=1, deleted=1, read=3, filtered=0)
        run(lake, "tea,5", "jam,2", "oil,4")
        assert stock(lake) == [
            ("jam", 1, 2, 3, False),
            ("jam", 2, 3, None, True),
            ("oil", 3, 1, 2, False),
            ("oil", 4, 2, 3, False),
            ("oil", 4, 4, None, True),
            ("tea", 5, 1, None, True),
        ]


def test_a_key_whose_row_is_rejected_keeps_its_version() -> None:
    """A bad row is no sign that its key is gone; of two rows of a key one is its state, and the other is kept aside."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "tea,5", "oil,3")
        ledger = run(lake, "tea,500", "oil,7", "oil,6", ",4")
        assert (ledger.quarantined, ledger.updated, ledger.deleted) == (3, 1, 0)
        assert stock(lake)[2] == ("tea", 5, 1, None, True)
        assert [row[1] for row in stock(lake)[:2]] == [3, 6]
        rules = [row["rule"] for row in lake.rows("SELECT rule FROM quarantine.records ORDER BY rule")]
        assert rules == ["between:amount", "key_conflict", "null_key"]


def test_a_clock_that_goes_back_is_told_and_history_goes_on() -> None:
    """Each version begins after all that was there before."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "tea,5")
        lake.clock.advance(days=-1)
        run(lake, "tea,6")
        (outcome,) = [event.fields for event in lake.events if event.name == "step_finished"][-1:]
        assert "the clock says" in str(outcome["note"])
        first, second = lake.rows("SELECT valid_from, valid_to FROM silver.stock ORDER BY valid_from")
        assert first["valid_from"] == datetime(2026, 1, 1, 1)
        assert first["valid_to"] == second["valid_from"] == datetime(2026, 1, 1, 1, 0, 0, 1)


def test_a_rebuild_keeps_the_history() -> None:
    """What was seen once cannot be seen again, so --rebuild compares as ever; nor does a rebuild upstream end it."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "tea,5")
        run(lake, "tea,6")
        before = stock(lake)
        lake.write("models/silver/stock.sql", SQL.replace("'none'", "'nothing'"))
        assert lake.run(rebuild=("silver.stock",)).ok
        assert stock(lake) == before
        lake.write("models/silver/stock.sql", SQL.replace("amount::INTEGER AS amount", "amount"))
        failed = lake.run(rebuild=("silver.stock",)).failures[STOCK]
        assert failed.code == "MP-2105"
        assert stock(lake) == before


def test_going_back_ends_in_the_same_versions_later() -> None:
    """A restored history goes on from what it was."""
    with temporary_lake(PROJECT) as lake:
        run(lake, "tea,5")
        number = lake.lakehouse.catalog.head()
        run(lake, "tea,6")
        lake.lakehouse.restore(number, "silver.stock")
        assert stock(lake) == [("tea", 5, 1, None, True)]
        lake.clock.advance(hours=1)
        assert lake.run().ok
        assert stock(lake) == [("tea", 5, 1, 3, False), ("tea", 6, 3, None, True)]
        assert not lake.run().outcomes


def test_a_join_is_looked_at_as_a_whole() -> None:
    """Any query gives a state."""
    sql = "SELECT a.item, count(*) AS n FROM bronze.stock AS a JOIN bronze.stock AS b ON a.amount = b.amount GROUP BY 1"
    with temporary_lake(
        {**PROJECT, "models/silver/stock.sql": f"/*---\nkind: snapshot\nkey: [item]\n---*/\n{sql}\n"}
    ) as lake:
        run(lake, "tea,5", "oil,5")
        run(lake, "tea,5", "oil,6")
        assert lake.rows("SELECT item, n FROM silver.stock WHERE is_current ORDER BY item") == [
            {"item": "oil", "n": 1},
            {"item": "tea", "n": 1},
        ]


ITEMS = ("tea", "oil", "jam")
states = st.lists(st.dictionaries(st.sampled_from(ITEMS), st.integers(1, 3), max_size=3), min_size=1, max_size=4)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(st.lists(states, min_size=4, max_size=4), st.randoms())
def test_any_states_through_a_lake(played: list[list[dict[str, int]]], random: Any) -> None:
    """Four sequences of states at once, each state's rows in any order and in any number of files."""
    with temporary_lake(PROJECT, clock=FakeClock()) as lake:
        held: dict[str, tuple[int, int]] = {}
        expected: list[tuple[Any, ...]] = []
        for number in range(1, max(map(len, played)) + 1):
            state = {
                f"{item}{own}": amount
                for own, sequence in enumerate(played)
                for item, amount in sequence[min(number, len(sequence)) - 1].items()
            }
            for item in [item for item, (amount, _) in held.items() if state.get(item) != amount]:
                expected.append((item, *held.pop(item), number, False))
            for item, amount in state.items():
                held.setdefault(item, (amount, number))
            lines = [f"{item},{amount}" for item, amount in state.items()]
            random.shuffle(lines)
            cut = random.randrange(len(lines) + 1)
            lake.deliver("data/more.csv", "\n".join(("item,amount", *lines[cut:], "")))
            run(lake, *lines[:cut], f"none,{number}")
        expected += [(item, amount, since, None, True) for item, (amount, since) in held.items()]
        assert sorted(stock(lake), key=str) == sorted(expected, key=str)
