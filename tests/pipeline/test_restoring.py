"""Going back and on again: a run after a restore ends where it would have ended without it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.core.errors import AccessError, CatalogError, RunError
from millpond.core.names import TableName
from millpond.pipeline.lock import project_lock
from millpond.testing import TemporaryLake, temporary_lake
from tests.pipeline.test_any_order import PROJECT as MODELS
from tests.pipeline.test_any_order import TABLES, Record, deliver, records
from tests.pipeline.test_any_order import content as tables_of
from tests.pipeline.test_any_order import reference as models_of

PROJECT = MODELS | {
    "models/gold/people.sql": "/*---\nkind: replace\n---*/\nSELECT DISTINCT person FROM silver.events\n",
}
EVERY = ("bronze.events", *TABLES, "gold.people")

FIRST: list[Record] = [("1", "eve", "5"), ("2", "bob", "5")]
SECOND: list[Record] = [("1", "ann", "5"), ("3", "eve", "7"), ("4", "bob", "99")]


def content(lake: TemporaryLake) -> dict[str, list[dict[str, Any]]]:
    """The models' rows, in order."""
    return {**tables_of(lake), "gold.people": lake.rows("SELECT * FROM gold.people ORDER BY ALL")}


def reference(every: list[Record]) -> dict[str, list[dict[str, Any]]]:
    """What the models mean, over all records at once."""
    found = models_of(every)
    people = sorted({row["person"] for row in found["silver.events"]})
    return {**found, "gold.people": [{"person": person} for person in people]}


def state(lake: TemporaryLake) -> dict[str, list[dict[str, Any]]]:
    """Every table's rows but for what differs from load to load, and which records are in quarantine."""
    bronze = lake.rows("SELECT id, person, amount, _origin, _position FROM bronze.events ORDER BY ALL")
    rejected = lake.rows("SELECT id, rule FROM quarantine.records ORDER BY ALL")
    return {**content(lake), "bronze.events": bronze, "quarantine": rejected}


def test_a_restored_lake_is_what_it_was() -> None:
    """All tables go back by one numbered commit, and history keeps what came between."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "first", FIRST)
        then, number = state(lake), lake.lakehouse.catalog.head()
        deliver(lake, "second", SECOND)
        later = lake.lakehouse.catalog.head()
        after = state(lake)
        assert lake.lakehouse.restore(number) == later + 1
        assert state(lake) == then
        assert lake.rows("SELECT count(*) AS n FROM bronze.events", at=later) == [{"n": 5}]
        newest, *_ = lake.lakehouse.catalog.history(limit=1)
        assert (newest.kind, newest.restored, len(newest.tables)) == ("restore", number, 8)
        assert lake.run().ok
        assert state(lake) == after


@pytest.mark.parametrize("table", EVERY)
def test_a_run_after_restoring_one_table_mends_the_rest(table: str) -> None:
    """Whichever table goes back alone, the next run loads and builds what it lacks, and what stands on it follows."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "first", FIRST)
        number = lake.lakehouse.catalog.head()
        deliver(lake, "second", SECOND)
        after = state(lake)
        lake.lakehouse.restore(number, table)
        assert lake.run().ok
        assert state(lake) == after
        assert not lake.run().outcomes


def test_what_stands_on_a_restored_table_loses_its_rows() -> None:
    """Without the file that was loaded since, a run takes the rows away downstream too."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "first", FIRST)
        number, then = lake.lakehouse.catalog.head(), content(lake)
        deliver(lake, "second", [("3", "eve", "7"), ("4", "bob", "9")])
        lake.lakehouse.restore(number, "bronze.events")
        (lake.folder / "data" / "second.csv").unlink()
        assert lake.run().ok
        assert content(lake) == then


def test_tables_that_were_not_there_are_dropped_and_dropped_ones_come_back() -> None:
    """Going back to before everything leaves no table; going back to after it brings all of them."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "first", FIRST)
        number, then = lake.lakehouse.catalog.head(), state(lake)
        lake.lakehouse.restore(0)
        assert lake.lakehouse.catalog.tables() == ()
        assert lake.lakehouse.catalog.model_states() == {}
        lake.lakehouse.restore(number)
        assert state(lake) == then
        deliver(lake, "second", SECOND)
        lake.lakehouse.restore(0)
        assert lake.run().ok
        assert content(lake) == reference([*FIRST, *SECOND])


