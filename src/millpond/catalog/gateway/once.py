"""Requests that bear an Idempotency-Key: however often they come, they are done once and answered alike.

A commit bears the key as that of a step, which the pointer store takes once; a change of a namespace stores its answer
in its own transaction. So a key is safe against the end of this process too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection
from starlette.responses import Response

from millpond.catalog import answered
from millpond.catalog.answered import Answer
from millpond.catalog.gateway.access import Seat
from millpond.catalog.gateway.answers import failure
from millpond.catalog.gateway.requests import Call, malformed
from millpond.core.errors import CatalogError, MillpondError

LIFETIME = f"PT{int(answered.LIFETIME.total_seconds()) // 3600}H"
"""How long clients may use a key again, as the configuration tells them: an ISO 8601 duration."""

_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
_NOT_FINAL = frozenset({401, 403})


def once(
    seat: Seat,
    call: Call,
    handler: Callable[[Seat, Call], Response],
    again: Callable[[Seat, Call, int], Response],
) -> Response:
    """Answer a change: by the handler when its key is new or absent, else as before.

    `again` makes the answer of a request whose commit is in, given the commit's number. Raises CatalogError MP-3020
    for a malformed key, MP-3022 for one that another request had.

    A key is its client's own: nobody else hears its answer, and a seat that only reads, as the handler judges it, none.
    """
    key = _key(seat, call)
    if key is None or not seat.direct or not seat.writes:
        return handler(seat, call)
    step_key = f"request {seat.catalog.environment} {key}"

    def before() -> Response | None:
        kept = _find(seat, call, key)
        if kept is not None and (kept.body is not None or kept.status != 200):
            return Response(kept.body, kept.status, media_type="application/json" if kept.body else None)
        number = seat.catalog.published(step_key)
        return None if number is None else again(seat, call, number)

    known = before()
    if known is not None:
        return known
    try:
        answer = handler(replace(seat, step_key=step_key), call)
    except MillpondError as error:
        if seat.commits:
            raise
        # The same request may have come twice at once, and the other one was first.
        answer = before() or failure(error)
    if answer.status_code < 500 and answer.status_code not in _NOT_FINAL:
        with seat.catalog.store.write() as connection:
            keep(connection, seat, call, answer, seat.catalog.published(step_key) is not None)
    return answer


def keep(connection: Connection, seat: Seat, call: Call, answer: Response, committed: bool = False) -> None:
    """Remember the answer of a request that bears a key. The body of a commit's answer is what the commit left."""
    key = _key(seat, call)
    if key is None:
        return
    body = None if committed or not answer.body else bytes(answer.body).decode()
    row = Answer(_asked(call), answer.status_code, body)
    answered.keep(connection, seat.catalog.environment, key, row, seat.catalog.clock.now())


def _find(seat: Seat, call: Call, key: str) -> Answer | None:
    with seat.catalog.store.read() as connection:
        kept = answered.find(connection, seat.catalog.environment, key)
    if kept is not None and kept.asked != _asked(call):
        raise CatalogError(
            "MP-3022",
            f"the Idempotency-Key {key.rpartition(' ')[2]} belongs to another request",
            next_step="make a new key for each request, and keep it only for repeats of that one",
        )
    return kept


def _key(seat: Seat, call: Call) -> str | None:
    """The key that a request bears, apart from those of other clients."""
    sent = call.headers.get("idempotency-key")
    if sent is None:
        return None
    key = sent.strip().lower()
    if not _KEY.match(key):
        raise malformed("the Idempotency-Key is no UUID")
    return f"{seat.identity} {key}" if seat.bound else key


def _asked(call: Call) -> str:
    return hashlib.sha256(f"{call.target}\0".encode("utf-8", "surrogateescape") + call.raw).hexdigest()
