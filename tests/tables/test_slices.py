"""The columns that files are read under."""

from __future__ import annotations

from typing import Any

import pytest

from millpond.catalog.metadata import TableMetadata, create
from millpond.core.errors import CatalogError
from millpond.tables.slices import Layout


def table(*fields: dict[str, Any], **more: Any) -> TableMetadata:
    """A table of these fields, of the format that has defaults."""
    made = create({"fields": fields}, location="/l", uuid="u", now_ms=1, format_version=3)
    return TableMetadata({**made.document, **more})


def field(number: int, name: str, kind: Any, **more: Any) -> dict[str, Any]:
    """A field as the specification writes it."""
    return {"id": number, "name": name, "required": False, "type": kind, **more}


def test_defaults_of_added_columns_are_text_for_the_reader() -> None:
    """Older files have the value that the column began with."""
    layout = Layout.of(
        table(
            field(1, "a", "long"),
            field(2, "n", "int", **{"initial-default": 5}),
            field(3, "b", "boolean", **{"initial-default": True}),
            field(4, "s", "string", **{"initial-default": "it's"}),
            field(5, "d", "decimal(9, 2)", **{"initial-default": "14.20"}),
            field(6, "raw", "binary", **{"initial-default": "00ff"}),
        )
    )
    assert layout.defaults == {"n": "5", "b": "true", "s": "it's", "d": "14.20", "raw": r"\x00\xff"}
    assert layout.fields["raw"] == 6


def nested(*fields: dict[str, Any]) -> list[dict[str, Any]]:
    """A schema's fields with a list, a map and a struct round these."""
    inner = {"type": "struct", "fields": list(fields)}
    of_maps = {"type": "map", "key-id": 20, "key": "string", "value-id": 21, "value": inner, "value-required": False}
    return [field(1, "a", "long"), field(2, "deep", {"type": "list", "element-id": 10, "element": of_maps})]


@pytest.mark.parametrize(
    ("before", "after", "renamed"),
    [
        (nested(field(30, "x", "int")), nested(field(30, "x", "int"), field(31, "y", "int")), set()),
        (nested(field(30, "x", "int")), nested(field(30, "z", "int")), {"deep"}),
        (nested(field(30, "x", "int")), nested(field(31, "x", "int")), {"deep"}),
    ],
)
def test_a_nested_field_that_was_renamed_or_made_anew_is_noticed(
    before: list[dict[str, Any]], after: list[dict[str, Any]], renamed: set[str]
) -> None:
    """At any depth; added fields are no matter."""
    schemas = [{"schema-id": number, "fields": fields} for number, fields in enumerate((before, after))]
    found = table(field(1, "a", "long"), schemas=schemas, **{"current-schema-id": 1})
    assert Layout.of(found).renamed == renamed


def test_files_that_may_lack_column_ids_are_refused() -> None:
    """They would be read as NULL."""
    with pytest.raises(CatalogError) as refused:
        Layout.of(table(field(1, "a", "long"), properties={"schema.name-mapping.default": "[]"}))
    assert refused.value.code == "MP-3038"