def test_a_replaced_file_is_again_the_one_that_was() -> None:
    """A file that changed since is known as it was then, so its new bytes replace its rows again."""
    project = PROJECT | {"sources/events.yaml": PROJECT["sources/events.yaml"] + "on_change: replace\n"}
    with temporary_lake(project) as lake:
        deliver(lake, "first", FIRST)
        number = lake.lakehouse.catalog.head()
        deliver(lake, "first", SECOND)
        after = content(lake)
        lake.lakehouse.restore(number, "bronze.events")
        assert lake.lakehouse.runner.plan().steps[0].because == "files: 1 changed"
        assert lake.run().ok
        assert content(lake) == after == reference(SECOND)


def test_a_restore_whose_files_are_gone_is_refused() -> None:
    """Nothing changes when a data file of then is missing, and the error names the table."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "first", FIRST)
        number = lake.lakehouse.catalog.head()
        entry = lake.lakehouse.catalog.table(TableName("silver", "events"))
        deliver(lake, "second", SECOND)
        before = lake.lakehouse.catalog.head()
        snapshot = lake.lakehouse.catalog.metadata(entry).current_snapshot
        assert snapshot is not None
        (lake.folder / snapshot["manifest-list"]).unlink()
        lake.close()
        with pytest.raises(CatalogError, match=r"silver\.events") as refused:
            lake.lakehouse.restore(number)
        assert refused.value.code == "MP-3070"
        assert lake.lakehouse.catalog.head() == before
        with pytest.raises(AccessError):
            lake.lakehouse.restore(before + 1)
        with pytest.raises(CatalogError) as alone:
            lake.lakehouse.restore(number, "quarantine.records")
        assert alone.value.code == "MP-3074"


def test_a_restore_waits_for_no_run() -> None:
    """While a run holds the project a restore is refused."""
    with temporary_lake(PROJECT) as lake:
        deliver(lake, "first", FIRST)
        tell = {"run": "other", "since": "now", "wait": False, "tell": print}
        with project_lock(lake.lakehouse.project.state, **tell), pytest.raises(RunError) as refused:  # type: ignore[arg-type]
            lake.lakehouse.restore(1)
        assert refused.value.code == "MP-7020"


actions = st.lists(
    st.one_of(
        st.tuples(st.just("file"), st.lists(records, min_size=1, max_size=4)),
        st.tuples(st.just("late"), st.lists(records, min_size=1, max_size=4)),
        st.tuples(st.just("run"), st.none()),
        st.tuples(st.just("restore"), st.tuples(st.integers(0, 100), st.sampled_from([None, *EVERY]))),
    ),
    min_size=2,
    max_size=8,
)


def go_through(steps: list[tuple[str, Any]]) -> None:
    """Do the steps and a last run; the tables must be those of a project that got every file at once."""
    every: list[Record] = []
    with temporary_lake(PROJECT) as lake:
        for number, (what, detail) in enumerate([("file", FIRST), *steps]):
            if what in ("file", "late"):
                every += detail
                lines = "".join(f"{','.join(record)}\n" for record in detail)
                lake.deliver(f"data/{number}.csv", f"id,person,amount\n{lines}")
            if what in ("file", "run"):
                report = lake.run()
                assert report.ok, report.failures
            if what == "restore":
                go_back(lake, *detail)
        report = lake.run()
        assert report.ok, report.failures
        assert content(lake) == reference(every)
        assert not lake.run().outcomes


def go_back(lake: TemporaryLake, percent: int, table: str | None) -> None:
    """Restore to a commit that lies so far back, where there is anything to restore."""
    catalog = lake.lakehouse.catalog
    number = catalog.head() * percent // 100
    name = None if table is None else TableName.parse(table)
    if name is None or catalog.find(name) is not None or catalog.find(name, number) is not None:
        lake.lakehouse.restore(number, table)


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(actions)
def test_any_way_back_and_on_ends_the_same(steps: list[tuple[str, Any]]) -> None:
    """Files, late files, runs and restores of one table or all, in any order."""
    go_through(steps)


@pytest.mark.long
@pytest.mark.timeout(3000)
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(actions)
def test_any_way_back_and_on_in_many_rounds(steps: list[tuple[str, Any]]) -> None:
    """The same, with hundreds of histories."""
    go_through(steps)
