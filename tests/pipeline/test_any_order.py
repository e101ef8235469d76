"""Models that stand on models: whatever order rows arrive in, the tables end the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.testing import TemporaryLake, temporary_lake

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/events.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/events.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [0, 90]}\n---*/\n"
        "SELECT id::INTEGER AS id, person, amount::INTEGER AS amount FROM bronze.events\n"
    ),
    "models/gold/by_person.sql": (
        "/*---\nkind: aggregate\nkey: [person]\n---*/\n"
        "SELECT person, count(*) AS events, sum(amount)::BIGINT AS amount FROM silver.events GROUP BY person\n"
    ),
    "models/gold/by_events.sql": (
        "/*---\nkind: aggregate\nkey: [events]\n---*/\n"
        "SELECT events, count(*) AS people, max(amount) AS most FROM gold.by_person GROUP BY events\n"
    ),
}

TABLES = ("silver.events", "gold.by_person", "gold.by_events")

Record = tuple[str, str, str]

records = st.tuples(
    st.sampled_from(["1", "2", "3", "4", "5", ""]),
    st.sampled_from(["ann", "bob", "eve"]),
    st.sampled_from(["1", "2", "50", "99", "many"]),
)


def deliver(lake: TemporaryLake, name: str, batch: list[Record]) -> None:
    """One file of records, and a run."""
    lines = "".join(f"{','.join(record)}\n" for record in batch)
    lake.deliver(f"data/{name}.csv", f"id,person,amount\n{lines}")
    report = lake.run()
    assert report.ok, report.failures


def content(lake: TemporaryLake) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows, in order."""
    return {table: lake.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES}


def reference(every: list[Record]) -> dict[str, list[dict[str, Any]]]:
    """What the models mean, over all records at once, in plain Python."""
    events: dict[int, tuple[str, int]] = {}
    for identity, person, amount in every:
        if identity and amount.isdigit() and int(amount) <= 90:
            payload = (person, int(amount))
            events[int(identity)] = min(payload, events.get(int(identity), payload))
    people: dict[str, list[int]] = {}
    for person, amount_ in events.values():
        people.setdefault(person, []).append(amount_)
    groups: dict[int, list[int]] = {}
    for amounts in people.values():
        groups.setdefault(len(amounts), []).append(sum(amounts))
    return {
        "silver.events": [{"id": i, "person": p, "amount": a} for i, (p, a) in sorted(events.items())],
        "gold.by_person": [{"person": p, "events": len(a), "amount": sum(a)} for p, a in sorted(people.items())],
        "gold.by_events": [{"events": n, "people": len(a), "most": max(a)} for n, a in sorted(groups.items())],
    }


def check_history(batches: list[list[Record]]) -> None:
    """Let the batches arrive one by one; the tables must be what all records at once mean."""
    with temporary_lake(PROJECT) as lake:
        for number, batch in enumerate(batches):
            deliver(lake, f"b{number}", batch)
        assert content(lake) == reference([record for batch in batches for record in batch])


histories = st.lists(st.lists(records, min_size=1, max_size=5), min_size=1, max_size=4)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(histories)
def test_any_arrival_gives_what_all_records_at_once_mean(batches: list[list[Record]]) -> None:
    """Duplicates, conflicting payloads, unreadable values and groups that move, through three models."""
    check_history(batches)


@pytest.mark.long
@pytest.mark.timeout(3000)
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(histories)
def test_any_arrival_in_many_rounds(batches: list[list[Record]]) -> None:
    """The same, with hundreds of histories."""
    check_history(batches)


def test_a_late_payload_moves_a_row_between_groups() -> None:
    """The conflict is decided for the later record, so its group loses a row and another gains one."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "first", [("1", "eve", "5"), ("2", "bob", "5")])
        deliver(lake, "second", [("1", "ann", "5")])
        assert lake.rows("SELECT person FROM gold.by_person ORDER BY person") == [{"person": "ann"}, {"person": "bob"}]
        (lost,) = lake.rows("SELECT rule, raw FROM quarantine.records")
        assert (lost["rule"], "eve" in lost["raw"]) == ("key_conflict", True)
