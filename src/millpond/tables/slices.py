"""Parts of a table's files as values, and the columns that they are read under."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from millpond.catalog.metadata import TableMetadata
from millpond.core.errors import CatalogError
from millpond.core.records import frozen
from millpond.core.schema import Column, Schema


@frozen
class FileSlice:
    """Rows of one data file: those at the positions that `only` names (None: all), less those that `deletes` names.

    `deletes` and `only` are paths of position-delete files; each may name rows of other files too.
    """

    path: str
    deletes: tuple[str, ...] = ()
    only: tuple[str, ...] | None = None


@frozen
class Layout:
    """The columns that files are read under: their names and types, and their lasting ids.

    `defaults` are the values, as text, that files written before a column was added have for it. `renamed` are
    columns inside which a nested field was renamed or made anew: older files cannot be read for them.
    """

    schema: Schema
    fields: Mapping[str, int]
    defaults: Mapping[str, str] = field(default_factory=dict)
    renamed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, metadata: TableMetadata) -> Layout:
        """The present columns of a table. Raises CatalogError MP-3038 when its files may lack column ids."""
        if "schema.name-mapping.default" in metadata.properties:
            raise CatalogError(
                "MP-3038",
                "the table holds files that were added from outside, without column ids, which changes cannot read",
                next_step="copy the rows into a new table with INSERT ... SELECT and use that one",
            )
        defaults = {
            row["name"]: _default(row["initial-default"], str(row["type"]))
            for row in metadata.schema_document["fields"]
            if row.get("initial-default") is not None
        }
        return cls(metadata.schema(), metadata.field_ids(), defaults, _renamed(metadata))

    def wide_for(self, other: TableMetadata) -> Layout:
        """The same columns, as wide as another version of the table has them: a table may have gone back to less."""
        names = {number: name for name, number in other.field_ids().items()}
        theirs = other.schema()
        columns = []
        for column in self.schema:
            twin = theirs.get(names.get(self.fields[column.name], ""))
            wider = twin is not None and twin.type in _WIDER.get(column.type.split("(")[0], ())
            decimal = twin is not None and column.type.startswith("DECIMAL(") and _digits(twin) > _digits(column)
            columns.append(replace(column, type=twin.type) if twin is not None and (wider or decimal) else column)
        return replace(self, schema=Schema(tuple(columns)))


_WIDER = {"INTEGER": ("BIGINT",), "FLOAT": ("DOUBLE",)}
"""What the specification lets a type grow to, besides decimals with more digits. Spec v2, "Schema Evolution"."""


def _digits(column: Column) -> int:
    found = re.match(r"DECIMAL\((\d+)", column.type)
    return int(found[1]) if found else 0


def _default(value: object, kind: str) -> str:
    """A default as DuckDB casts it from text; bytes come as hexadecimal digits. Spec v3, "JSON single-value"."""
    text = value if isinstance(value, str) else json.dumps(value)
    if kind != "binary" and not kind.startswith("fixed"):
        return text
    return "".join(f"\\x{text[place : place + 2]}" for place in range(0, len(text), 2))


def _renamed(metadata: TableMetadata) -> frozenset[str]:
    """Columns in which a nested field ever had another name, or a nested name another field."""
    names: dict[tuple[int, int], str] = {}
    owners: dict[tuple[int, str], int] = {}
    moved: set[int] = set()
    for schema in metadata.document["schemas"]:
        for top in schema["fields"]:
            for number, path in _nested(top["type"], ""):
                if names.setdefault((top["id"], number), path) != path:
                    moved.add(top["id"])
                if owners.setdefault((top["id"], path), number) != number:
                    moved.add(top["id"])
    return frozenset(name for name, number in metadata.field_ids().items() if number in moved)


def _nested(kind: Any, path: str) -> Iterable[tuple[int, str]]:
    if not isinstance(kind, Mapping):
        return
    if kind["type"] == "struct":
        for part in kind["fields"]:
            yield part["id"], f"{path}.{part['name']}"
            yield from _nested(part["type"], f"{path}.{part['name']}")
    elif kind["type"] == "list":
        yield from _nested(kind["element"], f"{path}.element")
    else:
        yield from _nested(kind["key"], f"{path}.key")
        yield from _nested(kind["value"], f"{path}.value")


@frozen
class Reading:
    """Slices of a table's files, and the columns to read them under."""

    slices: tuple[FileSlice, ...]
    layout: Layout
