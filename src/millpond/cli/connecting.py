"""`connect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millpond.cli.output import json_line, line
from millpond.core.names import STATE, TableName
from millpond.core.plugins import lookup

if TYPE_CHECKING:
    from millpond.cli.options import Context


def connect(context: Context, client: str, host: str, port: int, open_access: bool) -> int:
    """Print what a client of another maker needs to reach this lake through `millpond serve`."""
    with context.open() as lake:
        names = [entry.name for entry in lake.catalog.tables() if entry.name.layer != STATE]
        models = [model.table for model in lake.project.models if model.table in names]
        table = next(iter([*reversed(models), *names]), TableName("silver", "name_of_a_table"))
        endpoint = lookup("millpond.catalog.connections:endpoint")(host, port)
        door = lookup("millpond.catalog.connections:Door")(endpoint, lake.project.environment, table, not open_access)
    text = lookup("millpond.catalog.connections:configuration")(client, door)
    if context.json:
        json_line({"client": client, "configuration": text})
    else:
        line(text.rstrip())
    return 0
