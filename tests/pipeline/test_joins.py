"""Facts that are joined to dimensions follow both: a late row of a dimension heals the facts that waited for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.catalog.commits import Ledger
from millpond.core.names import TableName
from millpond.pipeline.quarantine import Selection
from millpond.testing import TemporaryLake, temporary_lake

QUERIES = {
    "facts": (
        "SELECT o.id, coalesce(c.id, -1) AS customer, coalesce(c.name, 'unknown') AS name, r.name AS referrer "
        "FROM silver.orders AS o LEFT JOIN silver.customers AS c ON o.customer = c.id "
        "LEFT JOIN silver.customers AS r ON o.referrer = r.id"
    ),
    "of_known": (
        "WITH known AS (SELECT id, upper(name) AS name FROM silver.customers WHERE name IS NOT NULL) "
        "SELECT o.referrer, count(*) AS orders, sum(o.pieces)::BIGINT AS pieces, min(k.name) AS first "
        "FROM silver.orders AS o JOIN known AS k ON k.id = o.customer WHERE o.referrer IS NOT NULL GROUP BY o.referrer"
    ),
    "days": (
        "SELECT o.day, o.id, c.name, surrogate_key('c', o.customer) AS person FROM silver.orders AS o "
        "LEFT JOIN silver.customers AS c ON o.customer = c.id"
    ),
    "before": (
        "SELECT o.id, count(c.id) AS older, max(c.name) AS last FROM silver.orders AS o "
        "LEFT JOIN silver.customers AS c ON c.version < o.version GROUP BY o.id"
    ),
    "by_name": (
        "SELECT coalesce(c.name, 'unknown') AS name, count(*) AS orders FROM silver.orders AS o "
        "LEFT JOIN silver.customers AS c ON o.customer = c.id GROUP BY 1"
    ),
}
FRONT = {
    "facts": "kind: replace\nkey: [id]",
    "of_known": "kind: aggregate\nkey: [referrer]",
    "days": "kind: replace\npartition: [day]",
    "before": "kind: aggregate\nkey: [id]",
    "by_name": "kind: aggregate\nkey: [name]",
}
SILVER = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/orders.yaml": "kind: files\npaths: ['data/orders/*.csv']\nsettle_seconds: 0\n",
    "sources/customers.yaml": "kind: files\npaths: ['data/customers/*.csv']\nsettle_seconds: 0\n",
    "models/silver/orders.sql": (
        "/*---\nkind: upsert\nkey: [id]\norder: [version]\ndelete_when: pieces = 0\n---*/\n"
        "SELECT id::INTEGER AS id, version::INTEGER AS version, customer::INTEGER AS customer, "
        "referrer::INTEGER AS referrer, day::DATE AS day, pieces::INTEGER AS pieces FROM bronze.orders\n"
    ),
    "models/silver/customers.sql": (
        "/*---\nkind: upsert\nkey: [id]\norder: [version]\ndelete_when: name = 'gone'\n---*/\n"
        "SELECT id::INTEGER AS id, version::INTEGER AS version, name FROM bronze.customers\n"
    ),
}
PROJECT = SILVER | {
    f"models/gold/{name}.sql": f"/*---\n{FRONT[name]}\n---*/\n{query}\n" for name, query in QUERIES.items()
}
ORDERS = "id,version,customer,referrer,day,pieces\n"
CUSTOMERS = "id,version,name\n"
FACTS = TableName("gold", "facts")


def lines(rows: Sequence[Sequence[object]]) -> str:
    return "".join(f"{','.join(map(str, row))}\n" for row in rows)


def opened(lake: TemporaryLake, orders: Sequence[Sequence[object]], customers: Sequence[Sequence[object]]) -> None:
    """The first files, and a run."""
    lake.deliver("data/orders/a.csv", ORDERS + lines(orders))
    lake.deliver("data/customers/a.csv", CUSTOMERS + lines(customers))
    run(lake)


def run(lake: TemporaryLake) -> dict[str, Ledger]:
    """A run in which every step ends well: where the rows of each went."""
    report = lake.run()
    assert report.ok, report.failures
    return {str(table): done.ledger for table, done in report.outcomes.items() if done.ledger is not None}


def notes(lake: TemporaryLake) -> dict[str, tuple[str, str]]:
    """The mode of each model's step that a run would do, and what the plan says of it."""
    steps = lake.lakehouse.runner.plan().steps
    return {str(step.table): (step.mode, step.note) for step in steps if hasattr(step, "mode")}


