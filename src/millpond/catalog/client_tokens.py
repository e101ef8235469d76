"""Tokens of outside clients, kept in the pointer store so that every gateway knows them and a revoked one ends at once.

A token is `mp-client-ID-SECRET`: the public ID finds its row, the secret of 256 random bits is compared in constant
time by its SHA-256, which is all that is kept. The secret is too long to be guessed, so a slow hash would add nothing.
For clients that log in by OAuth2 a token is exchanged for an access token, `mp-access-ID-SECRET`, which ends after an
hour and with the token that it came from.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, Table, and_, delete, insert, or_, select, update

from millpond.catalog.catalog import Catalog
from millpond.catalog.recording import from_micros, micros
from millpond.catalog.relations import access_tokens, client_tokens
from millpond.catalog.tokens import PREFIX
from millpond.core.errors import CatalogError
from millpond.core.names import closest
from millpond.core.records import frozen

READ, WRITE = "catalog:read", "catalog:write"
SCOPES = (READ, WRITE)

LIFE = timedelta(hours=1)
"""How long an access token is good."""

_CLIENT, _ACCESS = f"{PREFIX}client-", f"{PREFIX}access-"
_FORM = re.compile(rf"(?P<kind>{_CLIENT}|{_ACCESS})(?P<id>[0-9a-f]{{16}})-[0-9a-f]{{64}}\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._@-]{0,63}\Z")
_ANONYMOUS = "anonymous"

State = Literal["good", "revoked", "expired"]


@frozen
class ClientToken:
    """A token as it is listed; its secret is known to its holder only."""

    id: str
    name: str
    environment: str
    scope: str
    made_by: str
    made: datetime
    expires: datetime | None
    revoked: datetime | None

    def state(self, now: datetime) -> State:
        """Whether it is good at a moment."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "good"


@frozen
class Bearer:
    """Who holds a good token, and what it lets them do. `token` is the id of the token that `create` made."""

    token: str
    name: str
    environment: str
    scope: str

    @property
    def writes(self) -> bool:
        """Whether its holder may change tables."""
        return self.scope == WRITE


@frozen
class Access:
    """An access token as it is handed out, once. `seconds` is how long it is good."""

    token: str
    scope: str
    seconds: int


