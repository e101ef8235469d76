"""The digest of what a commit wrote: any row that is another one later is told, on both stores."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update

from millpond.catalog import relations
from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Cursor, Edge, Ledger, ModelState, SeenFile, Verdict
from millpond.catalog.digests import WRITTEN_ONCE, unlike
from millpond.catalog.examination import store_findings

from .clients import NAME, OTHER, SCHEMA, step

CHANGED = {"pointers", "checksums", "commit_digests"}
"""Tables with a column `commit` whose rows are changed or deleted by later commits, or hold the digests themselves."""


@pytest.fixture
def two(catalog: Catalog) -> Catalog:
    """A catalog of two commits that carry all kinds of records."""
    for key in ("one", "two"):
        stage = catalog.begin(key)
        stage.create_table(NAME if key == "one" else OTHER, SCHEMA)
        stage.publish(
            step(
                key,
                table=NAME,
                ledger=Ledger(1, inserted=1),
                cursors=(Cursor(NAME, OTHER, 1),),
                files=(SeenFile("s", f"{key}.csv", 1, 1, key, "p", "loaded", 1),),
                verdicts=(Verdict(NAME, "r", "pass", 0, 1),),
                lineage=(Edge(NAME, "a", OTHER, "b"),),
                models=(ModelState(NAME, key, "{}"),),
            )
        )
    return catalog


def wrong(catalog: Catalog) -> tuple[int, ...]:
    """The commits whose rows are not what was written."""
    with catalog.store.read() as connection:
        return unlike(connection)


def test_all_that_a_commit_writes_is_in_its_digest() -> None:
    """A new table of records is added to the digest with it."""
    bound = {table.name for table in relations.SCHEMA.tables.values() if "commit" in table.c}
    assert bound | {"commits"} == {table.name for table in WRITTEN_ONCE} | CHANGED


def test_what_was_written_is_what_is_read(two: Catalog) -> None:
    """Whatever types the store gives back."""
    assert wrong(two) == ()


@pytest.mark.parametrize(
    ("table", "column", "other"),
    [
        ("commits", "at", 5),
        ("commits", "ledger", "{}"),
        ("cursors", "number", 2),
        ("source_files", "outcome", "rejected"),
        ("verdicts", "failed", 1),
        ("lineage", "input_column", "c"),
        ("model_states", "definition", "[]"),
        ("commit_tables", "dropped", True),
    ],
)
def test_a_changed_row_is_told_by_its_commit(table: str, column: str, other: object, two: Catalog) -> None:
    """And found by who looks at the whole store."""
    rows = relations.SCHEMA.tables[table]
    number = rows.c["number" if table == "commits" else "commit"]
    with two.store.write() as connection:
        connection.execute(update(rows).where(number == 2).values({column: other}))
    assert wrong(two) == (2,)
    assert any("commit 2" in finding.message for finding in store_findings(two))


def test_a_lost_row_and_a_lost_digest_are_told(two: Catalog) -> None:
    """A digest may be missing of commits from before there were digests only."""
    with two.store.write() as connection:
        connection.execute(delete(relations.verdicts).where(relations.verdicts.c.commit == 1))
        connection.execute(delete(relations.commit_digests).where(relations.commit_digests.c.commit == 2))
    assert wrong(two) == (1, 2)
    with two.store.write() as connection:
        connection.execute(delete(relations.commit_digests))
    assert wrong(two) == ()
