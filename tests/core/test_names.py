"""Names of tables and columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.core.names import TableName, closest, is_plain, literal, quote


def test_a_table_name_is_read_in_any_case() -> None:
    """Names are kept in lower case."""
    assert TableName.parse("Silver.Orders") == TableName("silver", "orders")
    assert str(TableName("silver", "orders")) == "silver.orders"
    assert TableName("silver", "orders").quoted == '"silver"."orders"'


@pytest.mark.parametrize("text", ["orders", "a.b.c", "silver.", ".orders", "silver.o-o", "silver.1a", "", "silver.a b"])
def test_what_is_no_table_name_is_refused(text: str) -> None:
    """Exactly two plain parts, or nothing."""
    with pytest.raises(ValueError, match="not a table name"):
        TableName.parse(text)


@pytest.mark.parametrize(
    ("name", "plain"), [("orders_2", True), ("_x", True), ("Orders", False), ("2x", False), ("a\n", False), ("", False)]
)
def test_plain_names_need_no_quotes_anywhere(name: str, *, plain: bool) -> None:
    """Lower case letters, digits and underscores, no digit first."""
    assert is_plain(name) is plain


@given(st.text())
def test_quoting_can_be_undone(text: str) -> None:
    """Nothing inside a quoted identifier or literal ends it."""
    assert quote(text)[1:-1].replace('""', '"') == text
    assert literal(text)[1:-1].replace("''", "'") == text
    assert quote(text)[1:-1].replace('""', "").count('"') == 0
    assert literal(text)[1:-1].replace("''", "").count("'") == 0


def test_the_closest_name_is_what_was_probably_meant() -> None:
    """Near in letters, whatever the case; nothing where nothing is near."""
    assert closest("AMOUT", ["amount", "id"]) == "amount"
    assert closest("orders", ["Orders"]) == "Orders"
    assert closest("xyz", ["amount", "id"]) is None
    assert closest("x", []) is None
