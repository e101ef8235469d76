"""The gateway as one ASGI application: a table of endpoints and the one place where a request may fail."""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway import layers, oauth, tables, views
from millpond.catalog.gateway.access import Door, Seat
from millpond.catalog.gateway.answers import document, done, failure, refusal
from millpond.catalog.gateway.commits import Commits, Watcher
from millpond.catalog.gateway.once import LIFETIME, once
from millpond.catalog.gateway.requests import Call
from millpond.catalog.keeper import Keeper
from millpond.catalog.retention import DEFAULT, Retention
from millpond.core.errors import MillpondError
from millpond.core.records import frozen

LOG = logging.getLogger("millpond.gateway")

ROOT = "/iceberg"
MOST_BYTES = 64 * 1024 * 1024

Handler = Callable[[Seat, Call], Response]


def _done_before(_seat: Seat, _call: Call, _number: int) -> Response:
    return done()


@frozen
class Endpoint:
    """One thing that clients can ask for. `again` answers a repeat of a change whose commit is in."""

    method: str
    path: str
    handler: Handler
    again: Callable[[Seat, Call, int], Response] = _done_before


def endpoints(watcher: Watcher | None = None, rule: Retention = DEFAULT) -> tuple[Endpoint, ...]:
    """Everything under a prefix, as the REST catalog specification names it."""
    commits = Commits(watcher, rule)
    space = "/namespaces/{namespace}"
    table = space + "/tables/{table}"
    view = space + "/views/{view}"
    return (
        Endpoint("GET", "/namespaces", layers.listed),
        Endpoint("POST", "/namespaces", layers.create),
        Endpoint("GET", space, layers.load),
        Endpoint("HEAD", space, layers.exists),
        Endpoint("DELETE", space, layers.drop),
        Endpoint("POST", space + "/properties", layers.change),
        Endpoint("GET", space + "/tables", tables.listed),
        Endpoint("POST", space + "/tables", tables.create, tables.as_committed),
        Endpoint("GET", table, _load(watcher)),
        Endpoint("HEAD", table, tables.exists),
        Endpoint("POST", table, commits.one, tables.as_committed),
        Endpoint("DELETE", table, tables.drop),
        Endpoint("POST", space + "/register", tables.register, tables.as_committed),
        Endpoint("POST", "/tables/rename", tables.rename),
        Endpoint("POST", "/transactions/commit", commits.several),
        Endpoint("POST", table + "/metrics", tables.metrics),
        Endpoint("GET", table + "/credentials", tables.credentials),
        Endpoint("GET", space + "/views", views.listed),
        Endpoint("POST", space + "/views", views.create, views.as_committed),
        Endpoint("GET", view, views.load),
        Endpoint("HEAD", view, views.exists),
        Endpoint("POST", view, views.replace, views.as_committed),
        Endpoint("DELETE", view, views.drop),
        Endpoint("POST", space + "/register-view", views.register, views.as_committed),
        Endpoint("POST", "/views/rename", views.rename),
    )


def _load(watcher: Watcher | None) -> Handler:
    """GET one table, of which who watches is told."""

    def load(seat: Seat, call: Call) -> Response:
        if watcher is not None and seat.direct:
            watcher.loaded(seat.catalog.environment, call.table())
        return tables.load(seat, call)

    return load


def application(
    catalog: Catalog,
    keeper: Keeper | None,
    open_access: bool,
    watcher: Watcher | None = None,
    rule: Retention = DEFAULT,
) -> Starlette:
    """The application for one catalog. With `open_access`, programs on this machine need no token."""
    door = Door(catalog, keeper, open_access)
    offered = endpoints(watcher, rule)
    shown = [f"{point.method} /v1/{{prefix}}{point.path}" for point in offered]

    def config(request: Request) -> Response:
        seat = door.seat(request.headers, None)
        asked = None if seat.bound else request.query_params.get("warehouse")
        prefix = seat.catalog.environment if seat.bound else door.environment(asked)
        content = {"defaults": {}, "overrides": {"prefix": prefix}, "endpoints": shown}
        return document(content | ({"idempotency-key-lifetime": LIFETIME} if seat.direct else {}))

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
            points = {point.method: point for point in offered if point.path == path}
            routes.append(Route(start + path, _endpoint(door, points), methods=list(points)))
    handlers = {HTTPException: _unknown}
    made = Starlette(routes=routes, exception_handlers=handlers, middleware=[Middleware(_Spaces)])
    made.router.redirect_slashes = False  # a table without a name would be the list of all
    return made


class _Spaces:
    """Reads a plus in a path as a space, as the specification's reference server does: older Java clients write it so.

    Every client writes a plus of a name as %2B.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw = scope.get("raw_path") or b""
        if b"+" in raw:
            scope = {**scope, "path": urllib.parse.unquote(raw.replace(b"+", b"%20").decode("ascii", "replace"))}
        await self._app(scope, receive, send)


async def _unknown(_request: Request, error: Exception) -> Response:
    """The answer to a path or method that is not offered."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    kind = "UnsupportedOperationException" if status == 405 else "NotFoundException"
    return refusal(status, kind, "the gateway has no such endpoint")


def _endpoint(door: Door, points: dict[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            raw = await _body(request)
        except ClientDisconnect:
            return refusal(400, "BadRequestException", "the client went away")
        if raw is None:
            return refusal(413, "BadRequestException", f"the body is larger than {MOST_BYTES} bytes")
        if "\0" in "".join((request.scope["path"], *request.query_params.values())):
            return refusal(400, "BadRequestException", "no name holds the character NUL")
        target = f"{request.method} {request.url.path}"
        call = Call(request.path_params, request.query_params, raw, target, request.headers)
        point = points.get(request.method) or points["GET"]  # what can be loaded can be asked after by HEAD
        return await run_in_threadpool(_guarded, door, point, call)

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


def _guarded(door: Door, point: Endpoint, call: Call) -> Response:
    commits: list[int] = []

    def work() -> Response:
        seat = replace(door.seat(call.headers, call.path.get("prefix")), commits=commits)
        if point.method in ("GET", "HEAD"):
            return point.handler(seat, call)
        return once(seat, call, point.handler, point.again)

    return _safely(call.target, work, commits)


def _safely(target: str, work: Callable[[], Response], commits: Sequence[int] = ()) -> Response:
    """The server's edge: every failure leaves in the one shape, and none as a 500 unless the outcome is unknown.

    A client that hears a refusal deletes what it wrote: once one of its `commits` is in, no failure may look like one.
    """
    try:
        return work()
    except MillpondError as error:
        if commits:
            return refusal(500, "CommitStateUnknownException", f"committed, and then: {error.finding.message}")
        return failure(error)
    except Exception:
        LOG.exception("%s failed", target)
        if commits:
            return refusal(500, "CommitStateUnknownException", "committed, and then failed; the gateway's log says why")
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
