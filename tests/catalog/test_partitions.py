"""Partition specs from what an author declares."""

from __future__ import annotations

import pytest
from pyiceberg.partitioning import PartitionSpec

from millpond.catalog.partitions import highest, rebound, same_fields, spec_json
from millpond.catalog.types import schema_json
from millpond.core.errors import CatalogError
from millpond.core.schema import Column, Schema
from millpond.project.model import Partition

SCHEMA = schema_json(
    Schema(
        (
            Column("id", "BIGINT"),
            Column("ts", "TIMESTAMP"),
            Column("name", "VARCHAR"),
            Column("price", "DECIMAL(9,2)"),
            Column("s", "STRUCT(x BIGINT)"),
            Column("ts_day", "DATE"),
        )
    )
)


@pytest.mark.parametrize(
    ("declared", "transform", "name"),
    [
        (Partition("name", "identity"), "identity", "name"),
        (Partition("TS", "hour"), "hour", "ts_hour"),
        (Partition("ts", "day"), "day", "ts_day_part"),
        (Partition("id", "bucket", 16), "bucket[16]", "id_bucket"),
        (Partition("name", "truncate", 4), "truncate[4]", "name_trunc"),
        (Partition("price", "truncate", 50), "truncate[50]", "price_trunc"),
    ],
)
def test_transforms_are_written_as_the_specification_says(declared: Partition, transform: str, name: str) -> None:
    """Names are those that other writers give, and never those of a column."""
    spec = spec_json((declared,), SCHEMA)
    assert [(field["transform"], field["name"]) for field in spec["fields"]] == [(transform, name)]
    assert PartitionSpec.model_validate(spec).fields[0].field_id == 1000


def test_fields_are_numbered_from_1000() -> None:
    """Partition fields have ids of their own."""
    spec = spec_json((Partition("id", "bucket", 4), Partition("ts", "month")), SCHEMA)
    assert [field["field-id"] for field in spec["fields"]] == [1000, 1001]
    assert (highest(spec), highest({"fields": []})) == (1001, 999)


@pytest.mark.parametrize(
    "declared",
    [
        Partition("nam", "identity"),
        Partition("name", "day"),
        Partition("ts_day", "hour"),
        Partition("s", "identity"),
        Partition("s", "bucket", 2),
        Partition("id", "bucket"),
        Partition("id", "bucket", 0),
        Partition("id", "week"),
    ],
)
def test_what_cannot_partition_is_refused(declared: Partition) -> None:
    """Unknown columns, transforms that do not take the type, missing numbers."""
    with pytest.raises(CatalogError) as refused:
        spec_json((declared,), SCHEMA)
    assert refused.value.code == "MP-3040"


def test_the_nearest_column_is_suggested() -> None:
    """A typing error is told."""
    with pytest.raises(CatalogError) as refused:
        spec_json((Partition("nam", "identity"),), SCHEMA)
    assert refused.value.finding.suggestion == "name"


def test_a_client_s_spec_follows_the_fresh_ids() -> None:
    """Columns that were renumbered are meant by their new ids."""
    sent = {"spec-id": 3, "fields": [{"source-id": 0, "field-id": 5, "name": "a", "transform": "identity"}]}
    bound = rebound(sent, {0: 1})
    assert bound == {"spec-id": 0, "fields": [{"source-id": 1, "field-id": 1000, "name": "a", "transform": "identity"}]}
    assert not same_fields(bound, sent)
    assert same_fields(bound, {**bound, "spec-id": 9})
