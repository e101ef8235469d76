"""Which files can hold a value: bounds of manifests, decoded. Iceberg spec v2, "Single-Value Serialization"."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from millpond.catalog.manifests import DataFile
from millpond.catalog.soundness import whole
from millpond.core.errors import CatalogError
from millpond.core.names import TableName, closest
from millpond.tables.changes import holding
from millpond.tables.slices import Reading

if TYPE_CHECKING:
    from millpond.catalog.catalog import Catalog

Value = int | float | Decimal | str | date | datetime
"""What a bound is compared with. A datetime without a zone is UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def files_possibly_holding(
    catalog: Catalog, name: TableName, at: int | None, column: str, low: Value | None, high: Value | None
) -> Reading:
    """The files of a table, as of commit `at`, that may hold a row with `column` from `low` to `high`, both included.

    None leaves that side open. A file without bounds stays in. Raises CatalogError MP-3041 for a column that is not
    there, MP-3043 for one that cannot be compared with the values, and MP-3038 as `changes` does.
    """
    metadata = whole(catalog, catalog.table(name, at))
    document = metadata.schema_document
    found = next((field for field in document["fields"] if field["name"].lower() == column.lower()), None)
    if found is None:
        raise CatalogError(
            "MP-3041",
            f"the table {name} has no column {column!r}",
            next_step="name one of its columns",
            suggestion=closest(column, metadata.field_ids()),
        )
    kind = str(found["type"])
    lowest = None if low is None else _number(low, kind)
    highest = None if high is None else _number(high, kind)

    def may_hold(entry: DataFile) -> bool:
        if entry.null_counts.get(found["id"]) == entry.records and entry.records > 0:
            return False
        least, most = entry.lower_bounds.get(found["id"]), entry.upper_bounds.get(found["id"])
        if highest is not None and least is not None and _decoded(least, kind) > highest:
            return False
        return not (lowest is not None and most is not None and _decoded(most, kind) < lowest)

    return holding(metadata, may_hold)


def _decoded(raw: bytes, kind: str) -> Any:
    """A bound as what `_number` makes of a value: Decimal for numbers and times, bytes for strings."""
    if kind in ("int", "long", "date", "timestamp", "timestamptz"):
        # Files written before a column was widened keep the shorter form.
        return Decimal(struct.unpack("<i" if len(raw) == 4 else "<q", raw)[0])
    if kind in ("float", "double"):
        return Decimal(struct.unpack("<f" if len(raw) == 4 else "<d", raw)[0])
    if kind.startswith("decimal"):
        return Decimal(int.from_bytes(raw, "big", signed=True)).scaleb(-_scale(kind))
    return raw


def _scale(kind: str) -> int:
    return int(kind.rstrip(")").split(",")[1])


def _number(value: Value, kind: str) -> Any:
    if kind == "date" and isinstance(value, date):
        day = value.date() if isinstance(value, datetime) else value
        return Decimal((day - _EPOCH.date()).days)
    if kind in ("timestamp", "timestamptz") and isinstance(value, date):
        return Decimal(_microseconds(value))
    if kind == "string" and isinstance(value, str):
        return value.encode()
    if (
        isinstance(value, int | float | Decimal)
        and Decimal(value) == value
        and (kind in ("int", "long", "float", "double") or kind.startswith("decimal"))
    ):
        return Decimal(value)
    raise CatalogError(
        "MP-3043",
        f"a column of type {kind} cannot be searched for {value!r}",
        next_step="search a number, date, timestamp or string column for a value of its type",
    )


def _microseconds(value: date) -> int:
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day, tzinfo=UTC)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
