"""Other columns for a table, as updates of its metadata."""

from __future__ import annotations

import pytest

from millpond.catalog import metadata as documents
from millpond.catalog.evolving import updates, widens
from millpond.catalog.metadata import TableMetadata
from millpond.catalog.types import schema_json
from millpond.core.schema import Column, Schema

FIRST = Schema((Column("id", "INTEGER", doc="nr"), Column("tags", "VARCHAR[]"), Column("d", "DECIMAL(5,2)")))


def table() -> TableMetadata:
    """A table with three columns, an outside property and one of ours."""
    return documents.create(
        schema_json(FIRST),
        location="/lake/t",
        uuid="u",
        now_ms=0,
        properties={"write.codec": "zstd", "millpond.cluster": "day", "owner": "ann", "millpond.model.tags": "a"},
    )


def evolved(wanted: Schema, renames: dict[str, str] | None = None, **properties: str) -> TableMetadata:
    """The table after the updates."""
    made = updates(table(), wanted, renames or {}, properties)
    return documents.apply(table(), made, 1) if made else table()


def test_a_table_that_is_as_wanted_is_left_alone() -> None:
    """No update is made."""
    assert updates(table(), FIRST, {}, {"owner": "ann", "millpond.model.tags": "a"}) == ()


def test_columns_keep_their_ids_whatever_they_are_called_and_typed() -> None:
    """New ones get ids that were never used; nested ones too."""
    wanted = Schema(
        (
            Column("nr", "BIGINT", required=True),
            Column("tags", "VARCHAR[]", doc="labels"),
            Column("d", "DECIMAL(9,2)"),
            Column("more", "STRUCT(a INTEGER, b VARCHAR)"),
        )
    )
    after = evolved(wanted, {"nr": "id"})
    assert after.schema() == Schema((*wanted.columns[:3], Column("more", 'STRUCT("a" INTEGER, "b" VARCHAR)')))
    before = table().field_ids()
    assert after.field_ids() == {"nr": before["id"], "tags": before["tags"], "d": before["d"], "more": 5}
    assert after.document["last-column-id"] == 7
    assert len(after.document["schemas"]) == 2


def test_words_of_the_author_are_set_and_taken_back() -> None:
    """Properties of others stay."""
    after = evolved(FIRST, None, comment="rows", **{"millpond.model.column.id.pii": "id"})
    kept = {"write.codec": "zstd", "millpond.cluster": "day"}
    assert after.properties == {**kept, "comment": "rows", "millpond.model.column.id.pii": "id"}


def test_a_rename_that_was_made_already_is_not_made_again() -> None:
    """The new name is there; a column that still has the old one is another."""
    wanted = Schema((*FIRST.columns, Column("nr", "INTEGER")))
    assert evolved(wanted, {"id": "nr"}).schema().names == ("id", "tags", "d", "nr")


@pytest.mark.parametrize(
    ("old", "new", "wider"),
    [
        ("INTEGER", "BIGINT", True),
        ("FLOAT", "DOUBLE", True),
        ("DECIMAL(5,2)", "DECIMAL(6,2)", True),
        ("DECIMAL(5,2)", "DECIMAL(6,3)", False),
        ("DECIMAL(5,2)", "DECIMAL(4,2)", False),
        ("BIGINT", "INTEGER", False),
        ("INTEGER", "DOUBLE", False),
        ("INTEGER", "VARCHAR", False),
        ("DATE", "TIMESTAMP", False),
        ("INTEGER", "INTEGER", False),
    ],
)
def test_only_what_the_specification_allows_is_wider(old: str, new: str, wider: bool) -> None:
    """Iceberg spec v2, "Schema Evolution"."""
    assert widens(old, new) is wider
