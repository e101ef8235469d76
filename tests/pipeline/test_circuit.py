"""A model whose input went bad takes no more of it, tries again, and goes on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from millpond.core.errors import RunError
from millpond.core.names import TableName
from millpond.pipeline.circuit import open_circuits
from millpond.pipeline.request import Request
from millpond.testing import TemporaryLake, temporary_lake

ORDERS = TableName("silver", "orders")
MODEL = (
    "/*---\nkind: append\nkey: [id]\n{more}breaker: {{max_failed: 20%, after: 4, retry: 1h}}\n---*/\n"
    "SELECT id::INTEGER AS id, amount::INTEGER AS amount FROM bronze.orders\n"
)
BASE = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/orders.sql": MODEL.format(more=""),
    "models/gold/total.sql": "SELECT sum(amount)::BIGINT AS total FROM silver.orders\n",
}


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A shop that is built."""
    with temporary_lake(BASE) as made:
        deliver(made, 1, 2, 3, 4)
        yield made


def deliver(lake: TemporaryLake, *numbers: int, bad: bool = False) -> None:
    """A file of orders, whose amounts are no numbers where they are `bad`; and a run."""
    lines = "".join(f"{number},{'many' if bad else number}\n" for number in numbers)
    lake.deliver(f"data/{numbers[0]:03}.csv", f"id,amount\n{lines}")
    assert lake.run().ok


def ids(lake: TemporaryLake) -> list[int]:
    """The orders that the model took in."""
    return [row["id"] for row in lake.rows("SELECT id FROM silver.orders ORDER BY id")]


def is_open(lake: TemporaryLake) -> bool:
    """Whether the model's circuit is open."""
    return ORDERS in open_circuits(lake.lakehouse.project.models, lake.lakehouse.catalog)


def test_a_model_stops_taking_new_input_after_too_many_failures(lake: TemporaryLake) -> None:
    """The step that trips it is published; what comes then waits in bronze, and the plan says so."""
    deliver(lake, 5, 6, bad=True)
    assert not is_open(lake)
    deliver(lake, 7, 8, bad=True)
    assert is_open(lake)
    assert lake.rows("SELECT count(*) AS n FROM quarantine.records") == [{"n": 4}]
    deliver(lake, 9)
    assert ids(lake) == [1, 2, 3, 4]
    planned = lake.lakehouse.runner.plan()
    assert (planned.steps, planned.open) == ((), (ORDERS,))
    assert lake.rows("SELECT count(*) AS n FROM bronze.orders") == [{"n": 9}]


def test_after_a_while_one_increment_is_tried(lake: TemporaryLake) -> None:
    """The oldest that waits: a bad one keeps the circuit open, a good one closes it, the next run takes the rest."""
    deliver(lake, 5, 6, 7, 8, bad=True)
    deliver(lake, 9, bad=True)
    deliver(lake, 10)
    deliver(lake, 11, 12)
    lake.clock.advance(hours=1)
    assert lake.run().ok
    assert (is_open(lake), ids(lake)) == (True, [1, 2, 3, 4])
    assert lake.run().outcomes == {}
    lake.clock.advance(hours=1)
    assert lake.lakehouse.runner.plan().steps[0].note == "its circuit is open: tries one increment"  # type: ignore[union-attr]
    assert lake.run().ok
    assert (is_open(lake), ids(lake)) == (False, [1, 2, 3, 4, 10])
    assert lake.run().ok
    assert ids(lake) == [1, 2, 3, 4, 10, 11, 12]
    assert lake.rows("FROM gold.total") == [{"total": 43}]
    assert lake.lakehouse.runner.plan().empty


def test_a_trial_may_be_asked_for(lake: TemporaryLake) -> None:
    """At once, but only where a circuit is open."""
    with pytest.raises(RunError) as refused:
        lake.lakehouse.runner.run(Request(retry=("silver.orders",)))
    assert refused.value.code == "MP-7121"
    deliver(lake, 5, 6, 7, 8, bad=True)
    deliver(lake, 9)
    assert lake.lakehouse.runner.run(Request(retry=("silver.orders",))).ok
    assert (is_open(lake), ids(lake)) == (False, [1, 2, 3, 4, 9])


def test_a_mended_model_begins_with_a_closed_circuit(lake: TemporaryLake) -> None:
    """A rebuild takes everything in, judged by all of its rows; without a breaker there is no circuit."""
    deliver(lake, 5, 6, 7, 8, bad=True)
    lake.write("models/silver/orders.sql", MODEL.format(more="").replace("amount::", "TRY_CAST(amount AS INTEGER)::"))
    assert lake.run(rebuild=("silver.orders",)).ok
    assert (is_open(lake), len(ids(lake))) == (False, 8)
    lake.write("models/silver/orders.sql", MODEL.format(more=""))
    assert lake.run(rebuild=("silver.orders",)).ok
    assert is_open(lake)
    lake.write("models/silver/orders.sql", MODEL.format(more="").replace("breaker: {max_failed: 20%, ", "#"))
    assert not is_open(lake)


def test_a_check_that_stops_the_step_opens_the_circuit() -> None:
    """In a commit of its own, for nothing of the step is published; the next run does not fail again and again."""
    model = MODEL.format(more="checks:\n  - between: {amount: [0, 100]}\n    severity: stop\n")
    with temporary_lake({**BASE, "models/silver/orders.sql": model}) as lake:
        deliver(lake, 1)
        lake.deliver("data/bad.csv", "id,amount\n2,200\n")
        assert lake.run().failures[ORDERS].code == "MP-6001"
        newest = lake.lakehouse.catalog.history()[0]
        assert (newest.kind, newest.table, newest.tables) == ("circuit", ORDERS, ())
        assert lake.run().ok
        assert (is_open(lake), ids(lake)) == (True, [1])
        lake.clock.advance(hours=2)
        assert lake.run().failures[ORDERS].code == "MP-6001"
        assert is_open(lake)


def test_going_back_takes_the_circuit_back(lake: TemporaryLake) -> None:
    """Its state is a record of the commits that told it."""
    before = lake.lakehouse.catalog.head()
    deliver(lake, 5, 6, 7, 8, bad=True)
    lake.lakehouse.restore(before, "silver.orders")
    assert not is_open(lake)
