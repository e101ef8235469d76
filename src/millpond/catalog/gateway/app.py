"""The gateway as one ASGI application: a table of endpoints and the one place where a request may fail."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway import layers, oauth, tables
from millpond.catalog.gateway.access import Door, Seat
from millpond.catalog.gateway.answers import document, failure, refusal
from millpond.catalog.gateway.commits import Commits
from millpond.catalog.gateway.requests import Call
from millpond.catalog.keeper import Keeper
from millpond.core.errors import MillpondError

LOG = logging.getLogger("millpond.gateway")

ROOT = "/iceberg"
MOST_BYTES = 64 * 1024 * 1024

Handler = Callable[[Seat, Call], Response]


@dataclass(frozen=True)
class Endpoint:
    """One thing that clients can ask for. `shown` ones are listed in the configuration that clients read first."""

    method: str
    path: str
    handler: Handler
    shown: bool = True


def endpoints() -> tuple[Endpoint, ...]:
    """Everything under a prefix, as the REST catalog specification names it."""
    commits = Commits()
    space = "/namespaces/{namespace}"
    table = space + "/tables/{table}"
    return (
        Endpoint("GET", "/namespaces", layers.listed),
        Endpoint("POST", "/namespaces", layers.create),
        Endpoint("GET", space, layers.load),
        Endpoint("HEAD", space, layers.exists),
        Endpoint("DELETE", space, layers.drop),
        Endpoint("POST", space + "/properties", layers.change),
        Endpoint("GET", space + "/tables", tables.listed),
        Endpoint("POST", space + "/tables", tables.create),
        Endpoint("GET", table, tables.load),
        Endpoint("HEAD", table, tables.exists),
        Endpoint("POST", table, commits.one),
        Endpoint("DELETE", table, tables.drop),
        Endpoint("POST", space + "/register", tables.register),
        Endpoint("POST", "/tables/rename", tables.rename),
        Endpoint("POST", "/transactions/commit", commits.several),
        Endpoint("POST", table + "/metrics", tables.metrics, shown=False),
    )


def application(catalog: Catalog, keeper: Keeper | None, open_access: bool) -> Starlette:
    """The application for one catalog. With `open_access`, programs on this machine need no token."""
    door = Door(catalog, keeper, open_access)
    offered = endpoints()
    shown = [f"{point.method} /v1/{{prefix}}{point.path}" for point in offered if point.shown]

    def config(request: Request) -> Response:
        seat = door.seat(request.headers, None)
        asked = None if seat.bound else request.query_params.get("warehouse")
        prefix = seat.catalog.environment if seat.bound else door.environment(asked)
        return document({"defaults": {}, "overrides": {"prefix": prefix}, "endpoints": shown})

    def live(_request: Request) -> Response:
        return document({"status": "live"})

    def ready(_request: Request) -> Response:
        if catalog.store.ready():
            return document({"status": "ready"})
        return refusal(503, "ServiceUnavailableException", "the pointer store does not answer")

    routes: list[BaseRoute] = [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route(f"{ROOT}/v1/config", lambda request: _safely("config", lambda: config(request))),
        Route(f"{ROOT}/v1/oauth/tokens", _login(door), methods=["POST"]),
    ]
    for start in (f"{ROOT}/v1", f"{ROOT}/v1/{{prefix}}"):
        for path in dict.fromkeys(point.path for point in offered):
            handlers = {point.method: point.handler for point in offered if point.path == path}
            routes.append(Route(start + path, _endpoint(door, handlers), methods=list(handlers)))
    return Starlette(routes=routes, exception_handlers={HTTPException: _unknown})


async def _unknown(_request: Request, error: Exception) -> Response:
    """The answer to a path or method that is not offered."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    kind = "UnsupportedOperationException" if status == 405 else "NotFoundException"
    return refusal(status, kind, "the gateway has no such endpoint")


def _endpoint(door: Door, handlers: dict[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            raw = await _body(request)
        except ClientDisconnect:
            return refusal(400, "BadRequestException", "the client went away")
        if raw is None:
            return refusal(413, "BadRequestException", f"the body is larger than {MOST_BYTES} bytes")
        call = Call(request.path_params, request.query_params, raw, f"{request.method} {request.url.path}")
        handler = handlers[request.method]
        return await run_in_threadpool(_guarded, door, handler, request, call)

    return answer


def _login(door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            raw = await _body(request)
        except ClientDisconnect:
            raw = None
        return await run_in_threadpool(
            _safely, "login", lambda: oauth.answer(door.clients, request.headers, raw or b"")
        )

    return answer


def _guarded(door: Door, handler: Handler, request: Request, call: Call) -> Response:
    return _safely(call.target, lambda: handler(door.seat(request.headers, call.path.get("prefix")), call))


def _safely(target: str, work: Callable[[], Response]) -> Response:
    """The server's edge: every failure leaves in the one shape, and none as a 500 unless the outcome is unknown."""
    try:
        return work()
    except MillpondError as error:
        return failure(error)
    except Exception:
        LOG.exception("%s failed", target)
        return refusal(400, "BadRequestException", "the request could not be handled; the gateway's log says why")


async def _body(request: Request) -> bytes | None:
    """The body; None when it is larger than any honest one."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)
