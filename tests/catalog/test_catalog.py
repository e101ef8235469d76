"""What the catalog answers, now and as of any commit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.commits import Cursor, Edge, Ledger, ModelState, SeenFile, Verdict
from millpond.catalog.relations import commit_tables
from millpond.core.clock import SystemClock
from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.core.schema import Column

from .clients import NAME, OTHER, SCHEMA, step


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """What the hands show."""
        return self.moment


def make(catalog: Catalog, key: str, *names: TableName, **more: object) -> int:
    """Publish a step that creates tables."""
    stage = catalog.begin(key)
    for name in names:
        stage.create_table(name, SCHEMA)
    return stage.publish(step(key, **more)).number


def drop(catalog: Catalog, key: str, name: TableName) -> int:
    """Publish a step that drops a table."""
    stage = catalog.begin(key)
    stage.drop_table(name)
    return stage.publish(step(key)).number


def test_an_empty_catalog_is_at_zero(catalog: Catalog) -> None:
    """Before the first commit there is nothing, and nothing fails."""
    assert catalog.head() == 0
    assert catalog.tables() == ()
    assert catalog.history() == ()
    assert catalog.model_states() == {}
    assert catalog.find(NAME) is None
    assert catalog.published("a") is None


def test_commits_are_numbered_over_the_whole_catalog(catalog: Catalog) -> None:
    """Each commit takes the next number, whatever it touches and in which environment."""
    assert make(catalog, "a", NAME) == 1
    assert make(in_environment(catalog, "dev"), "b", NAME) == 2
    assert make(catalog, "c") == 3
    assert catalog.head() == 3
    assert [entry.number for entry in catalog.history()] == [3, 1]


def test_every_earlier_state_can_be_asked_for(catalog: Catalog) -> None:
    """Tables as of a commit are those that existed then, where they pointed then."""
    make(catalog, "a", NAME)
    first = catalog.table(NAME)
    stage = catalog.begin("b")
    stage.add_columns(NAME, (Column("more", "DOUBLE"),))
    stage.create_table(OTHER, SCHEMA)
    stage.publish(step("b"))
    drop(catalog, "c", NAME)
    assert catalog.tables(0) == ()
    assert catalog.tables(1) == (first,)
    assert [str(entry.name) for entry in catalog.tables(2)] == ["gold.trips", "silver.positions"]
    assert [str(entry.name) for entry in catalog.tables()] == ["gold.trips"]
    assert catalog.tables(3) == catalog.tables()
    changed = catalog.table(NAME, at=2)
    assert (changed.commit, changed.created) == (2, 1)
    assert catalog.metadata(changed).schema().names == ("id", "word", "more")
    assert catalog.metadata(catalog.table(NAME, at=1)).schema().names == ("id", "word")
    assert catalog.find(NAME, at=3) is None


def test_a_row_that_the_history_hides_is_not_passed_over(catalog: Catalog) -> None:
    """Damage to the history's index cannot make an older version be taken for the one that holds."""
    make(catalog, "a", NAME)
    stage = catalog.begin("b")
    stage.add_columns(NAME, (Column("more", "DOUBLE"),))
    stage.publish(step("b"))
    make(catalog, "c", OTHER)
    with catalog.store.write() as connection:
        connection.execute(delete(commit_tables).where(commit_tables.c.commit == 2))
    assert catalog.find(NAME, at=2) == catalog.find(NAME, at=3) == catalog.find(NAME)
    assert catalog.table(NAME, at=2).commit == 2


def test_a_missing_table_is_named_with_what_may_have_been_meant(catalog: Catalog) -> None:
    """The error suggests the closest name."""
    make(catalog, "a", NAME)
    with pytest.raises(CatalogError) as missing:
        catalog.table(TableName("silver", "position"))
    assert missing.value.code == "MP-3001"
    assert missing.value.finding.suggestion == "silver.positions"


def test_a_time_names_a_commit(tmp_path: Path) -> None:
    """The newest commit not later than the moment; a clock that goes back does not disturb the order."""
    noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    clock = Hands(noon)
    catalog = Catalog.open(str(tmp_path / "catalog.db"), str(tmp_path / "lake"), "prod", clock)
    make(catalog, "a")
    clock.moment = noon - timedelta(hours=1)
    make(catalog, "b")
    clock.moment = noon + timedelta(hours=1)
    make(catalog, "c")
    assert [record.at for record in catalog.history()] == [noon + timedelta(hours=1), noon, noon]
    assert catalog.number_at(noon - timedelta(microseconds=1)) == 0
    assert catalog.number_at(noon) == 2
    assert catalog.number_at(noon + timedelta(minutes=59)) == 2
    assert catalog.number_at(noon + timedelta(days=1)) == 3
    catalog.close()


