"""A TCP proxy that cuts a connection at a chosen moment of what passes through it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

Side = Literal["both", "client"]


@dataclass
class Cut:
    """After `left` further pieces, in either direction, the connection is cut instead of passing on the next one.

    `client`: only the client's side ends at once, and what it sent last still reaches the server, `late` seconds
    later; the server is not told that the client is gone.
    """

    left: int
    side: Side = "both"
    late: float = 0.0
    done: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> bool:
        """Count one piece; whether it is the one to cut at."""
        with self.lock:
            if self.done:
                return False
            self.left -= 1
            self.done = self.left < 0
            return self.done


class Wire:
    """Use as a context manager: inside, `port` leads to the server's `target`, through the `cut` of the moment."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.cut: Cut | None = None
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Wire:
        self._start(self._accept)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _end(self._listener)
        for side in list(self._open):
            _end(side)
        for thread in list(self._threads):
            thread.join(10)

    def refuse(self) -> None:
        """Take no new connections from now on."""
        _end(self._listener)

    def _start(self, work: object, *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    _end(client)
                    continue
                self._open += [client, server]
                self._start(self._pump, client, server, True)
                self._start(self._pump, server, client, False)

    def _pump(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                cut = self.cut
                if cut is None or not cut.now():
                    sink.sendall(piece)
                    continue
                client, server = (source, sink) if from_client else (sink, source)
                _end(client)
                if cut.side == "both":
                    _end(server)
                elif from_client:
                    threading.Event().wait(cut.late)
                    server.sendall(piece)
                return
        if self.cut is None or self.cut.side == "both" or not self.cut.done:
            _end(source)
            _end(sink)


def _end(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
