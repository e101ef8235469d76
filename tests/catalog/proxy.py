"""A proxy between a client and the gateway that does harm to chosen requests."""

from __future__ import annotations

import http.client
import threading
import urllib.parse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal

Harm = Literal[
    "drop the reply", "500 after", "503 after", "drop the request", "500 before", "503 before",
    "ask twice", "ask twice at once", "ask again later", "ask late", "answer late",
]  # fmt: skip
HARMS: tuple[Harm, ...] = ("drop the reply", "500 after", "503 after", "drop the request", "500 before", "503 before")
"""`after`: the gateway did what was asked, and the client hears otherwise. `before`: it never heard of it."""

REPEATS: tuple[Harm, ...] = ("ask twice", "ask twice at once", "ask again later")
"""The gateway hears the request twice, one after the other or at once, and the client hears one of the answers; or
the client hears its answer, and the copy arrives when `Proxy.deliver` is called.
"""


@dataclass
class Plan:
    """Which requests are harmed: those that `match`, at most `times` of them."""

    harm: Harm
    match: Callable[[str, str], bool]
    times: int
    done: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    then: Callable[[], object] = bool
    """What happens between a request that is harmed and its answer: before the gateway hears of it where that is to
    `ask late`, else when the gateway has answered."""

    def take(self, method: str, path: str) -> Harm | None:
        """The harm for this request, counted; None to let it pass."""
        with self.lock:
            if len(self.done) >= self.times or not self.match(method, path):
                return None
            self.done.append(f"{method} {path}")
            return self.harm


def commits(method: str, path: str) -> bool:
    """Whether a request commits to a table."""
    return method == "POST" and (path.endswith("/transactions/commit") or "/tables/" in path)


def changes(method: str, path: str) -> bool:
    """Whether a request changes anything."""
    return method in ("POST", "DELETE") and not path.endswith("/metrics")


class Proxy:
    """Use as a context manager: inside, `endpoint` leads to the gateway through the plan."""

    def __init__(self, endpoint: str, plan: Plan) -> None:
        target = urllib.parse.urlsplit(endpoint)
        handler = type("Handler", (_Handler,), {"target": target.netloc, "plan": plan})
        self._late: list[tuple[str, str, bytes, dict[str, str]]] = []
        handler.late = self._late
        self._target = target.netloc
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}{target.path}"

    def deliver(self) -> list[int]:
        """Let the copies arrive that are on their way; what they are answered, which nobody hears."""
        answers = [_asked(self._target, *copy)[0] for copy in self._late]
        self._late.clear()
        return answers

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: str
    plan: Plan
    late: list[tuple[str, str, bytes, dict[str, str]]]

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        harm = self.plan.take(self.command, self.path)
        if harm == "drop the request":
            self.close_connection = True
            return
        if harm in ("500 before", "503 before"):
            self._answer(int(harm[:3]), b'{"error":{"message":"proxy","type":"InternalServerError","code":500}}')
            return
        if harm == "ask late":
            self.plan.then()
        try:
            status, content = self._forward(body, harm)
        except OSError:  # the gateway is gone
            self.close_connection = True
            return
        if harm is not None and harm != "ask late":
            self.plan.then()
        if harm == "drop the reply":
            self.close_connection = True
        elif harm in ("500 after", "503 after"):
            self._answer(int(harm[:3]), b'{"error":{"message":"proxy","type":"InternalServerError","code":500}}')
        else:
            self._answer(status, content)

    def _forward(self, body: bytes, harm: Harm | None) -> tuple[int, bytes]:
        headers = {key: value for key, value in self.headers.items() if key.lower() not in ("host", "connection")}
        copy = (self.command, self.path, body, headers)
        if harm == "ask again later":
            self.late.append(copy)
        if harm == "ask twice":
            _asked(self.target, *copy)
        if harm != "ask twice at once":
            return _asked(self.target, *copy)
        with ThreadPoolExecutor(2) as pool:
            first, second = [pool.submit(_asked, self.target, *copy) for _ in "ab"]
            return max(first.result(), second.result())

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(content)

    do_GET = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _asked(target: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """The gateway's answer to a request: status and body."""
    upstream = http.client.HTTPConnection(target, timeout=30)
    try:
        upstream.request(method, path, body or None, headers | {"Host": target})
        answer = upstream.getresponse()
        return answer.status, answer.read()
    finally:
        upstream.close()
