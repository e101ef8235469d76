"""append -> upsert -> scd2 -> aggregate -> aggregate: whatever comes and goes, the tables are what all records mean.

Every example plays several histories at once, each with ids, people and cities of its own: a run costs the same for one
and for four, and no record of one history touches a key of another.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.testing import TemporaryLake, temporary_lake

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/moves.yaml": "kind: files\npaths: ['data/*.csv']\non_change: replace\nsettle_seconds: 0\n",
    "models/silver/moves.sql": (
        "/*---\nkind: append\nkey: [id]\n---*/\n"
        "SELECT id::INTEGER AS id, person, at::INTEGER AS at, city, op FROM bronze.moves\n"
    ),
    "models/silver/latest.sql": (
        "/*---\nkind: upsert\nkey: [person]\norder: at\ndelete_when: op = 'D'\nexclude: [op]\n---*/\n"
        "SELECT person, at, city, op FROM silver.moves\n"
    ),
    "models/silver/newest.sql": (
        "/*---\nkind: upsert\nkey: [city]\norder: [at]\n---*/\nSELECT city, at, person FROM silver.latest\n"
    ),
    "models/silver/visits.sql": (
        "/*---\nkind: scd2\nkey: [person]\nevent_time: at\ndelete_when: op = 'D'\nexclude: [op]\n---*/\n"
        "SELECT person, at, city, op FROM silver.moves\n"
    ),
    "models/silver/mayors.sql": (
        "/*---\nkind: scd2\nkey: [city]\nevent_time: at\n---*/\nSELECT city, at, person FROM silver.latest\n"
    ),
    "models/gold/by_person.sql": (
        "/*---\nkind: aggregate\nkey: [person]\n---*/\n"
        "SELECT person, count(*) AS terms, max(valid_to) AS ended FROM silver.mayors GROUP BY person\n"
    ),
    "models/gold/by_terms.sql": (
        "/*---\nkind: aggregate\nkey: [terms]\n---*/\n"
        "SELECT terms, count(*) AS people, sum(ended)::BIGINT AS ended FROM gold.by_person GROUP BY terms\n"
    ),
}

TABLES = (
    *("silver.latest", "silver.newest", "silver.visits", "silver.mayors"),
    *("gold.by_person", "gold.by_terms"),
)


class Record(NamedTuple):
    """A line of a file. An id may come again with other values, and the time may be missing."""

    id: int
    person: str
    at: str
    city: str
    op: str

    def of(self, history: int) -> Record:
        """The same record of another history."""
        return self._replace(
            id=self.id + 100 * history,
            person=self.person and f"{self.person}{history}",
            city=self.city and f"{self.city}{history}",
        )


records = st.builds(
    Record,
    st.integers(1, 6),
    st.sampled_from(["ann", "bob", ""]),
    st.sampled_from(["1", "2", "3", "", "x"]),
    st.sampled_from(["oslo", "rome", ""]),
    st.sampled_from(["U", "U", "U", "D"]),
)

Batch = tuple[int | None, list[Record]]
"""Records in a file of their own, or in place of those of an earlier file, by its number."""

histories: st.SearchStrategy[list[Batch]] = st.lists(
    st.tuples(st.none() | st.none() | st.integers(0, 3), st.lists(records, min_size=1, max_size=5)),
    min_size=1,
    max_size=4,
)


def deliver(lake: TemporaryLake, name: int, batch: list[Record]) -> None:
    """Put a file in place."""
    lines = "".join(f"{','.join(map(str, record))}\n" for record in batch)
    lake.deliver(f"data/{name}.csv", f"id,person,at,city,op\n{lines}")


def run(lake: TemporaryLake) -> None:
    """Run; every step must end well."""
    report = lake.run()
    assert report.ok, report.failures


def content(lake: TemporaryLake) -> dict[str, list[tuple[Any, ...]]]:
    """Every table's rows, in order."""
    return {table: sort([tuple(row.values()) for row in lake.rows(f"FROM {table}")]) for table in TABLES}


