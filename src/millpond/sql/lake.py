"""How statements name the tables of the lake."""

from __future__ import annotations

from millpond.core.names import TableName, quote

LAKE = "lake"
"""What the lake is called where it is attached. Trino looks for a view's tables nowhere else."""


def in_lake(table: TableName) -> str:
    """The table's whole name as SQL, each part quoted."""
    return f"{quote(LAKE)}.{table.quoted}"
