"""Running the gateway: as a thread of this process for its own engine, or as a server for others."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from millpond.catalog.catalog import Catalog, keeper_of
from millpond.catalog.connections import endpoint
from millpond.catalog.gateway.app import ROOT, application
from millpond.catalog.gateway.commits import Watcher
from millpond.catalog.keeper import Keeper
from millpond.catalog.retention import DEFAULT, Retention
from millpond.core.errors import HostError

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_START_S = 10.0
_GRACE_S = 5.0


class Gateway:
    """The gateway on a free port of this machine, in a thread.

    Every request needs a token that the catalog gave; with `open_access` one without a token writes directly.
    With `outside`, holders of client tokens are looked after too: their files are held for a while. `watcher` is told
    what clients load and commit. Past states that `rule` keeps no client may take away.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        open_access: bool = False,
        outside: bool = False,
        watcher: Watcher | None = None,
        rule: Retention = DEFAULT,
    ) -> None:
        self._catalog = catalog
        self._rule = rule
        self._open_access = open_access
        self._outside = outside or open_access
        self._watcher = watcher
        self._keeper: Keeper | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Begin to answer; the endpoint, such as `http://127.0.0.1:40123/iceberg`. Raises HostError MP-9022."""
        listener = _listen("127.0.0.1", 0)
        self._keeper = keeper_of(self._catalog) if self._outside else None
        if self._keeper is not None:
            self._keeper.inherit()
        port = listener.getsockname()[1]
        made = application(self._catalog, self._keeper, self._open_access, self._watcher, self._rule)
        server = _Server(_config(made))
        thread = threading.Thread(target=server.run, args=([listener],), name="millpond-gateway", daemon=True)
        thread.start()
        if not server.begun.wait(_START_S):
            raise HostError("MP-9022", "the gateway did not start", next_step="see the log for the reason")
        self._server, self._thread = server, thread
        return f"http://127.0.0.1:{port}{ROOT}"

    def stop(self) -> None:
        """Answer what is being asked, then end. Does nothing when the gateway is not running."""
        if self._server is None or self._thread is None:
            return
        self._server.end()
        self._thread.join()
        self._server = self._thread = None
        if self._keeper is not None:
            self._keeper.close()


def serve(
    catalog: Catalog,
    host: str,
    port: int,
    open_access: bool,
    ready: Callable[[str], None],
    watcher: Watcher | None = None,
    rule: Retention = DEFAULT,
) -> None:
    """Answer until the process is told to end. `ready` is called with the endpoint once it answers.

    `watcher` is told what clients load and commit. Past states that `rule` keeps no client may take away.

    Every request needs a client token; with `open_access`, programs on this machine need none. Port 0 takes a free one.
    Raises HostError MP-9023 when the port is taken or cannot be used, MP-9024 for an open door to other machines.
    """
    if open_access and host not in LOOPBACK:
        raise HostError(
            "MP-9024",
            f"an open gateway on {host} would let other machines change every table",
            next_step="serve on 127.0.0.1, or without --open",
        )
    if not host:
        raise HostError(
            "MP-9023",
            "the gateway cannot listen on an empty address: that would be every address of this machine",
            next_step="say --host 127.0.0.1, or --host 0.0.0.0 for other machines too",
        )
    listener = _listen(host, port)
    at = endpoint(host, listener.getsockname()[1])
    keeper = keeper_of(catalog)
    server = _Announcing(_config(application(catalog, keeper, open_access, watcher, rule)), lambda: ready(at))
    keeper.inherit()
    keeper.sweep()
    try:
        server.run([listener])
    finally:
        keeper.close()


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket that says it is TCP: else asyncio leaves Nagle's algorithm on, and answers take 40 ms."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError as taken:
        listener.close()
        raise HostError(
            "MP-9023",
            f"the gateway cannot listen on {host}:{port}: {taken.strerror}",
            next_step="choose another port with --port, or stop the program that uses this one",
        ) from taken
    return listener


def _config(application: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=int(_GRACE_S),
    )


class _Announcing(uvicorn.Server):
    """A server that says when it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def main_loop(self) -> None:
        """Answer until the process is told to end."""
        self._announce()
        await super().main_loop()


class _Server(uvicorn.Server):
    """A server that another thread ends, without the tenths of a second that uvicorn sleeps between looks."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.begun = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Tell the server to stop; from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended.set)

    async def main_loop(self) -> None:
        """Answer until `end` is called."""
        await self.on_tick(0)
        self._loop = asyncio.get_running_loop()
        self.begun.set()
        await self._ended.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, let those that are being answered end, and drop them after a grace period."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        last = time.monotonic() + _GRACE_S
        while (self.server_state.connections or self.server_state.tasks) and time.monotonic() < last:
            await asyncio.sleep(0.002)
