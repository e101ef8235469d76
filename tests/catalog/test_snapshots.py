"""Snapshots of the catalog's own making, read by stock DuckDB and PyIceberg."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest
from pyiceberg.table import StaticTable

from millpond.catalog import manifests
from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Commit
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.snapshots import rebase, truncate
from millpond.catalog.staging import Stage
from millpond.core.errors import ConflictError
from millpond.core.names import TableName

T = TableName("bronze", "t")
NAME = "lake.bronze.t"

Duck = Callable[..., duckdb.DuckDBPyConnection]


class Steps:
    """Steps on one table, each with its own connection."""

    def __init__(self, catalog: Catalog, endpoint: str, duck: Duck) -> None:
        self.catalog = catalog
        self.endpoint = endpoint
        self.duck = duck
        self.count = 0

    def stage(self, *statements: str) -> Stage:
        """A step that has run its statements and is not published."""
        self.count += 1
        stage = self.catalog.begin(f"step-{self.count}")
        connection = self.duck(self.endpoint, stage.token)
        for statement in statements:
            connection.execute(statement)
        return stage

    def run(self, *statements: str) -> TableMetadata:
        """A published step; the table after it."""
        self.publish(self.stage(*statements))
        return self.metadata()

    def publish(self, stage: Stage, blind: bool = False) -> None:
        """Make a step visible."""
        stage.publish(Commit(stage.step_key, "test", "tester", blind=blind))

    def metadata(self) -> TableMetadata:
        """The table as it is."""
        return self.catalog.metadata(self.catalog.table(T))

    def rows(self) -> list[tuple[Any, ...]]:
        """What DuckDB reads, sorted, shown to be what PyIceberg reads."""
        token = self.catalog.read_token()
        found = sorted(self.duck(self.endpoint, token).execute(f"FROM {NAME}").fetchall(), key=str)
        read = StaticTable.from_metadata(str(self.metadata().path)).scan().to_arrow().to_pylist()
        assert sorted((tuple(row.values()) for row in read), key=str) == found
        return found


@pytest.fixture
def steps(catalog: Catalog, closed_door: str, duck: Duck) -> Steps:
    """A table of two rows."""
    made = Steps(catalog, closed_door, duck)
    made.run(f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)", f"INSERT INTO {NAME} VALUES (1, 'x'), (2, 'y')")
    return made


def test_a_truncated_table_is_empty_for_everyone(steps: Steps) -> None:
    """And takes rows again; its totals are right."""
    stage = steps.stage()
    stage.truncate(T)
    steps.publish(stage)
    assert steps.rows() == []
    current = steps.metadata().current_snapshot
    assert current is not None
    summary = current["summary"]
    assert (summary["operation"], summary["deleted-records"], summary["total-records"]) == ("delete", "2", "0")
    steps.run(f"INSERT INTO {NAME} VALUES (3, 'z')")
    assert steps.rows() == [(3, "z")]
    assert summary_of(steps.metadata())["total-records"] == "1"


def summary_of(metadata: TableMetadata) -> dict[str, str]:
    """The newest snapshot's summary."""
    current = metadata.current_snapshot
    assert current is not None
    return dict(current["summary"])


def test_truncating_what_was_never_written_is_no_change(steps: Steps) -> None:
    """There is nothing to take away."""
    stage = steps.stage("CREATE TABLE lake.bronze.u (a BIGINT)")
    empty = stage.metadata(TableName("bronze", "u"))
    assert truncate(empty, 5) is empty
    stage.discard()


def test_a_blind_append_is_moved_onto_the_newest_state(steps: Steps) -> None:
    """Both writers' rows are in; ids, parents, sequence numbers and totals go on from the newest."""
    ours = steps.stage(f"INSERT INTO {NAME} VALUES (3, 'ours')", f"INSERT INTO {NAME} VALUES (4, 'ours')")
    staged = ours.metadata(T).current_snapshot
    theirs = steps.run(f"INSERT INTO {NAME} VALUES (5, 'theirs')", f"DELETE FROM {NAME} WHERE a = 1")
    steps.publish(ours, blind=True)
    after = steps.metadata()
    assert steps.rows() == [(2, "y"), (3, "ours"), (4, "ours"), (5, "theirs")]
    current, before = after.current_snapshot, theirs.current_snapshot
    assert current is not None
    assert before is not None
    assert staged is not None
    assert current["snapshot-id"] == staged["snapshot-id"]
    assert current["parent-snapshot-id"] == before["snapshot-id"]
    assert current["sequence-number"] == before["sequence-number"] + 1
    summary = summary_of(after)
    assert (summary["operation"], summary["added-records"], summary["added-data-files"]) == ("append", "2", "2")
    # DuckDB counts rows of data files, those that delete files take away too.
    assert (summary["total-records"], summary["total-data-files"], summary["total-delete-files"]) == ("5", "4", "1")
    entries = [entry for row in manifests.manifests(current["manifest-list"]) for entry in manifests.files(row)]
    assert sorted(entry.sequence_number for entry in entries) == [1, 2, 3, 4, 4]


