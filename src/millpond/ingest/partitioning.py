"""How the bronze table of a source is partitioned, and when it cannot be."""

from __future__ import annotations

from millpond.catalog.partitions import spec_json
from millpond.catalog.types import schema_json
from millpond.core.errors import CatalogError, IngestError
from millpond.core.schema import Schema
from millpond.project.model import Source


def unpartitioned(source: Source, schema: Schema) -> IngestError | None:
    """The error MP-5013 for the first partition field that a bronze table of these columns cannot have."""
    for position, field in enumerate(source.partition):
        try:
            spec_json((field,), schema_json(schema))
        except CatalogError as wrong:
            return IngestError(
                "MP-5013",
                f"{source.table}: {wrong.finding.message}",
                next_step="name a column that has a time under `columns`, or partition by day(_loaded_at)",
                where=source.place(f"partition.{position}"),
                suggestion=wrong.finding.suggestion,
            )
    return None