def test_a_commit_gives_back_all_that_it_carried(catalog: Catalog) -> None:
    """Ledger, verdicts, lineage, cursors, files, model states and the commit's own words come back as they went in."""
    ledger = Ledger(5, inserted=3, deduplicated=1, quarantined=1, read=7, filtered=2)
    verdicts = (Verdict(NAME, "not_null:id", "pass", 0, 5), Verdict(NAME, "in:word", "quarantine", 1, 5))
    edges = (Edge(NAME, "id", OTHER, "id"), Edge(NAME, "word", OTHER, "*"))
    state = ModelState(NAME, "abc", "{}")
    file = SeenFile("telemetry", "a.csv", 10, 20, "c0ffee", "p1", "loaded", 5, 1)
    number = make(
        catalog,
        "run-1/silver.positions",
        NAME,
        run="run-1",
        table=NAME,
        ledger=ledger,
        verdicts=verdicts,
        lineage=edges,
        models=(state,),
        files=(file,),
        cursors=(Cursor(NAME, OTHER, 7),),
    )
    assert catalog.ledger(number) == ledger
    assert catalog.verdicts(number) == verdicts
    assert catalog.lineage(NAME) == edges
    assert catalog.model_states() == {NAME: state}
    assert catalog.seen_files("telemetry") == (file,)
    assert catalog.cursors().get((NAME, OTHER)) == 7
    (record,) = catalog.history(NAME)
    assert (record.step_key, record.kind, record.principal, record.client, record.run) == (
        "run-1/silver.positions",
        "step",
        "owner",
        "millpond",
        "run-1",
    )
    assert record.tables == (NAME,)
    assert record.ledger == ledger
    assert catalog.ledger(99) is None
    assert catalog.verdicts(99) == ()


def test_history_of_one_table_is_of_its_own_commits(catalog: Catalog) -> None:
    """Commits that did not move the table's pointer are left out; the newest come first and no more than asked."""
    make(catalog, "a", NAME)
    make(catalog, "b", OTHER)
    drop(catalog, "c", NAME)
    assert [record.number for record in catalog.history(NAME)] == [3, 1]
    assert [record.number for record in catalog.history(limit=2)] == [3, 2]
    assert [record.number for record in catalog.history(NAME, limit=1)] == [3]
    assert [record.tables for record in catalog.history(NAME)] == [(NAME,), (NAME,)]


def test_cursors_and_model_states_are_known_as_of_a_commit(catalog: Catalog) -> None:
    """An earlier commit's cursor and state can be asked for."""
    make(catalog, "a", NAME, cursors=(Cursor(NAME, OTHER, 1),), models=(ModelState(NAME, "one", "{}"),))
    make(catalog, "b", cursors=(Cursor(NAME, OTHER, 2),), models=(ModelState(NAME, "two", "{}"),))
    assert catalog.cursors().get((NAME, OTHER)) == 2
    assert catalog.cursors(1).get((NAME, OTHER)) == 1
    assert catalog.cursors(0).get((NAME, OTHER)) is None
    assert catalog.model_states()[NAME].fingerprint == "two"
    assert catalog.model_states(at=1)[NAME].fingerprint == "one"


def test_a_dropped_table_has_no_cursor_and_no_state(catalog: Catalog) -> None:
    """What had been read went into a table that is gone: the next build begins at the beginning."""
    make(catalog, "a", NAME, cursors=(Cursor(NAME, OTHER, 1),), models=(ModelState(NAME, "one", "{}"),))
    drop(catalog, "b", NAME)
    assert (catalog.cursors(), catalog.model_states()) == ({}, {})
    assert catalog.cursors(1).get((NAME, OTHER)) == 1
    make(catalog, "c", NAME)
    assert catalog.cursors() == {}
    make(catalog, "d", cursors=(Cursor(NAME, OTHER, 3),), models=(ModelState(NAME, "two", "{}"),))
    assert catalog.cursors() == {(NAME, OTHER): 3}


def test_a_rebuild_in_one_commit_keeps_its_own_cursor(catalog: Catalog) -> None:
    """A table dropped and made again in one commit has the cursor of that commit."""
    make(catalog, "a", NAME, cursors=(Cursor(NAME, OTHER, 1),))
    stage = catalog.begin("b")
    stage.drop_table(NAME)
    stage.create_table(NAME, SCHEMA)
    stage.publish(step("b", cursors=(Cursor(NAME, OTHER, 5),)))
    assert catalog.cursors().get((NAME, OTHER)) == 5
    assert catalog.table(NAME).created == 2


FILE = SeenFile("telemetry", "a.csv", 10, 20, "aaaa", "p1", "loaded", 5)


def test_a_source_knows_its_files_by_path_and_by_content(catalog: Catalog) -> None:
    """The newest row of each path counts; contents are known for the settings that they were read with."""
    grown = replace(FILE, size=12, content="bbbb")
    copy = replace(FILE, path="copy.csv", outcome="duplicate", records=0)
    bad = replace(FILE, path="page.html", content="cccc", outcome="rejected", records=0, quarantined=1)
    make(catalog, "a", NAME, table=NAME, files=(FILE,))
    make(catalog, "b", table=NAME, files=(grown, copy, bad))
    assert catalog.seen_files("telemetry") == (grown, copy, bad)
    assert catalog.seen_files("telemetry", at=1) == (FILE,)
    assert catalog.seen_files("other") == ()
    assert catalog.loaded_contents("telemetry", "p1") == {"aaaa", "bbbb"}
    assert catalog.loaded_contents("telemetry", "p2") == frozenset()


