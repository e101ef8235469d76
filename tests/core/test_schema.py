"""Schemas as values."""

from __future__ import annotations

from millpond.core.schema import ORIGIN_COLUMNS, ORIGIN_SCHEMA, Column, Schema

ORDERS = Schema((Column("id", "BIGINT", required=True), Column("Amount", "DECIMAL(10,2)", doc="in euros")))


def test_a_schema_is_its_columns_in_order() -> None:
    """It can be iterated, counted and asked for its names."""
    assert ORDERS.names == ("id", "Amount")
    assert [column.type for column in ORDERS] == ["BIGINT", "DECIMAL(10,2)"]
    assert len(ORDERS) == 2


def test_columns_are_found_without_regard_to_case() -> None:
    """As SQL does."""
    assert ORDERS.get("AMOUNT") == Column("Amount", "DECIMAL(10,2)", doc="in euros")
    assert ORDERS.get("amounts") is None


def test_origin_columns_and_their_schema_agree() -> None:
    """The two lists name the same columns."""
    assert ORIGIN_SCHEMA.names == ORIGIN_COLUMNS
