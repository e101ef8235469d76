"""Appends whose keys carry no time look them up in an index: what becomes of rows is the same without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.names import TableName
from millpond.pipeline import bounding, known_keys
from millpond.testing import TemporaryLake, temporary_lake
from tests.pipeline.test_any_order import Record, deliver, records, reference

EVENTS = TableName("silver", "events")
PROJECT = {
    "millpond.yaml": "version: 1\nname: shop\n",
    "sources/events.yaml": "kind: files\npaths: ['data/*.csv']\nsettle_seconds: 0\n",
}
MODEL = (
    "/*---\nkind: append\nkey: [id]\nchecks:\n  - between: {amount: [0, 90]}\n  - not_null: id\non_fail: quarantine\n"
    "---*/\nSELECT %s AS id, person, amount::INTEGER AS amount FROM bronze.events\n"
)
KEYS = {"text": "nullif(id, '')", "number": "(id::BIGINT)"}


@pytest.fixture(params=sorted(KEYS))
def key(request: pytest.FixtureRequest) -> Iterator[str]:
    """How the key is computed; an index is kept whatever the number of rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_keys, "LEAST", 0)
        patch.setattr(known_keys, "TIMES", 0)
        patch.setattr(bounding, "_FAR", 0)
        yield KEYS[request.param]


def lake_with(key: str) -> Any:
    """A new lake whose append has that key."""
    return temporary_lake(PROJECT | {"models/silver/events.sql": MODEL % key})


def folders(lake: TemporaryLake) -> list[Path]:
    """Where indexes are."""
    return sorted((lake.lakehouse.project.state / "keys").rglob("state.json"))


def check(lake: TemporaryLake, every: list[Record]) -> None:
    """The table is what all records at once mean."""
    wanted = [(str(row["id"]), row["person"], row["amount"]) for row in reference(every)["silver.events"]]
    found = lake.rows("SELECT id::VARCHAR AS id, person, amount FROM silver.events ORDER BY ALL")
    assert [tuple(row.values()) for row in found] == wanted


def harm(lake: TemporaryLake, how: str) -> None:
    """What may become of an index, or of its table behind its back, between two runs."""
    for state in folders(lake):
        run = next(iter(sorted(state.parent.glob("*.keys"))), state)
        if how == "lost":
            run.unlink()
        elif how == "flipped":
            content = bytearray(run.read_bytes())
            content[0] ^= 1
            run.write_bytes(content)
    if how == "rebuilt":
        assert lake.run("silver.events", rebuild=("silver.events",)).ok
    elif how == "restored":
        lake.lakehouse.restore(max(1, lake.lakehouse.catalog.head() // 2))
        assert lake.run().ok
    elif how == "kept up":
        assert lake.lakehouse.upkeep.run().ok


Step = str | list[Record] | tuple[list[Record]]
"""What is done to the index, a batch of records, or a batch that is so large that the table itself is read."""

batches = st.lists(records, min_size=1, max_size=5)
steps = st.one_of(
    batches,
    st.tuples(batches),
    st.sampled_from(["lost", "flipped", "rebuilt", "restored", "kept up"]),
)


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=2, max_size=6))
def test_any_series_gives_what_all_records_at_once_mean(key: str, series: list[Step]) -> None:
    """Rows of known keys in any batch, and indexes that are lost, damaged or overtaken in between."""
    play(key, series)


@pytest.mark.long
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=2, max_size=8))
def test_any_series_in_many_rounds(key: str, series: list[Step]) -> None:
    """The same, with hundreds of series."""
    play(key, series)


def play(key: str, series: list[Step]) -> None:
    """Do one thing after another, and compare after each."""
    every: list[Record] = []
    with lake_with(key) as lake:
        for number, step in enumerate(series):
            if isinstance(step, str):
                if every:
                    harm(lake, step)
            else:
                batch = step if isinstance(step, list) else step[0]
                every += batch
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(known_keys, "TIMES", 0 if isinstance(step, list) else 1_000_000)
                    deliver(lake, f"b{number}", batch)
            if every and lake.lakehouse.catalog.find(EVENTS) is not None:
                check(lake, every)


def test_a_key_that_is_known_is_not_added_again(key: str) -> None:
    """Nor after a step that was staged and never published, which the index knows of all the same."""
    with lake_with(key) as lake:
        deliver(lake, "first", [("1", "ann", "5"), ("2", "bob", "5")])
        assert len(folders(lake)) == 1
        lake.deliver("data/second.csv", "id,person,amount\n3,eve,5\n")
        assert lake.run("bronze.events").ok
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("millpond.catalog.staging.Stage.publish", interrupted)
            with pytest.raises(KeyboardInterrupt):
                lake.run("silver.events")
        lake.run()
        deliver(lake, "third", [("1", "ann", "5"), ("3", "eve", "5"), ("4", "eve", "5")])
        check(lake, [("1", "ann", "5"), ("2", "bob", "5"), ("3", "eve", "5"), ("4", "eve", "5")])


def interrupted(*_: object) -> None:
    """Ends the process just before the commit."""
    raise KeyboardInterrupt


def test_looking_up_reads_the_index_and_not_the_table(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that knows of nothing lets every key pass: so it is what was asked."""
    with lake_with(key) as lake:
        deliver(lake, "first", [("1", "ann", "5")])
        monkeypatch.setattr("millpond.tables.keys.KeyRuns.among", lambda _self, _wanted: [])
        deliver(lake, "second", [("1", "ann", "5"), ("2", "ann", "5")])
        assert lake.rows("SELECT count(*) AS n FROM silver.events") == [{"n": 3}]


def test_a_key_that_was_widened_is_known_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A FLOAT is hashed otherwise as DOUBLE, so that the older hashes tell nothing any more."""
    for name in ("LEAST", "TIMES"):
        monkeypatch.setattr(known_keys, name, 0)
    monkeypatch.setattr(bounding, "_FAR", 0)
    model = "/*---\nkind: append\nkey: [id]\n---*/\nSELECT id::%s AS id FROM bronze.events\n"
    path = "models/silver/events.sql"
    with temporary_lake({**PROJECT, path: model % "INTEGER"}) as lake:
        for name, kind, ids in (("a", "FLOAT", "1.5\n5"), ("b", "DOUBLE", "5\n7")):
            lake.write(path, model % kind)
            lake.deliver(f"data/{name}.csv", f"id\n{ids}\n")
            report = lake.run()
            assert report.ok, report.failures
        assert [row["id"] for row in lake.rows("FROM silver.events ORDER BY id")] == [1.5, 5, 7]
        metadata = lake.lakehouse.catalog.metadata(lake.lakehouse.catalog.table(EVENTS))
        assert [column.type for column in metadata.schema()] == ["DOUBLE"]
