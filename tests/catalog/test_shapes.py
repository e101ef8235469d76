"""What is said of parts of tables that are not as the specification has them."""

from __future__ import annotations

from typing import Any

import pytest

from millpond.catalog import shapes
from tests.catalog.gateway.odd import NESTED_COLUMNS, ORDER, REQUIREMENTS, SPEC, UPDATES, changed, places


@pytest.mark.parametrize("one", UPDATES)
def test_updates_as_the_specification_has_them_are_in_order(one: dict[str, Any]) -> None:
    """Every kind."""
    assert shapes.update(one, "update") is None


@pytest.mark.parametrize("one", REQUIREMENTS)
def test_requirements_as_the_specification_has_them_are_in_order(one: dict[str, Any]) -> None:
    """Every kind."""
    assert shapes.requirement(one, "requirement") is None


def test_every_member_of_a_schema_is_looked_at() -> None:
    """An object in the place of any of them is told with the path to it, in nested types too."""
    for path in places(NESTED_COLUMNS):
        if path != ("type",):
            told = shapes.SCHEMA(changed(NESTED_COLUMNS, path, {"x": 1}), "schema")
            assert told is not None, path
            assert told.startswith("schema"), told


@pytest.mark.parametrize(
    ("check", "value", "told"),
    [
        (shapes.SCHEMA, {**NESTED_COLUMNS, "fields": {}}, "at.fields must be a list"),
        (shapes.SCHEMA, changed(NESTED_COLUMNS, ("fields", 0, "id"), True), "at.fields[0].id must be a whole number"),
        (shapes.SCHEMA, changed(NESTED_COLUMNS, ("fields", 0, "name"), ""), "at.fields[0].name must be a text"),
        (shapes.SCHEMA, changed(NESTED_COLUMNS, ("fields", 1, "required"), 1), "required must be true or false"),
        (shapes.SPEC, changed(SPEC, ("fields", 0, "transform"), "bucket"), "transform must be a transform"),
        (shapes.SPEC, changed(SPEC, ("fields", 0, "transform"), "bucket[0]"), "transform must be a transform"),
        (shapes.SPEC, changed(SPEC, ("fields", 0, "source-id"), 2**31), "whole number of 32 bits"),
        (shapes.ORDER, changed(ORDER, ("fields", 0, "direction"), "up"), "direction must be asc or desc"),
        (shapes.VERSION, {}, "at.representations must be a list"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(check: shapes.Check, value: Any, told: str) -> None:
    """One sentence."""
    found = check(value, "at")
    assert found is not None
    assert told in found


def test_null_is_absent_where_a_member_is_optional_and_wrong_where_it_is_not() -> None:
    """Java writes null for what it does not know."""
    assert shapes.SPEC(changed(SPEC, ("fields", 0, "field-id"), None), "at") is None
    assert shapes.SPEC(changed(SPEC, ("fields", 0, "name"), None), "at") == "at.fields[0].name must be a text"


def test_of_unknown_kinds_nothing_is_said_here() -> None:
    """They are refused by name where they would be made."""
    assert shapes.update({"action": "enchant"}, "at") is None
    assert shapes.update({"action": 7}, "at") == "at.action must be a text"
