"""Tokens of outside clients: how they are made, known, narrowed and ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from millpond.catalog.cache import MetadataCache
from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.client_tokens import READ, WRITE, Bearer, ClientTokens
from millpond.catalog.tokens import Tokens
from millpond.core.errors import CatalogError
from millpond.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def timed(catalog: Catalog, clock: FakeClock) -> Catalog:
    """The catalog by a clock that stands still."""
    return Catalog(catalog.store, catalog.warehouse, "prod", clock, Tokens(), MetadataCache())


@pytest.fixture
def tokens(timed: Catalog) -> ClientTokens:
    return ClientTokens(timed)


def code(tokens: ClientTokens, token: str) -> str:
    """The code by which a token is refused."""
    with pytest.raises(CatalogError) as refused:
        tokens.resolve(token)
    assert len(token) < 64 or token[-64:] not in str(refused.value) + refused.value.finding.next_step
    return refused.value.code


def test_a_token_is_known_by_what_it_was_made_for(timed: Catalog, tokens: ClientTokens) -> None:
    """Name, environment and scope; each token is another one."""
    secret, made = tokens.create("spark", WRITE, "owner")
    dev, _ = ClientTokens(in_environment(timed, "dev")).create("duck", READ, "owner")
    assert tokens.resolve(secret) == Bearer(made.id, "spark", "prod", WRITE)
    assert (tokens.resolve(dev).environment, tokens.resolve(dev).writes) == ("dev", False)
    assert len(set(secret[-64:]) & set("0123456789abcdef")) > 8
    assert secret.startswith(f"mp-client-{made.id}-")


def test_only_a_hash_is_kept(catalog: Catalog, tokens: ClientTokens) -> None:
    """Neither the token nor its secret stands anywhere in the store."""
    secret, _ = tokens.create("spark", WRITE, "owner")
    access = tokens.access(secret).token
    with catalog.store.read() as connection:
        rows = [*connection.execute(text("SELECT * FROM client_tokens"))]
        rows += connection.execute(text("SELECT * FROM access_tokens"))
    assert len(rows) == 2
    assert not any(part[-64:] in str(rows) for part in (secret, access))


def test_a_wrong_token_is_unknown_whatever_is_wrong(tokens: ClientTokens) -> None:
    """The secret decides; knowing the public part is worth nothing."""
    secret, made = tokens.create("spark", WRITE, "owner")
    flipped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    other, _ = tokens.create("other", WRITE, "owner")
    swapped = f"mp-client-{made.id}-{other[-64:]}"
    as_access = secret.replace("client", "access")
    for wrong in (
        flipped,
        swapped,
        as_access,
        secret + "0",
        secret.upper(),
        "mp-client-",
        "",
        "mp-client-\udcff",
        "x" * 9999,
    ):
        assert code(tokens, wrong) == "MP-3019"


def test_a_revoked_token_ends_at_once_with_all_that_came_of_it(catalog: Catalog, tokens: ClientTokens) -> None:
    """Also for another process that has the store open; the name is free again, and its history stays."""
    secret, _ = tokens.create("spark", WRITE, "owner")
    access = tokens.access(secret).token
    renewed = tokens.access(access).token
    elsewhere = ClientTokens(catalog)
    assert elsewhere.revoke("spark").state(catalog.clock.now()) == "revoked"
    assert {code(tokens, token) for token in (secret, access, renewed)} == {"MP-3093"}
    again, _ = tokens.create("spark", READ, "owner")
    assert tokens.resolve(again).scope == READ
    assert sorted(token.state(catalog.clock.now()) for token in tokens.all()) == ["good", "revoked"]


def test_an_expired_token_ends_with_all_that_came_of_it(tokens: ClientTokens, clock: FakeClock) -> None:
    """To the moment; an access token never outlives the token that it came from."""
    secret, _ = tokens.create("spark", WRITE, "owner", timedelta(minutes=90))
    clock.advance(minutes=60)
    access = tokens.access(secret)
    assert access.seconds == 30 * 60
    clock.advance(minutes=29, seconds=59)
    assert tokens.resolve(access.token).name == "spark"
    clock.advance(seconds=1)
    assert code(tokens, secret) == code(tokens, access.token) == "MP-3094"
    assert tokens.create("spark", WRITE, "owner")[1].expires is None


def test_an_access_token_is_good_for_an_hour_and_can_be_renewed(tokens: ClientTokens, clock: FakeClock) -> None:
    """What is over cannot be renewed; the token that it came from still can."""
    secret, made = tokens.create("spark", WRITE, "owner")
    first = tokens.access(secret, "spark")
    assert (first.seconds, first.scope) == (3600, WRITE)
    assert tokens.resolve(first.token) == Bearer(made.id, "spark", "prod", WRITE)
    clock.advance(minutes=59)
    second = tokens.access(first.token)
    clock.advance(minutes=1)
    assert code(tokens, first.token) == "MP-3095"
    assert tokens.resolve(second.token).name == "spark"
    with pytest.raises(CatalogError) as over:
        tokens.access(first.token)
    assert over.value.code == "MP-3095"
    assert tokens.resolve(tokens.access(secret).token).name == "spark"


def test_a_scope_only_narrows(tokens: ClientTokens) -> None:
    """Scopes of other catalogs are passed over; more than the token has is refused, also after narrowing."""
    writer, _ = tokens.create("writer", WRITE, "owner")
    reader, _ = tokens.create("reader", READ, "owner")
    wishes = {"": WRITE, "catalog": WRITE, "PRINCIPAL_ROLE:ALL": WRITE, READ: READ, f"{READ} {WRITE}": WRITE}
    assert {wish: tokens.access(writer, scope=wish).scope for wish in wishes} == wishes
    narrow = tokens.access(writer, scope=READ).token
    for less in (reader, narrow):
        assert tokens.access(less, scope="catalog").scope == READ
        with pytest.raises(CatalogError) as more:
            tokens.access(less, scope=WRITE)
        assert more.value.code == "MP-3014"


def test_a_credential_has_the_name_of_its_token(tokens: ClientTokens) -> None:
    """The token's public part will do too; another client's name does not."""
    secret, made = tokens.create("spark", WRITE, "owner")
    tokens.create("other", WRITE, "owner")
    assert tokens.access(secret, made.id).scope == WRITE
    with pytest.raises(CatalogError) as other:
        tokens.access(secret, "other")
    assert other.value.code == "MP-3019"


def test_a_name_has_one_good_token(tokens: ClientTokens) -> None:
    """So that revoking says which."""
    tokens.create("spark", WRITE, "owner")
    with pytest.raises(CatalogError) as taken:
        tokens.create("spark", READ, "owner")
    assert taken.value.code == "MP-3091"
    with pytest.raises(CatalogError) as unknown:
        tokens.revoke("sparc")
    assert (unknown.value.code, unknown.value.finding.suggestion) == ("MP-3092", "spark")


@pytest.mark.parametrize(
    ("name", "scope"), [("", READ), ("1st", READ), ("a b", READ), ("anonymous", READ), ("a" * 65, READ), ("a", "admin")]
)
def test_what_cannot_be_a_token_is_refused(name: str, scope: str, tokens: ClientTokens) -> None:
    """A name is fit to stand in history; a scope is one of two."""
    with pytest.raises(CatalogError) as refused:
        tokens.create(name, scope, "owner")
    assert refused.value.code == "MP-3090"
