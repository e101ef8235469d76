"""Whatever is rejected, mended, landed again, given up and built anew in whatever order: the tables end the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.pipeline.quarantine import Selection
from millpond.quality.edits import Assignments
from millpond.quality.entries import Entry
from millpond.testing import TemporaryLake, temporary_lake

PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/events.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
    "models/silver/events.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [0, 90]}\n---*/\n"
        "SELECT id::INTEGER AS id, person, amount::INTEGER AS amount FROM bronze.events\n"
    ),
    "models/silver/small.sql": (
        "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [0, 40]}\n---*/\n"
        "SELECT id, person, amount FROM silver.events\n"
    ),
    "models/gold/by_person.sql": (
        "/*---\nkind: aggregate\nkey: [person]\n---*/\n"
        "SELECT person, count(*) AS records FROM bronze.events GROUP BY person\n"
    ),
}

Record = tuple[str, str, str]
Place = tuple[str, int]

records = st.tuples(
    st.sampled_from(["1", "2", "3", "4"]), st.sampled_from(["ann", "bob"]), st.sampled_from(["1", "50", "99", "many"])
)
works = st.one_of(
    st.tuples(st.just("deliver"), st.lists(records, min_size=1, max_size=4)),
    st.tuples(st.just("fix"), st.tuples(st.integers(0, 5), st.sampled_from(["7", "60", "95"]))),
    st.tuples(st.just("replay"), st.none()),
    st.tuples(st.just("discard"), st.integers(0, 5)),
    st.tuples(st.just("rebuild"), st.none()),
)
histories = st.lists(works, min_size=3, max_size=7).map(
    lambda some: [("deliver", [("1", "ann", "many"), ("2", "bob", "50")]), *some]
)


@dataclass
class Twin:
    """What the lake should hold, in plain Python: each record as it was received or is mended by now."""

    records: dict[Place, Record] = field(default_factory=dict)
    fixed: dict[str, tuple[tuple[Place, ...], str]] = field(default_factory=dict)
    mended: dict[str, tuple[Place, ...]] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)

    def events(self) -> list[tuple[int, str, int]]:
        """What silver.events means: of each id, the least good payload."""
        found: dict[int, tuple[str, int]] = {}
        for identity, person, amount in self.records.values():
            if amount.isdigit() and int(amount) <= 90:
                payload = (person, int(amount))
                found[int(identity)] = min(payload, found.get(int(identity), payload))
        return [(identity, *payload) for identity, payload in sorted(found.items())]

    def people(self) -> list[tuple[str, int]]:
        """How many records each person has in bronze."""
        counts: dict[str, int] = {}
        for _, person, _ in self.records.values():
            counts[person] = counts.get(person, 0) + 1
        return sorted(counts.items())


def table(lake: TemporaryLake, sql: str) -> list[tuple[Any, ...]]:
    """Rows as tuples."""
    return [tuple(row.values()) for row in lake.rows(sql)]


def entries(lake: TemporaryLake, *statuses: str) -> list[Entry]:
    """The entries of silver.events that a rule of its own rejected, and those of silver.small, in a fixed order."""
    chosen = Selection(models=("silver.events", "silver.small"), statuses=statuses)  # type: ignore[arg-type]
    found = lake.lakehouse.quarantine.entries(chosen)
    return sorted((entry for entry in found if entry.rule != "key_conflict"), key=lambda entry: entry.id)


def places(lake: TemporaryLake, twin: Twin, entry: Entry) -> tuple[Place, ...]:
    """The records of the twin that an entry stands for: told by place, or by what silver.events made of them."""
    if entry.model.name == "events":
        if str(entry.origin).startswith("quarantine:"):
            before = twin.mended[str(entry.origin).split(":")[1].split("/")[0]]
            return (before[(entry.position or 1) - 1],)
        return ((str(entry.origin), entry.position or 0),)
    row = lake.lakehouse.quarantine.records((entry,))
    same = {(line["id"], line["person"], line["amount"]) for line in row}
    return tuple(sorted(place for place, record in twin.records.items() if record in same))


def work(lake: TemporaryLake, twin: Twin, what: str, how: Any, number: int) -> None:
    """Do one thing to the lake and to its twin."""
    quarantine = lake.lakehouse.quarantine
    if what == "deliver":
        path = f"data/f{number}.csv"
        lines = [f"{','.join(record)},{number}\n" for record in how]  # the number: else equal files would be copies
        lake.deliver(path, "id,person,amount,file\n" + "".join(lines))
        twin.records |= {(path, position): record for position, record in enumerate(how, start=1)}
    elif what == "fix":
        found = entries(lake, "open")
        if found:
            entry = found[how[0] % len(found)]
            twin.fixed[entry.id] = (places(lake, twin, entry), how[1])
            quarantine.assign([entry], Assignments({"amount": how[1]}))
    elif what == "discard":
        found = entries(lake, "open")
        if found:
            entry = found[how % len(found)]
            quarantine.discard([entry])
            twin.given_up.add(entry.id)
    elif what == "replay":
        found = entries(lake, "fixed")
        if found:
            report = quarantine.replay(found)
            assert report.ok, report.failures
            for entry in found:
                here, amount = twin.fixed[entry.id]
                if quarantine.entries(Selection((entry.id,)))[0].status == "replayed":
                    twin.mended[entry.id] = here
                    for place in here:
                        twin.records[place] = (*twin.records[place][:2], amount)


def check(history: list[tuple[str, Any]]) -> None:
    """After each thing and a run, every table is what the twin says; nothing is opened twice or again."""
    twin = Twin()
    with temporary_lake(PROJECT) as lake:
        for number, (what, how) in enumerate(history):
            work(lake, twin, what, how, number)
            report = lake.run(rebuild=("silver.events",) if what == "rebuild" else ())
            assert report.ok, report.failures
            assert table(lake, "SELECT id, person, amount FROM silver.events ORDER BY id") == twin.events()
            small = [row for row in twin.events() if row[2] <= 40]
            assert table(lake, "SELECT id, person, amount FROM silver.small ORDER BY id") == small
            assert table(lake, "SELECT person, records FROM gold.by_person ORDER BY person") == twin.people()
            assert table(lake, "SELECT id FROM quarantine.records GROUP BY id HAVING count(*) > 1") == []
            assert twin.given_up <= {entry.id for entry in entries(lake, "discarded")}
            mended = {entry.id for entry in entries(lake, "replayed")}
            assert mended == set(twin.mended)
        open_now = {(entry.model.name, entry.value) for entry in entries(lake, "open", "fixed", "discarded")}
        bad = {("events", amount) for _, _, amount in twin.records.values() if amount in ("many", "99", "95")}
        large = {("small", str(row[2])) for row in twin.events() if row[2] > 40}
        assert bad | large <= open_now | {(e.model.name, e.value) for e in entries(lake, "replayed", "healed")}


@settings(max_examples=5, suppress_health_check=list(HealthCheck))
@given(histories)
def test_any_order_of_work_gives_what_the_mended_records_mean(history: list[tuple[str, Any]]) -> None:
    """Records of a bronze file, of a mended one, and of a later table, among conflicts of keys."""
    check(history)


@pytest.mark.long
@pytest.mark.timeout(3000)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(histories)
def test_any_order_of_work_in_many_rounds(history: list[tuple[str, Any]]) -> None:
    """The same, with many histories."""
    check(history)
