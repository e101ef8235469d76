"""Lists in pages, for clients that ask for them: REST catalog specification, "PageToken".

A token is the name that the last page ended with, so that tables which come and go meanwhile make no page lose another.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from millpond.catalog.gateway.requests import malformed

_LARGEST = 1000


def page(query: Mapping[str, str], names: Sequence[str]) -> tuple[Sequence[str], str | None]:
    """The part of the sorted names that a client asks for, and the token of the next page; None after the last.

    Without a token in the request all come at once. Raises CatalogError MP-3020 for a token or size without sense.
    """
    token = query.get("pageToken")
    size = _size(query.get("pageSize"))
    if token is None:
        return names, None
    after = _name(token) if token else None
    rest = names if after is None else [name for name in names if name > after]
    shown = rest[:size]
    return shown, _token(shown[-1]) if len(rest) > size else None


def _size(text: str | None) -> int:
    if text is None or text == "":
        return _LARGEST
    if not text.isascii() or not text.isdigit() or int(text[:9]) < 1:
        raise malformed(f"pageSize must be a positive whole number, not {text[:20]!r}")
    return min(int(text[:9]), _LARGEST)


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode("utf-8", "surrogateescape")).decode().rstrip("=")


def _name(token: str) -> str:
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return content.decode("utf-8", "surrogateescape")
    except ValueError as wrong:
        raise malformed("pageToken is none that this catalog gave") from wrong
