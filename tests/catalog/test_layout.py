"""How the files of new tables are packed and sized."""

from __future__ import annotations

import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.layout import DEFAULT_TARGET, OWN_TARGET_SIZE, TARGET_SIZE, resized
from millpond.project.model import Partition
from tests.catalog.clients import NAME, SCHEMA, step

BY_WORD = (Partition("word", "identity"),)


def test_a_partitioned_table_names_no_size_that_duckdb_refuses(catalog: Catalog) -> None:
    """Others name the size of upkeep, so that a large load is written in files of it at once."""
    stage = catalog.begin("one")
    stage.create_table(NAME, SCHEMA)
    always = {"write.parquet.compression-codec": "zstd", "gc.enabled": "false"}
    assert stage.metadata(NAME).properties == {**always, TARGET_SIZE: str(DEFAULT_TARGET)}
    assert stage.repartition(NAME, BY_WORD)
    assert stage.metadata(NAME).properties == {**always, OWN_TARGET_SIZE: str(DEFAULT_TARGET)}
    assert not stage.repartition(NAME, BY_WORD)
    stage.publish(step("one"))
    other = catalog.begin("two")
    assert other.repartition(NAME, ())
    assert other.metadata(NAME).properties[TARGET_SIZE] == str(DEFAULT_TARGET)
    assert OWN_TARGET_SIZE not in other.metadata(NAME).properties


@pytest.mark.parametrize(
    ("present", "partitioned", "after"),
    [
        ({TARGET_SIZE: "7"}, True, {OWN_TARGET_SIZE: "7"}),
        ({OWN_TARGET_SIZE: "7"}, False, {TARGET_SIZE: "7"}),
        ({TARGET_SIZE: "8", OWN_TARGET_SIZE: "7"}, False, {TARGET_SIZE: "8"}),
        ({}, False, {TARGET_SIZE: str(DEFAULT_TARGET)}),
        ({OWN_TARGET_SIZE: "7"}, True, {OWN_TARGET_SIZE: "7"}),
        ({}, True, {}),
    ],
)
def test_an_author_s_size_goes_along(present: dict[str, str], partitioned: bool, after: dict[str, str]) -> None:
    """Under the name that the table can have."""
    words = dict(present)
    for update in resized(present, partitioned):
        for key in update.get("removals", ()):
            words.pop(key, None)
        words |= update.get("updates", {})
    assert words == after