class ClientTokens:
    """The tokens of outside clients of one pointer store."""

    def __init__(self, catalog: Catalog) -> None:
        self._store = catalog.store
        self._environment = catalog.environment
        self._clock = catalog.clock

    def create(self, name: str, scope: str, made_by: str, life: timedelta | None = None) -> tuple[str, ClientToken]:
        """A new token for the catalog's environment: its text, which cannot be had again, and what is kept of it.

        Raises CatalogError MP-3090 for a name that cannot be one or a scope that is none, MP-3091 when a good token has
        the name.
        """
        if not _NAME.match(name) or name == _ANONYMOUS:
            raise CatalogError(
                "MP-3090",
                f"{name[:64]!r} cannot be the name of a token",
                next_step="use a letter, then up to 63 letters, digits and . _ @ -",
            )
        if scope not in SCOPES:
            raise CatalogError("MP-3090", f"{scope!r} is no scope", next_step=f"use {READ} or {WRITE}")
        now = self._clock.now()
        identity, text = _new(_CLIENT)
        row = {
            "id": identity,
            "name": name,
            "environment": self._environment,
            "scope": scope,
            "digest": _digest(text),
            "made_by": made_by,
            "made": micros(now),
            "expires": None if life is None else micros(now + life),
        }
        with self._store.write() as connection:
            if connection.execute(select(client_tokens.c.id).where(_good(name, micros(now)))).first() is not None:
                raise CatalogError(
                    "MP-3091",
                    f"a token named {name} is in use",
                    next_step=f"choose another name, or first `millpond token revoke {name}`",
                )
            connection.execute(insert(client_tokens).values(row))
            (made,) = _listed(connection, client_tokens.c.id == identity)
        return text, made

    def all(self) -> tuple[ClientToken, ...]:
        """Every token that was ever made, the newest first."""
        return self._store.ask(_listed)

    def revoke(self, name: str) -> ClientToken:
        """End a token, and what was given for it, from the next request on. Raises CatalogError MP-3092 for none."""
        now = micros(self._clock.now())
        with self._store.write() as connection:
            found = connection.scalar(select(client_tokens.c.id).where(_good(name, now)))
            if found is None:
                known = {token.name for token in _listed(connection) if token.state(self._clock.now()) == "good"}
                raise CatalogError(
                    "MP-3092",
                    f"no token in use is named {name}",
                    next_step="`millpond token list` shows them",
                    suggestion=closest(name, sorted(known)),
                )
            connection.execute(update(client_tokens).where(client_tokens.c.id == found).values(revoked=now))
            (revoked,) = _listed(connection, client_tokens.c.id == found)
        return revoked

    def resolve(self, text: str) -> Bearer:
        """Who holds a token. Asks the store each time, so that a revoked one is refused at once.

        Raises CatalogError MP-3019 for an unknown token, MP-3093 for a revoked and MP-3094 for an expired one, MP-3095
        for an access token whose hour is over.
        """
        return self._store.ask(lambda connection: self._resolve(connection, text))

    def access(self, text: str, client: str | None = None, scope: str = "") -> Access:
        """An access token in exchange for a token of either kind, as it is or with the wish for a smaller scope.

        `client` is the name that the holder says, None when it says none. Scopes that are not Millpond's are ignored.
        Raises as `resolve` does, also CatalogError MP-3019 for another client's name, MP-3014 for more than it may.
        """
        now = self._clock.now()
        with self._store.write() as connection:
            bearer = self._resolve(connection, text)
            if client is not None and client not in (bearer.name, bearer.token):
                raise _unknown()
            granted = _narrowed(bearer.scope, scope.split())
            token = connection.execute(select(client_tokens).where(client_tokens.c.id == bearer.token)).one()
            until = micros(now + LIFE) if token.expires is None else min(micros(now + LIFE), token.expires)
            identity, made = _new(_ACCESS)
            connection.execute(delete(access_tokens).where(access_tokens.c.expires <= micros(now - LIFE)))
            row = {"id": identity, "client_token": bearer.token, "scope": granted, "expires": until}
            connection.execute(insert(access_tokens).values(row | {"digest": _digest(made)}))
        return Access(made, granted, max(1, (until - micros(now)) // 1_000_000))

    def _resolve(self, connection: Connection, text: str) -> Bearer:
        form = _FORM.match(text)
        is_access = form is not None and form["kind"] == _ACCESS
        source = access_tokens if is_access else client_tokens
        row = _row(connection, source, form["id"] if form is not None else "")
        # Without a row something is compared all the same, so that both take the same time.
        same = hmac.compare_digest(_digest(text), row.digest if row is not None else _digest(""))
        if row is None or not same:
            raise _unknown()
        now = micros(self._clock.now())
        token = _row(connection, client_tokens, row.client_token) if is_access else row
        if token is None:
            raise _unknown()
        self._check(token, now)
        if is_access and row.expires <= now:
            raise CatalogError(
                "MP-3095", "the access token has timed out", next_step="log in again for a new one, as clients do"
            )
        return Bearer(token.id, token.name, token.environment, row.scope)

    @staticmethod
    def _check(token: Row[Any], now: int) -> None:
        if token.revoked is not None:
            raise CatalogError(
                "MP-3093", "the token has been revoked", next_step="ask for a new one: `millpond token create NAME`"
            )
        if token.expires is not None and token.expires <= now:
            raise CatalogError(
                "MP-3094", "the token has expired", next_step="ask for a new one: `millpond token create NAME`"
            )


def is_client_token(text: str) -> bool:
    """Whether a bearer token is of the form that outside clients hold."""
    return text.startswith((_CLIENT, _ACCESS))


def _new(kind: str) -> tuple[str, str]:
    """The public part of a new token, and the whole of it."""
    identity = secrets.token_hex(8)
    return identity, f"{kind}{identity}-{secrets.token_hex(32)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _row(connection: Connection, table: Table, identity: str) -> Row[Any] | None:
    return connection.execute(select(table).where(table.c.id == identity)).first()


def _good(name: str, now: int) -> Any:
    unexpired = or_(client_tokens.c.expires.is_(None), client_tokens.c.expires > now)
    return and_(client_tokens.c.name == name, client_tokens.c.revoked.is_(None), unexpired)


def _listed(connection: Connection, *where: Any) -> tuple[ClientToken, ...]:
    query = select(client_tokens).where(*where).order_by(client_tokens.c.made.desc(), client_tokens.c.id)
    return tuple(
        ClientToken(
            row.id,
            row.name,
            row.environment,
            row.scope,
            row.made_by,
            from_micros(row.made),
            None if row.expires is None else from_micros(row.expires),
            None if row.revoked is None else from_micros(row.revoked),
        )
        for row in connection.execute(query)
    )


def _narrowed(scope: str, wished: Sequence[str]) -> str:
    """What a client gets that wishes for scopes: all that its token has, unless it names less."""
    known = [word for word in wished if word in SCOPES]
    if WRITE in known and scope != WRITE:
        raise CatalogError("MP-3014", f"this token has the scope {scope} only", next_step=f"ask for {scope}")
    return READ if known and WRITE not in known else scope


def _unknown() -> CatalogError:
    return CatalogError(
        "MP-3019",
        "the bearer token is missing or unknown",
        next_step="`millpond token create NAME` makes one",
    )
