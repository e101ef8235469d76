"""`serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millpond.cli.output import json_line, line
from millpond.core.errors import AccessError
from millpond.core.plugins import lookup

if TYPE_CHECKING:
    from millpond.cli.options import Context


def serve(context: Context, port: int, open_access: bool) -> int:
    """Serve the catalog until interrupted."""
    if not open_access:
        raise AccessError(
            "MP-8020",
            "serving with tokens is not possible yet",
            next_step="`millpond serve --open` serves on loopback without tokens",
        )

    def ready(endpoint: str) -> None:
        if context.json:
            json_line({"event": "ready", "endpoint": endpoint})
        else:
            line(f"Iceberg REST catalog at {endpoint} (open to every user of this machine; Ctrl-C stops it)")

    with context.open() as lake:
        lookup("millpond.catalog.gateway.server:serve")(lake.catalog, "127.0.0.1", port, open_access, ready)
    return 0
