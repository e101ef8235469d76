"""Spark as a user sets it up: by what `connect` prints."""

from __future__ import annotations

from millpond.catalog.connections import Door, configuration
from millpond.core.names import TableName


def settings(endpoint: str) -> dict[str, str]:
    """What `connect spark` prints, as names and values."""
    text = configuration("spark", Door(endpoint, "prod", TableName("silver", "t"), token=False))
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip() for name, _, value in (line.partition(" ") for line in lines)}