def test_rows_of_the_third_version_keep_their_ids(steps: Steps) -> None:
    """An append that is moved gets ids that no row has, and takes none from those before it; so do later writers."""
    steps.run("DROP TABLE lake.bronze.t", "CREATE TABLE lake.bronze.t (id BIGINT) WITH ('format-version' = '3')")
    steps.run("INSERT INTO lake.bronze.t VALUES (1), (2)")
    stage = steps.stage("INSERT INTO lake.bronze.t VALUES (3), (4)")
    steps.run("INSERT INTO lake.bronze.t VALUES (5), (6)")
    steps.publish(stage, blind=True)
    after = steps.run("INSERT INTO lake.bronze.t VALUES (7)")
    found = steps.duck(steps.endpoint, steps.catalog.read_token()).execute(f"SELECT id, _row_id FROM {NAME}").fetchall()
    assert dict(found) == {1: 0, 2: 1, 5: 2, 6: 3, 3: 4, 4: 5, 7: 6}
    told = [(row["first-row-id"], row["added-rows"]) for row in after.snapshots]
    assert told == [(0, 2), (2, 2), (4, 2), (6, 1)]
    emptied = truncate(after, 0)
    assert (emptied.current_snapshot or {})["first-row-id"] == emptied.document["next-row-id"] == 7


def test_a_moved_append_brings_its_new_columns(steps: Steps) -> None:
    """A load that evolves bronze and only adds rows may be moved too."""
    ours = steps.stage(f"ALTER TABLE {NAME} ADD COLUMN c INTEGER", f"INSERT INTO {NAME} VALUES (3, 'ours', 30)")
    steps.run(f"INSERT INTO {NAME} VALUES (4, 'theirs')")
    steps.publish(ours, blind=True)
    assert steps.rows() == [(1, "x", None), (2, "y", None), (3, "ours", 30), (4, "theirs", None)]


def test_an_append_follows_columns_that_others_added(steps: Steps) -> None:
    """Rows staged under the older columns read NULL in the new one."""
    ours = steps.stage(f"INSERT INTO {NAME} VALUES (3, 'ours')")
    steps.run(f"ALTER TABLE {NAME} ADD COLUMN c INTEGER")
    steps.publish(ours, blind=True)
    assert steps.rows() == [(1, "x", None), (2, "y", None), (3, "ours", None)]


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ("DELETE FROM {} WHERE a = 1", "INSERT INTO {} VALUES (9, 'q')", "more than append"),
        ("UPDATE {} SET b = 'u'", "INSERT INTO {} VALUES (9, 'q')", "more than append"),
        ("ALTER TABLE {} ADD COLUMN c INTEGER", "ALTER TABLE {} ADD COLUMN d VARCHAR", "both sides"),
    ],
)
def test_what_is_no_append_is_not_moved(steps: Steps, ours: str, theirs: str, reason: str) -> None:
    """The step must run again on what is there now."""
    base = steps.metadata()
    staged = steps.stage(ours.format(NAME))
    current = steps.run(theirs.format(NAME))
    with pytest.raises(ConflictError, match=reason) as conflict:
        rebase(current, base, staged.metadata(T), 5)
    assert conflict.value.code == "MP-3010"
    staged.discard()


def test_a_replacement_is_not_moved(steps: Steps) -> None:
    """Rows that came meanwhile would be lost."""
    base = steps.metadata()
    stage = steps.stage()
    stage.truncate(T)
    with pytest.raises(ConflictError):
        rebase(steps.run(f"INSERT INTO {NAME} VALUES (9, 'q')"), base, stage.metadata(T), 5)
    stage.discard()


def test_an_append_is_not_moved_onto_another_table(steps: Steps) -> None:
    """A table dropped and made again under the same name is another one."""
    base = steps.metadata()
    stage = steps.stage(f"INSERT INTO {NAME} VALUES (3, 'ours')")
    steps.publish(steps.stage(f"DROP TABLE {NAME}"))
    other = steps.run(f"CREATE TABLE {NAME} (a BIGINT, b VARCHAR)")
    for began in (base, None):
        with pytest.raises(ConflictError, match="not the same table"):
            rebase(other, began, stage.metadata(T), 5)
    stage.discard()


def test_properties_set_by_an_append_come_along(steps: Steps) -> None:
    """Only those that it set or removed; what others set stays."""
    base = steps.metadata()
    staged = TableMetadata({**base.document, "properties": {"mine": "1"}})
    present = TableMetadata({**base.document, "properties": {**base.properties, "theirs": "2"}})
    moved = rebase(present, base, staged, 5)
    assert moved.properties == {"mine": "1", "theirs": "2"}
