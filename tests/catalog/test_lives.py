"""The life of quarantined records, in either pointer store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Circuit, Commit, LifeEvent, Restored
from millpond.catalog.lives import Life, circuit_states, lives, open_records, unsettled
from millpond.catalog.staging import TableChange
from millpond.core.errors import ConflictError
from millpond.core.names import TableName
from millpond.sql.quarantine import RECORDS, SCHEMA

ORDERS, BRONZE = TableName("silver", "orders"), TableName("bronze", "orders")


def publish(catalog: Catalog, key: str, **told: object) -> int:
    """A commit that moves no table; its number."""
    stage = catalog.begin(key)
    commit = Commit(key, "test", "owner", **{"table": ORDERS, **told})  # type: ignore[arg-type]
    return stage.publish(commit).number


def opening(catalog: Catalog, key: str, count: int) -> int:
    """A commit that puts records into quarantine, as an engine's INSERT leaves them; its number."""
    stage = catalog.begin(key)
    if stage.find(RECORDS) is None:
        stage.create_table(RECORDS, SCHEMA)
    now = stage.metadata(RECORDS)
    before = int((now.current_snapshot or {}).get("summary", {}).get("total-records", 0))
    row = {
        "snapshot-id": now.sequence_number + 1,
        "sequence-number": now.sequence_number + 1,
        "timestamp-ms": 1,
        "manifest-list": "/nowhere.avro",
        "summary": {"operation": "append", "total-records": str(before + count)},
        "schema-id": 0,
    }
    reference = {"ref-name": "main", "type": "branch", "snapshot-id": row["snapshot-id"]}
    updates = ({"action": "add-snapshot", "snapshot": row}, {"action": "set-snapshot-ref", **reference})
    stage.commit((TableChange(RECORDS, (), updates),))
    return stage.publish(Commit(key, "append", "owner", table=ORDERS)).number


def waiting(catalog: Catalog, at: int | None = None) -> list[tuple[int, int]]:
    """The open records: (commit that opened them, how many)."""
    return [(found.commit, found.records) for found in open_records(catalog, at)]


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records themselves are not the matter here: their snapshots name no files."""
    monkeypatch.setattr("millpond.catalog.publishing.manifests.new_files", lambda _before, _now: ())


def test_records_are_open_until_an_event_says_otherwise(catalog: Catalog) -> None:
    """Openings are counted by the commit that added to the quarantine; each event takes its record away."""
    first, second = opening(catalog, "a", 3), opening(catalog, "b", 2)
    assert waiting(catalog) == [(first, 3), (second, 2)]
    life = Life("r1", opened=first)
    publish(catalog, "c", table=RECORDS, lives=(life.becomes("fixed", RECORDS, revision=1),))
    assert waiting(catalog) == [(first, 2), (second, 2)]
    assert waiting(catalog, second) == [(first, 3), (second, 2)]
    (told,) = lives(catalog, ["r1", "r2"]).values()
    assert (told.status, told.last, told.revision, told.opened) == ("fixed", 1, 1, first)


def test_of_two_decisions_about_one_record_the_later_is_a_conflict(catalog: Catalog) -> None:
    """Both were made of the same knowledge; the second changes nothing."""
    first = opening(catalog, "a", 1)
    life = Life("r1", opened=first)
    publish(catalog, "b", lives=(life.becomes("discarded", RECORDS),))
    head = catalog.head()
    with pytest.raises(ConflictError) as refused:
        publish(catalog, "c", lives=(life.becomes("fixed", RECORDS, revision=1),))
    assert (refused.value.code, catalog.head()) == ("MP-3120", head)
    assert lives(catalog)["r1"].status == "discarded"


def test_a_record_that_is_open_again_waits_since_then(catalog: Catalog) -> None:
    """It counts for the table that it was opened for."""
    first = opening(catalog, "a", 2)
    publish(catalog, "b", lives=(Life("r1", opened=first).becomes("healed", ORDERS),))
    number = publish(catalog, "c", lives=(lives(catalog)["r1"].becomes("open", ORDERS),))
    base, again = open_records(catalog, None, ORDERS)
    assert (base.records, again.records, again.commit) == (1, 1, first)
    assert again.since == catalog.history(None, 1)[0].at
    assert unsettled(catalog, ORDERS, number) == ("r1",)
    assert unsettled(catalog, BRONZE, number) == ()


def test_a_restore_of_a_table_takes_back_what_its_commits_said(catalog: Catalog) -> None:
    """A replay falls with the bronze table, a healing with the model; what people decided stays."""
    opened = opening(catalog, "a", 3)
    publish(
        catalog,
        "b",
        lives=(
            LifeEvent("replayed", "replayed", 0, BRONZE, opened, 1),
            LifeEvent("healed", "healed", 0, ORDERS, opened),
            LifeEvent("given up", "discarded", 0, RECORDS, opened),
        ),
    )
    publish(catalog, "c", restores=(Restored(BRONZE, opened),))
    told = lives(catalog)
    assert {key: life.status for key, life in told.items()} == {
        "replayed": "open",
        "healed": "healed",
        "given up": "discarded",
    }
    assert told["replayed"].last == 1
    assert waiting(catalog) == [(opened, 1)]
    publish(catalog, "d", restores=(Restored(None, opened),))
    assert waiting(catalog) == [(opened, 3)]
    publish(catalog, "e", lives=(replace(lives(catalog)["healed"], opened=opened).becomes("discarded", RECORDS),))
    assert waiting(catalog) == [(opened, 2)]


def test_many_events_go_in_and_come_out(catalog: Catalog) -> None:
    """More than one statement may hold."""
    opened = opening(catalog, "a", 12_000)
    publish(
        catalog, "b", lives=tuple(Life(f"r{i}", opened=opened).becomes("discarded", RECORDS) for i in range(12_000))
    )
    assert len(lives(catalog, [f"r{i}" for i in range(12_000)])) == 12_000
    assert waiting(catalog) == []


def test_the_newest_state_of_a_circuit_counts(catalog: Catalog) -> None:
    """As of any commit."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    first = publish(catalog, "a", circuits=(Circuit(ORDERS, "closed", 50, 1, moment),))
    publish(catalog, "b", circuits=(Circuit(ORDERS, "open", 120, 60, moment, "half of them"),))
    assert circuit_states(catalog)[ORDERS] == Circuit(ORDERS, "open", 120, 60, moment, "half of them")
    assert circuit_states(catalog, first)[ORDERS].state == "closed"