def test_replaced_contents_may_be_loaded_again(catalog: Catalog) -> None:
    """A content whose rows were taken away is no longer known as loaded."""
    grown = replace(FILE, size=12, content="bbbb")
    make(catalog, "a", NAME, table=NAME, files=(FILE,))
    make(catalog, "b", table=NAME, files=(replace(FILE, outcome="replaced"), grown))
    assert catalog.loaded_contents("telemetry", "p1") == {"bbbb"}
    assert catalog.seen_files("telemetry") == (grown,)
    make(catalog, "c", table=NAME, files=(FILE,))
    assert catalog.loaded_contents("telemetry", "p1") == {"aaaa", "bbbb"}


def test_files_of_a_dropped_bronze_table_are_new_again(catalog: Catalog) -> None:
    """A bronze table that was dropped is loaded from the beginning."""
    make(catalog, "a", NAME, table=NAME, files=(FILE,))
    drop(catalog, "b", NAME)
    assert catalog.seen_files("telemetry") == ()
    assert catalog.loaded_contents("telemetry", "p1") == frozenset()
    assert catalog.seen_files("telemetry", at=1) == (FILE,)


def test_files_seen_before_the_first_row_stay_seen(catalog: Catalog) -> None:
    """A file that was rejected before the bronze table existed is not new when the table is made."""
    bad = replace(FILE, path="page.html", outcome="rejected", records=0, quarantined=1)
    make(catalog, "a", table=NAME, files=(bad,), models=(ModelState(NAME, "one", "{}"),))
    make(catalog, "b", NAME, table=NAME, files=(FILE,))
    assert catalog.seen_files("telemetry") == (FILE, bad)
    assert catalog.model_states()[NAME].fingerprint == "one"


def test_a_table_made_anew_in_one_commit_forgets_its_files(catalog: Catalog) -> None:
    """What an earlier table of the name had loaded is not in the new one."""
    make(catalog, "a", NAME, table=NAME, files=(FILE,))
    stage = catalog.begin("b")
    stage.drop_table(NAME)
    stage.create_table(NAME, SCHEMA)
    stage.publish(step("b", table=NAME))
    assert catalog.seen_files("telemetry") == ()


def test_environments_are_apart(catalog: Catalog) -> None:
    """The same name in another environment is another table, with its own cursors and files."""
    dev = in_environment(catalog, "dev")
    make(catalog, "a", NAME, table=NAME, files=(FILE,), cursors=(Cursor(NAME, OTHER, 1),))
    assert dev.find(NAME) is None
    assert dev.cursors().get((NAME, OTHER)) is None
    assert dev.seen_files("telemetry") == ()
    make(dev, "b", NAME)
    assert dev.table(NAME).uuid != catalog.table(NAME).uuid
    assert in_environment(catalog, "prod") is catalog


def test_a_catalog_opens_again_with_all_that_it_held(tmp_path: Path) -> None:
    """What was published is there for the next process."""
    where = (str(tmp_path / "catalog.db"), str(tmp_path / "lake"), "prod", SystemClock())
    catalog = Catalog.open(*where)
    make(catalog, "a", NAME)
    entry = catalog.table(NAME)
    catalog.close()
    again = Catalog.open(f"sqlite:///{where[0]}", *where[1:])
    assert again.table(NAME) == entry
    assert again.metadata(entry).schema() == SCHEMA
    assert again.published("a") == 1
    again.close()


def test_other_kinds_of_store_are_refused_with_a_next_step(tmp_path: Path) -> None:
    """A URL that this version cannot open says so; so does a warehouse that is no folder."""
    with pytest.raises(CatalogError) as store:
        Catalog.open("mysql://host/db", str(tmp_path), "prod", SystemClock())
    assert store.value.code == "MP-3056"
    with pytest.raises(CatalogError) as warehouse:
        Catalog.open(str(tmp_path / "c.db"), "s3://bucket/lake", "prod", SystemClock())
    assert warehouse.value.code == "MP-3055"


def test_tokens_are_forgotten_when_released(catalog: Catalog) -> None:
    """A token stands for its grant until it is given back; what is kept of it is not the token."""
    token = catalog.read_token()
    assert len(token) >= 43
    grant = catalog.tokens.resolve(token)
    assert grant is not None
    assert not grant.writes
    assert token not in repr(vars(catalog.tokens))
    catalog.release(token)
    catalog.release(token)
    assert catalog.tokens.resolve(token) is None
    assert catalog.tokens.resolve("\udcff") is None
