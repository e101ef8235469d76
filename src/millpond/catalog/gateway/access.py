"""Who is asking: a token's stage, or, where the door is open, anyone on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import TypeVar

from millpond.catalog import namespaces, records
from millpond.catalog.catalog import Catalog, Grant, in_environment, open_stage
from millpond.catalog.client_tokens import Bearer, ClientTokens, is_client_token
from millpond.catalog.commits import EXTERNAL, Commit
from millpond.catalog.keeper import Keeper
from millpond.catalog.staging import Stage
from millpond.catalog.tokens import PREFIX
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.names import LAYERS, QUARANTINE, STATE, TableName
from millpond.core.records import frozen
from millpond.core.retry import Backoff, retry

T = TypeVar("T")

ANONYMOUS = "anonymous"
_BACKOFF = Backoff(tries=6, first=0.005, most=0.2)
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})


class _OvertakenError(Exception):
    """Another commit came between the look at a pointer and its swap."""

    def __init__(self, conflict: ConflictError) -> None:
        super().__init__(str(conflict))
        self.conflict = conflict


@frozen
class Seat:
    """What one request may see and do.

    A `direct` seat publishes each change at once, as a commit of its own; else changes are staged under the token.
    """

    catalog: Catalog
    stage: Stage
    writes: bool
    direct: bool
    identity: str
    keeper: Keeper | None = None
    principal: str = ANONYMOUS
    bound: bool = True
    """Whether the caller may see one environment only."""
    step_key: str = ""
    commits: list[int] = field(default_factory=list)
    """The numbers of the commits that this request has made."""
    client: str = ""

    def change(self, work: Callable[[Stage], T]) -> T:
        """Make a change. Raises CatalogError MP-3014 when this seat only reads.

        A direct change that another commit overtakes while it is being published is made again on what is there then:
        what the client says must hold is judged anew.
        """
        self.check_writes()
        if not self.direct:
            return work(self.stage)
        try:
            return retry(lambda attempt: self._published(work, attempt), on=_OvertakenError, backoff=_BACKOFF)
        except _OvertakenError as overtaken:
            raise overtaken.conflict from overtaken

    def _published(self, work: Callable[[Stage], T], attempt: int) -> T:
        stage = self.stage
        if attempt:
            stage = open_stage(self.catalog, "", self.catalog.head(), self.client, self.keeper)
        result = work(stage)
        if not stage.changed():
            stage.discard()
            return result
        try:
            commit = Commit(self.step_key, EXTERNAL, self.principal, makes_namespaces=False)
            self.commits.append(stage.publish(commit).number)
        except ConflictError as conflict:
            stage.discard()
            raise _OvertakenError(conflict) from conflict
        return result

    def repeated(self, names: Iterable[TableName]) -> None:
        """Note that a client asked again for what is in these tables already."""
        if self.keeper is not None:
            for name in names:
                entry = self.stage.find(name)
                if entry is not None:
                    self.keeper.repeated(entry.location)

    def check_writes(self) -> None:
        """Pass when this seat may write. Raises CatalogError MP-3014 otherwise."""
        if not self.writes:
            raise CatalogError(
                "MP-3014",
                "this token only reads",
                next_step="use a token with the scope catalog:write, or write through a model",
            )

    def namespaces(self) -> tuple[str, ...]:
        """Every namespace, but for outside clients that of side tables.

        A step always sees the layers, which are made when it publishes.
        """
        with self.catalog.store.read() as connection:
            known = set(namespaces.names(connection, self.catalog.environment))
        if self.direct:
            known.discard(STATE)
        else:
            known.update(LAYERS, (QUARANTINE, STATE), (entry.name.layer for entry in self.stage.tables()))
        return tuple(sorted(known))

    def may_hold(self, namespace: str) -> bool:
        """Whether a table can be made in a namespace."""
        return not self.direct or namespace in self.namespaces()


class Door:
    """Finds the seat of each request. An open door lets programs on this machine in without a token.

    With a `keeper`, files of direct commits are held until their clients have heard the answer.
    """

    def __init__(self, catalog: Catalog, keeper: Keeper | None, open_access: bool) -> None:
        self._catalog = catalog
        self._keeper = keeper
        self._open = open_access
        self.clients = ClientTokens(catalog)

    def seat(self, headers: Mapping[str, str], prefix: str | None) -> Seat:
        """The seat of a caller.

        Raises CatalogError MP-3019 without a known token, MP-3093 to MP-3095 with one that is no longer good, MP-3014
        for another's environment.
        """
        token = bearer(headers)
        grant = self._catalog.tokens.resolve(token) if token else None
        if grant is not None and token is not None:
            return self._granted(grant, token, prefix)
        if token is not None and is_client_token(token):
            return self._outside(self.clients.resolve(token), headers, prefix)
        if not self._open or (token is not None and token.startswith(PREFIX)):
            raise CatalogError(
                "MP-3019",
                "the bearer token is missing or unknown",
                next_step="`millpond token create NAME` makes one",
            )
        _check_local(headers)
        catalog = in_environment(self._catalog, self.environment(prefix, strict=True))
        stage = open_stage(catalog, "", catalog.head(), _client(headers), self._keeper)
        name = catalog.environment
        client = _client(headers)
        return Seat(catalog, stage, True, True, identity=name, keeper=self._keeper, bound=False, client=client)

    def environment(self, asked: str | None, strict: bool = False) -> str:
        """The environment that a client means: the one it names when there is such a one, else this gateway's.

        With `strict`, raises CatalogError MP-3021 for a name that no environment has.
        """
        own = self._catalog.environment
        if asked is None or asked == own:
            return own
        with self._catalog.store.read() as connection:
            known = records.environments(connection)
        if asked in known:
            return asked
        if strict:
            raise CatalogError("MP-3021", f"no environment is named {asked!r}", next_step=f"use {own!r}")
        return own

    def _granted(self, grant: Grant, token: str, prefix: str | None) -> Seat:
        stage = grant.stage
        _check_environment(stage.environment, prefix)
        catalog = in_environment(self._catalog, stage.environment)
        return Seat(catalog, stage, grant.writes, direct=False, identity=token)

    def _outside(self, holder: Bearer, headers: Mapping[str, str], prefix: str | None) -> Seat:
        _check_environment(holder.environment, prefix)
        catalog = in_environment(self._catalog, holder.environment)
        stage = open_stage(catalog, "", catalog.head(), _client(headers), self._keeper)
        return Seat(
            catalog,
            stage,
            holder.writes,
            direct=True,
            identity=f"{holder.environment} {holder.token}",
            keeper=self._keeper,
            principal=holder.name,
            client=_client(headers),
        )


def _check_environment(own: str, asked: str | None) -> None:
    if asked is not None and asked != own:
        raise CatalogError(
            "MP-3014",
            f"this token is for the environment {own!r}, not {asked!r}",
            next_step=f"attach as {own!r}",
        )


def bearer(headers: Mapping[str, str]) -> str | None:
    """The bearer token; None without one, or for the word None, which one client sends when it has no token."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and token not in ("", "None") else None


def _check_local(headers: Mapping[str, str]) -> None:
    """Keep pages in a browser out of an open door: they send an origin, or another name for this machine."""
    host = headers.get("host", "localhost")
    name = host if host.startswith("[") and host.endswith("]") else host.rpartition(":")[0] or host
    if "origin" in headers or name.lower() not in _LOCAL_HOSTS:
        raise CatalogError(
            "MP-3014",
            "an open gateway answers programs on this machine only",
            next_step="connect to 127.0.0.1 or localhost, and not from a web page",
        )


def _client(headers: Mapping[str, str]) -> str:
    agent = "".join(letter for letter in headers.get("user-agent", "") if letter.isprintable())
    return agent[:200] or "unknown"
