"""What `connect` prints for a lake of the tests, with the token put where it says."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from millpond.catalog.connections import Door, configuration
from millpond.core.names import TableName
from millpond.testing import TemporaryLake

ODD = TableName("silver", "it's odd")


@dataclass(frozen=True)
class Printed:
    """A lake, its door, and a token for it."""

    lake: TemporaryLake
    door: Door
    token: str

    def text(self, client: str) -> str:
        """What is printed for a client, with the token pasted where it is to be pasted."""
        return configuration(client, self.door).replace("paste the token here", self.token)

    def statement(self, client: str) -> str:
        """The statement that the first line says to try."""
        return self.text(client).splitlines()[0].partition("then: ")[2]


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
