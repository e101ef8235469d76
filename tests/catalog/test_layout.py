"""How the files of new tables are packed and sized."""

from __future__ import annotations

import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway.server import Gateway
from millpond.catalog.layout import DEFAULT_TARGET, OWN_TARGET_SIZE, TARGET_SIZE, resized
from millpond.project.model import Partition
from tests.catalog.clients import NAME, SCHEMA, rows, step, stock_duckdb

BY_WORD = (Partition("word", "identity"),)


def test_a_partitioned_table_names_no_size_that_duckdb_refuses(catalog: Catalog) -> None:
    """Others name the size of upkeep, so that a large load is written in files of it at once."""
    stage = catalog.begin("one")
    stage.create_table(NAME, SCHEMA)
    assert stage.metadata(NAME).properties == {
        "write.parquet.compression-codec": "zstd",
        TARGET_SIZE: str(DEFAULT_TARGET),
    }
    assert stage.repartition(NAME, BY_WORD)
    assert stage.metadata(NAME).properties.keys() == {"write.parquet.compression-codec", OWN_TARGET_SIZE}
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


def test_a_client_may_partition_a_table_of_ours_and_write_it(catalog: Catalog) -> None:
    """The size that it got when it was made is taken away: DuckDB refuses it there."""
    stage = catalog.begin("one")
    stage.create_table(NAME, SCHEMA)
    stage.publish(step("one"))
    gateway = Gateway(catalog, open_access=True)
    try:
        with stock_duckdb(gateway.start()) as client:
            client.execute(f"ALTER TABLE lake.{NAME} SET PARTITIONED BY (word)")
            client.execute(f"INSERT INTO lake.{NAME} VALUES (1, 'a'), (2, 'b')")
            assert rows(client, f"SELECT count(*) FROM lake.{NAME}") == [(2,)]
    finally:
        gateway.stop()
