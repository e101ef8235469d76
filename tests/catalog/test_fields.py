"""Ids of columns: fresh for a new table, kept for ever after."""

from __future__ import annotations

import pytest

from millpond.catalog import fields
from millpond.core.errors import CatalogError

SPARK = {
    "type": "struct",
    "schema-id": 7,
    "identifier-field-ids": [0],
    "fields": [
        {"id": 0, "name": "a", "required": True, "type": "long"},
        {
            "id": 1,
            "name": "s",
            "required": False,
            "type": {
                "type": "struct",
                "fields": [
                    {
                        "id": 2,
                        "name": "l",
                        "required": False,
                        "type": {"type": "list", "element-id": 3, "element": "int", "element-required": False},
                    },
                    {
                        "id": 4,
                        "name": "m",
                        "required": False,
                        "type": {
                            "type": "map",
                            "key-id": 5,
                            "key": "string",
                            "value-id": 6,
                            "value": "date",
                            "value-required": True,
                        },
                    },
                ],
            },
        },
        {"id": 9, "name": "z", "required": False, "type": "string", "doc": "last"},
    ],
}


def test_outer_columns_get_the_first_ids() -> None:
    """Spark's numbers from 0 become 1, 2, 3 for columns, then what is nested in them."""
    schema, renumbered, last = fields.fresh(SPARK)
    assert [field["id"] for field in schema["fields"]] == [1, 2, 3]
    assert sorted(fields.ids(schema)) == list(range(1, 9))
    assert last == fields.highest(schema) == 8
    assert renumbered[0] == 1
    assert renumbered[9] == 3
    assert schema["identifier-field-ids"] == [1]
    assert schema["schema-id"] == 0


def test_everything_else_of_a_field_is_kept() -> None:
    """Docs, requirements and types are the client's."""
    schema, _renumbered, _last = fields.fresh(SPARK)
    assert schema["fields"][2] == {"id": 3, "name": "z", "required": False, "type": "string", "doc": "last"}
    assert schema["fields"][1]["type"]["fields"][1]["type"]["value-required"] is True


def test_the_client_s_schema_is_not_changed() -> None:
    """Fresh ids are given to a copy."""
    before = repr(SPARK)
    fields.fresh(SPARK)
    assert repr(SPARK) == before


@pytest.mark.parametrize(
    "broken", [{}, {"fields": [{"name": "a"}]}, {"fields": 3}, {"fields": [{"type": {"type": "list"}}]}]
)
def test_a_malformed_schema_is_refused(broken: dict[str, object]) -> None:
    """A request that is not as the specification says is the client's error."""
    with pytest.raises(CatalogError) as refused:
        fields.fresh(broken)
    assert refused.value.code == "MP-3030"