def sort(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows in one order, whatever they hold."""
    return sorted(rows, key=repr)


def reference(every: list[Record]) -> dict[str, list[tuple[Any, ...]]]:
    """What the models mean, over all records at once, in plain Python."""
    moves: dict[int, tuple[Any, ...]] = {}
    for record in every:
        if record.at != "x":
            payload = (record.person or None, int(record.at) if record.at else None, record.city or None, record.op)
            moves[record.id] = min(payload, moves.get(record.id, payload), key=content_order)
    latest: dict[str, tuple[Any, ...]] = {}
    for person, at, city, op in moves.values():
        if person is not None and at is not None:
            row = (person, at, city, op == "D")
            latest[person] = min(row, latest.get(person, row), key=lambda r: (-r[1], not r[3], content_order(r[2:3])))
    alive = [(person, at, city) for person, at, city, gone in latest.values() if not gone]
    newest: dict[str, tuple[Any, ...]] = {}
    for person, at, city in alive:
        if city is not None:
            row = (city, at, person)
            newest[city] = min(row, newest.get(city, row), key=lambda r: (-r[1], r[2]))
    visits = versions([(p, at, city, op == "D") for p, at, city, op in moves.values() if p is not None])
    mayors = versions([(city, at, person, False) for person, at, city in alive if city is not None])
    people = {person for _, person, *_ in mayors}
    ends = {person: [to for _, p, _, to, _ in mayors if p == person] for person in people}
    by_person = [(p, len(tos), max((to for to in tos if to is not None), default=None)) for p, tos in ends.items()]
    by_terms = []
    for terms in {terms for _, terms, _ in by_person}:
        ended = [end for _, number, end in by_person if number == terms]
        known = [end for end in ended if end is not None]
        by_terms.append((terms, len(ended), sum(known) if known else None))
    found = (alive, list(newest.values()), visits, mayors, by_person, by_terms)
    return {table: sort(rows) for table, rows in zip(TABLES, found, strict=True)}


def versions(events: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """What an scd2 model makes of (key, time, value, deletes): (key, value, from, to, current)."""
    counting: dict[Any, dict[int, tuple[Any, ...]]] = {}
    for key, at, value, gone in events:
        if at is not None:
            times = counting.setdefault(key, {})
            row = (value, gone)
            times[at] = min(row, times.get(at, row), key=lambda r: (not r[1], content_order(r[:1])))
    made: list[tuple[Any, ...]] = []
    for key, times in counting.items():
        held: tuple[Any, ...] | None = None
        for at, (value, gone) in sorted(times.items()):
            if held is not None and (gone or held[0] != value):
                made.append((key, *held, at, False))
                held = None
            if held is None and not gone:
                held = (value, at)
        if held is not None:
            made.append((key, *held, None, True))
    return made


def content_order(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The order that decides between rows of one key: the least value first, NULL last."""
    return tuple((value is None, value if value is not None else 0) for value in values)


def check(played: list[list[Batch]]) -> None:
    """Let all histories' batches arrive one by one; the tables are always what the files that are there mean."""
    with temporary_lake(PROJECT) as lake:
        files: list[dict[int, list[Record]]] = [{} for _ in played]
        for number in range(max(map(len, played))):
            changed = set()
            for own, history in enumerate(played):
                if number < len(history):
                    again, batch = history[number]
                    name = number if again is None else min(again, number)
                    files[own][name] = [record.of(own) for record in batch]
                    changed.add(name)
            for name in changed:
                deliver(lake, name, [record for held in files for record in held.get(name, [])])
            run(lake)
            every = [record for held in files for batch in held.values() for record in batch]
            assert content(lake) == reference(every)
        assert not lake.run().outcomes


fours = st.lists(histories, min_size=4, max_size=4)


@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(fours)
def test_any_arrival_gives_what_all_records_at_once_mean(played: list[list[Batch]]) -> None:
    """Duplicates, conflicts, late records, deletes, missing values and files that change, through seven models."""
    check(played)


@pytest.mark.long
@pytest.mark.timeout(6000)
@settings(max_examples=500, suppress_health_check=list(HealthCheck))
@given(fours)
def test_any_arrival_in_many_rounds(played: list[list[Batch]]) -> None:
    """The same, with thousands of histories."""
    check(played)
