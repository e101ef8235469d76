"""Times in a table's metadata: they never fall, and no client is shown one that is yet to come.

Clocks differ from machine to machine, and are set back. DuckDB reads a table as of the start of its transaction by its
own clock, so that to it a snapshot of a time to come is not there, without a word; where all of a table's times are
yet to come it gives up. Java's readers refuse metadata whose times fall by more than a minute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

MARGIN_MS = 60_000
"""How long before now a time to come is shown to be: a client's transaction may have begun before it asked."""

NEAR_MS = 50
"""Up to how long before its time a snapshot is waited for: those of one millisecond have times one after another."""

_LOGS = ("snapshots", "snapshot-log", "metadata-log")


def never_falling(sent: int, before: int, now_ms: int) -> int:
    """The time of what follows on something of `before`: as its writer says, but not one that is yet to come.

    It is always a later one: of two snapshots of one time DuckDB may read the earlier.
    """
    return max(before + 1, min(sent, now_ms))


def shown(document: Json, now_ms: int) -> Json:
    """A table's document as clients may read it: itself, unless some of its times are yet to come.

    Then those are put back to shortly before now, and those before them as far as is needed to keep their order.
    """
    if max(_times(document), default=0) <= now_ms:
        return document
    earlier: dict[int, int] = {}
    latest = now_ms - MARGIN_MS
    for moment in sorted(set(_times(document)), reverse=True):
        earlier[moment] = min(moment, latest)
        latest = earlier[moment] - 1
    copy = {**document, "last-updated-ms": earlier[document["last-updated-ms"]]}
    for member in _LOGS:
        if document.get(member):
            copy[member] = [{**row, "timestamp-ms": earlier[row["timestamp-ms"]]} for row in document[member]]
    return copy


def until_past(document: Json, now_ms: int) -> float:
    """For how many seconds to wait before anyone is told of the document, so that its times are past; 0 for far ones.

    A transaction that begins in the millisecond of the newest snapshot, and asks later, would not see it.
    """
    ahead = max(_times(document), default=0) - now_ms
    return ahead / 1000 if 0 < ahead <= NEAR_MS else 0.0


def _times(document: Json) -> Iterator[int]:
    yield document["last-updated-ms"]
    for member in _LOGS:
        yield from (row["timestamp-ms"] for row in document.get(member) or ())
