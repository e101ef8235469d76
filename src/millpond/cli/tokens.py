"""`token create`, `token list`, `token revoke`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from millpond.cli.output import json_line, line, said, table
from millpond.core.errors import ProjectError
from millpond.core.plugins import lookup

if TYPE_CHECKING:
    from millpond.catalog.client_tokens import ClientToken, ClientTokens
    from millpond.cli.options import Context
    from millpond.lakehouse import Lakehouse

_LIFE = re.compile(r"(?P<count>[1-9][0-9]{0,5})(?P<unit>[mhdwy])\Z")
_UNITS = {
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_LONGEST = timedelta(days=36500)


def create(context: Context, name: str, scope: str, expires: str | None) -> int:
    """Make a token and print it: the only time that anyone sees it."""
    life = None if expires is None else _life(expires)
    with context.open(settings_only=True) as lake:
        secret, made = _tokens(lake).create(name, scope, lake.principal, life)
    if context.json:
        json_line({"token": secret, **_fields(made)})
        return 0
    line(secret)
    until = "for ever" if made.expires is None else f"until {made.expires:%Y-%m-%d %H:%M} UTC"
    said(f"{made.scope} in {made.environment}, good {until}; it is shown this once and kept as a hash")
    return 0


def list_all(context: Context) -> int:
    """Print every token, the newest first."""
    with context.open(settings_only=True) as lake:
        now = lake.clock.now()
        tokens = _tokens(lake).all()
    if context.json:
        for token in tokens:
            json_line({**_fields(token), "state": token.state(now)})
    elif not tokens:
        line("no tokens yet: `millpond token create NAME --scope catalog:write` makes one")
    else:
        columns = ("name", "scope", "environment", "made", "by", "expires", "state")
        rows = [
            (token.name, token.scope, token.environment, f"{token.made:%Y-%m-%d %H:%M}", token.made_by,
             "never" if token.expires is None else f"{token.expires:%Y-%m-%d %H:%M}", token.state(now))
            for token in tokens
        ]  # fmt: skip
        table(columns, rows)
    return 0


def revoke(context: Context, name: str) -> int:
    """End a token."""
    with context.open(settings_only=True) as lake:
        ended = _tokens(lake).revoke(name)
    if context.json:
        json_line({**_fields(ended), "state": "revoked"})
    else:
        line(f"{ended.name} is revoked; every gateway refuses it from now on")
    return 0


def _tokens(lake: Lakehouse) -> ClientTokens:
    made: ClientTokens = lookup("millpond.catalog.client_tokens:ClientTokens")(lake.catalog)
    return made


def _fields(token: ClientToken) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "environment": token.environment,
        "made": token.made,
        "made_by": token.made_by,
        "expires": token.expires,
        "revoked": token.revoked,
    }


def _life(text: str) -> timedelta:
    found = _LIFE.match(text)
    life = int(found["count"]) * _UNITS[found["unit"]] if found else None
    if life is None or life > _LONGEST:
        raise ProjectError("MP-1092", f"--expires {text} is no length of time", next_step="write it like 12h or 30d")
    return life