def test_a_dimension_row_that_comes_a_week_late_heals_the_facts_that_met_the_unknown_member() -> None:
    """They are updated, the facts of others are not even looked at, and the plan says so."""
    orders = [(n, 1, 7 if n <= 3 else 8, "", "2026-01-05", 1) for n in range(1, 201)]
    with temporary_lake(PROJECT) as lake:
        opened(lake, orders, [(8, 1, "Ann")])
        unknown = "SELECT count(*) AS n FROM gold.facts WHERE name = 'unknown' AND customer = -1"
        assert lake.rows(unknown) == [{"n": 3}]
        lake.clock.advance(days=7)
        lake.deliver("data/customers/b.csv", CUSTOMERS + "7,1,Bob\n")
        told = notes(lake)
        assert told["gold.facts"] == ("groups", "recomputes the rows of the keys that changed")
        assert told["gold.of_known"] == ("groups", "recomputes the groups that changed")
        assert told["gold.days"] == ("groups", "replaces the partitions that changed")
        assert told["gold.by_name"] == (
            "whole",
            "name is not told to be made of one row of silver.orders: recomputes all, changes what differs",
        )
        done = run(lake)["gold.facts"]
        assert (done.inserted, done.updated, done.unchanged, done.deleted) == (0, 3, 0, 0)
        assert lake.rows(unknown) == [{"n": 0}]
        assert lake.rows("SELECT id, name FROM gold.facts WHERE customer = 7 ORDER BY id") == [
            {"id": n, "name": "Bob"} for n in (1, 2, 3)
        ]
        assert notes(lake) == {}


def test_a_join_by_no_equality_is_followed_through_its_first_table() -> None:
    """New facts are joined alone; a row of the other table may bear on each of them, and the plan says so."""
    with temporary_lake(PROJECT) as lake:
        opened(lake, [(n, 5, 7, "", "2026-01-05", 1) for n in range(1, 101)], [(8, 1, "Ann")])
        lake.deliver("data/orders/b.csv", ORDERS + "200,5,7,,2026-01-06,1\n")
        assert notes(lake)["gold.before"] == ("groups", "recomputes the groups that changed")
        done = run(lake)["gold.before"]
        assert (done.inserted, done.updated, done.unchanged) == (1, 0, 0)
        lake.deliver("data/customers/b.csv", CUSTOMERS + "7,1,Bob\n")
        told = "silver.customers is joined by no equality: recomputes all, changes what differs"
        assert notes(lake)["gold.before"] == ("whole", told)
        assert run(lake)["gold.before"].updated == 101
        check(lake)


def test_a_fact_in_quarantine_for_want_of_its_dimension_is_released_when_that_comes() -> None:
    """A joined table that brings the row a check missed has the facts judged anew; when it goes, they are out again."""
    model = (
        "/*---\nkind: replace\nkey: [id]\nchecks:\n  - relationship: {customer: silver.customers.id}\n---*/\n"
        "SELECT o.id, o.customer, c.name FROM silver.orders AS o LEFT JOIN silver.customers AS c ON o.customer = c.id\n"
    )
    with temporary_lake({**SILVER, "models/gold/facts.sql": model}) as lake:
        opened(lake, [(1, 1, 7, "", "2026-01-05", 1), (2, 1, 8, "", "2026-01-05", 1)], [(8, 1, "Ann")])
        assert states(lake) == ["open"]
        assert lake.rows("SELECT id FROM gold.facts") == [{"id": 2}]
        lake.deliver("data/customers/b.csv", CUSTOMERS + "7,1,Bob\n")
        done = run(lake)["gold.facts"]
        assert (done.staged, done.inserted, done.quarantined) == (1, 1, 0)
        assert states(lake) == ["healed"]
        lake.deliver("data/customers/c.csv", CUSTOMERS + "7,2,gone\n")
        done = run(lake)["gold.facts"]
        assert (done.deleted, done.quarantined) == (1, 1)
        assert lake.rows("SELECT id FROM gold.facts") == [{"id": 2}]
        assert states(lake) == ["open"]


