"""`serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millpond.cli.output import json_line, line, said
from millpond.core.plugins import lookup

if TYPE_CHECKING:
    from millpond.cli.options import Context


def serve(context: Context, host: str, port: int, open_access: bool, upkeep: bool) -> int:
    """Serve the catalog until interrupted."""
    access = "open to every user of this machine" if open_access else "asks for a token"

    def ready(endpoint: str) -> None:
        if context.json:
            json_line({"event": "ready", "endpoint": endpoint, "open": open_access})
        else:
            line(f"Iceberg REST catalog at {endpoint} ({access}; Ctrl-C stops it)")

    with context.open() as lake:
        loopback = lookup("millpond.catalog.gateway.server:LOOPBACK")
        if not open_access and not context.quiet:
            tokens = lookup("millpond.catalog.client_tokens:ClientTokens")(lake.catalog).all()
            if not any(token.state(lake.clock.now()) == "good" for token in tokens):
                said("no program has a token yet: `millpond token create NAME --scope catalog:write` makes one")
            if host not in loopback:
                said("tokens cross the network as they are: put a proxy that speaks TLS in front of this port")
        if upkeep:
            lake.tender.start()
        watcher = lake.tender if upkeep else None
        rule = lookup("millpond.pipeline.upkeep:retention")(lake.project)
        lookup("millpond.catalog.gateway.server:serve")(lake.catalog, host, port, open_access, ready, watcher, rule)
    return 0
