"""A column's type changes only to one that the files which stay can be read as."""

from __future__ import annotations

from typing import Any

import pytest

from millpond.catalog.updates import apply
from millpond.core.errors import CatalogError

NESTED = {"type": "list", "element-id": 2, "element": "int", "element-required": False}
STRUCT = {"type": "struct", "fields": [{"id": 2, "name": "b", "required": False, "type": "int"}]}


def schema(kind: Any, number: int = 1) -> dict[str, Any]:
    """One column of a type."""
    fields = [{"id": number, "name": "a", "required": False, "type": kind}]
    return {"type": "struct", "schema-id": 0, "fields": fields}


def table(kind: Any, version: int = 2, snapshot: int | None = 7) -> dict[str, Any]:
    """A table of that column, with rows or without."""
    snapshots = [{"snapshot-id": 7, "timestamp-ms": 1, "sequence-number": 1, "manifest-list": "m"}] if snapshot else []
    return {
        "format-version": version,
        "schemas": [schema(kind)],
        "current-schema-id": 0,
        "current-snapshot-id": snapshot,
        "last-column-id": 2,
        "last-updated-ms": 1,
        "last-sequence-number": 1,
        "snapshots": snapshots,
    }


def changed(document: dict[str, Any], kind: Any, number: int = 1) -> Any:
    """The type of the column after a client changed it."""
    updates = [
        {"action": "add-schema", "schema": schema(kind, number)},
        {"action": "set-current-schema", "schema-id": -1},
    ]
    after = apply(document, updates, 1)
    return next(row for row in after["schemas"] if row["schema-id"] == after["current-schema-id"])["fields"][0]["type"]


@pytest.mark.parametrize(
    ("old", "new", "version"),
    [
        ("int", "long", 2),
        ("float", "double", 2),
        ("decimal(9, 2)", "decimal(18,2)", 2),
        ("date", "timestamp", 3),
        ("unknown", "string", 3),
        (NESTED, NESTED | {"element": "long"}, 2),
        (STRUCT, {"type": "struct", "fields": [STRUCT["fields"][0] | {"type": "long"}]}, 2),  # type: ignore[index]
    ],
)
def test_a_type_may_grow(old: Any, new: Any, version: int) -> None:
    """As far as the specification says for the table's format."""
    assert changed(table(old, version), new) == new


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("string", "int", "a: string -> int"),
        ("long", "int", "a: long -> int"),
        ("date", "timestamp", "a: date -> timestamp"),
        ("decimal(9,2)", "decimal(18,4)", "a: decimal(9,2) -> decimal(18,4)"),
        ("decimal(9,2)", "decimal(8,2)", "a: decimal(9,2) -> decimal(8,2)"),
        (NESTED, NESTED | {"element": "string"}, "a.element: int -> string"),
        (NESTED, STRUCT, "a: list -> struct"),
        (STRUCT, "string", "a: struct -> string"),
    ],
)
def test_any_other_change_is_refused_while_the_files_stay(old: Any, new: Any, told: str) -> None:
    """Every reader would read wrong values, or none."""
    with pytest.raises(CatalogError, match="MP-3030") as refused:
        changed(table(old), new)
    assert f"Cannot change column type: {told}" in str(refused.value)


def test_a_column_of_another_id_or_of_a_table_without_rows_may_be_of_any_type() -> None:
    """No file has a value for it."""
    assert changed(table("string"), "int", number=2) == "int"
    assert changed(table("string", snapshot=None), "int") == "int"
    document = table("string")
    dropped = apply(document, [{"action": "remove-snapshot-ref", "ref-name": "main"}], 1)
    assert changed(dropped, "int") == "int"


def together(operation: str, parent: int | None, kind: Any = "int") -> Any:
    """The type of the column after a client changed it and added a snapshot, in one request."""
    snapshot = {"snapshot-id": 8, "sequence-number": 2, "timestamp-ms": 2, "manifest-list": "n"}
    snapshot |= {"summary": {"operation": operation}} | ({} if parent is None else {"parent-snapshot-id": parent})
    updates = [
        {"action": "add-schema", "schema": schema(kind)},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-snapshot", "snapshot": snapshot},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 8},
    ]
    return apply(table("string"), updates, 2)["schemas"][-1]["fields"][0]["type"]


def test_rows_that_are_appended_with_the_change_leave_the_files_that_were_there() -> None:
    """So it is refused; not where they come in the place of what was there, as CREATE OR REPLACE and overwrite do."""
    with pytest.raises(CatalogError, match="a: string -> int"):
        together("append", 7)
    assert together("append", None) == together("overwrite", 7) == together("append", 8) == "int"