def test_a_fact_that_is_only_warned_of_is_there_with_the_unknown_member() -> None:
    """With severity warn the table has the row at once, and the same row changes when its dimension comes."""
    model = (
        "/*---\nkind: replace\nkey: [id]\nchecks:\n  - relationship: {customer: silver.customers.id}\n"
        "    severity: warn\n---*/\n"
        "SELECT o.id, o.customer, coalesce(c.name, 'unknown') AS name FROM silver.orders AS o "
        "LEFT JOIN silver.customers AS c ON o.customer = c.id\n"
    )
    with temporary_lake({**SILVER, "models/gold/facts.sql": model}) as lake:
        opened(lake, [(1, 1, 7, "", "2026-01-05", 1)], [(8, 1, "Ann")])
        assert lake.rows("SELECT name FROM gold.facts") == [{"name": "unknown"}]
        lake.deliver("data/customers/b.csv", CUSTOMERS + "7,1,Bob\n")
        assert run(lake)["gold.facts"].updated == 1
        assert lake.rows("SELECT name FROM gold.facts") == [{"name": "Bob"}]
        assert states(lake) == []


def states(lake: TemporaryLake) -> list[str]:
    """Where the life of each quarantined record stands."""
    every = ("open", "fixed", "replayed", "discarded", "healed")
    return [entry.status for entry in lake.lakehouse.quarantine.entries(Selection(statuses=every))]


def test_a_dimension_that_was_made_anew_has_everything_computed() -> None:
    """What its older rows were is not told by changes."""
    with temporary_lake(PROJECT) as lake:
        opened(lake, [(1, 1, 7, "", "2026-01-05", 1), (2, 1, 8, "", "2026-01-05", 1)], [(8, 1, "Ann")])
        lake.deliver("data/customers/b.csv", CUSTOMERS + "7,1,Bob\n")
        report = lake.run("silver.customers", rebuild=("silver.customers",))
        assert report.ok, report.failures
        check(lake)


order = st.tuples(
    st.integers(1, 5),
    st.integers(1, 9),
    st.sampled_from(["1", "2", "3", ""]),
    st.sampled_from(["1", "2", ""]),
    st.sampled_from(["2026-01-05", "2026-01-06"]),
    st.sampled_from([0, 1, 2]),
)
customer = st.tuples(st.integers(1, 3), st.integers(1, 9), st.sampled_from(["Ann", "Bob", "", "gone"]))
batches = st.lists(
    st.tuples(st.lists(order, max_size=4), st.lists(customer, max_size=3)).filter(any), min_size=2, max_size=3
)
Batches = list[tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]]


def check(lake: TemporaryLake) -> None:
    """Every table is what its query gives over all rows that there are."""
    for name, query in QUERIES.items():
        found = lake.rows(f"SELECT * FROM gold.{name} ORDER BY ALL")
        assert found == lake.rows(f"SELECT * FROM ({query}) ORDER BY ALL"), name


def play(given: Batches) -> None:
    """Deliver the batches one by one, and look after each."""
    with temporary_lake(PROJECT) as lake:
        opened(lake, [(9, 1, 1, 2, "2026-01-05", 1)], [(9, 1, "Eve")])
        for number, (orders, customers) in enumerate(given):
            if orders:
                lake.deliver(f"data/orders/b{number}.csv", ORDERS + lines(orders))
            if customers:
                lake.deliver(f"data/customers/b{number}.csv", CUSTOMERS + lines(customers))
            run(lake)
            check(lake)


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(batches)
def test_every_joined_table_is_its_query_over_all_rows(given: Batches) -> None:
    """Facts and dimensions in any order, late, missing, changed and deleted."""
    play(given)


@pytest.mark.long
@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(batches)
def test_every_joined_table_is_its_query_over_all_rows_in_many_rounds(given: Batches) -> None:
    """The same, often."""
    play(given)
