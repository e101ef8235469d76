"""Bearer tokens: who may see what through the gateway. Kept in memory as hashes and gone with the process."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from typing import Generic, TypeVar

T = TypeVar("T")

PREFIX = "mp-"
"""Every token of Millpond's begins so, so that an expired one is never taken for an anonymous caller."""


class Tokens(Generic[T]):
    """The tokens that are good now, each with what it stands for."""

    def __init__(self) -> None:
        self._grants: dict[bytes, T] = {}
        self._lock = threading.Lock()

    def issue(self, grant: T) -> str:
        """A new token of 256 random bits that stands for `grant`."""
        token = PREFIX + secrets.token_urlsafe(32)
        with self._lock:
            self._grants[_digest(token)] = grant
        return token

    def resolve(self, token: str) -> T | None:
        """What a token stands for; None for one that is unknown or was revoked. Takes the same time for each."""
        wanted = _digest(token)
        found: T | None = None
        with self._lock:
            for digest, grant in self._grants.items():
                if hmac.compare_digest(digest, wanted):
                    found = grant
        return found

    def grants(self) -> tuple[T, ...]:
        """What the tokens that are good now stand for."""
        with self._lock:
            return tuple(self._grants.values())

    def revoke(self, token: str) -> None:
        """Forget a token; one that is not known is no error."""
        with self._lock:
            self._grants.pop(_digest(token), None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
