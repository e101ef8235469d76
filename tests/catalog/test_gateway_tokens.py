"""The gateway asks outside clients for a token: stock clients, and requests by hand."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from typing import Any

import duckdb
import httpx
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, OAuthError, UnauthorizedError

from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.client_tokens import READ, WRITE, ClientTokens
from millpond.catalog.gateway import oauth
from millpond.catalog.gateway.server import Gateway
from millpond.core.names import TableName

from .clients import attach, loaded_duckdb, rows, step

TABLE = TableName("s", "t")
ROWS = pa.table({"id": [1, 2]})


@pytest.fixture
def guarded(catalog: Catalog) -> Iterator[str]:
    """The endpoint of a gateway that outside clients reach with a token only."""
    gateway = Gateway(catalog, outside=True)
    yield gateway.start()
    gateway.stop()


@pytest.fixture
def tokens(catalog: Catalog) -> ClientTokens:
    return ClientTokens(catalog)


@pytest.fixture
def writer(tokens: ClientTokens) -> str:
    return tokens.create("spark", WRITE, "owner")[0]


@pytest.fixture
def reader(tokens: ClientTokens) -> str:
    return tokens.create("dashboard", READ, "owner")[0]


def iceberg(endpoint: str, **words: str) -> Any:
    """PyIceberg at an endpoint."""
    if "credential" in words:
        words["oauth2-server-uri"] = f"{endpoint}/v1/oauth/tokens"
    return load_catalog("lake", type="rest", uri=endpoint, warehouse="prod", **words)


def login(endpoint: str, headers: dict[str, str] | None = None, **form: str) -> httpx.Response:
    """A request of the token endpoint."""
    return httpx.post(f"{endpoint}/v1/oauth/tokens", data=form, headers=headers)


def basic(name: str, secret: str) -> dict[str, str]:
    """HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def asked(endpoint: str, token: str | None) -> httpx.Response:
    """A request for the namespaces with a token."""
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    return httpx.get(f"{endpoint}/v1/prod/namespaces", headers=headers)


@pytest.mark.parametrize("way", ["token", "credential", "bare credential"])
def test_pyiceberg_writes_under_the_name_of_its_token(way: str, guarded: str, catalog: Catalog, writer: str) -> None:
    """With `token`, and with `credential` by the token endpoint, as `name:token` or the token alone."""
    words = {"token": {"token": writer}, "credential": {"credential": f"spark:{writer}"}}
    client = iceberg(guarded, **words.get(way, {"credential": writer}))
    client.create_namespace("s")
    client.create_table("s.t", ROWS.schema).append(ROWS)
    assert client.load_table("s.t").scan().to_arrow().num_rows == 2
    assert {record.principal for record in catalog.history(TABLE)} == {"spark"}


def test_pyiceberg_finds_the_token_endpoint_by_itself(guarded: str, writer: str) -> None:
    """It lies where clients look for it that were not told, although they warn of that."""
    with pytest.warns(DeprecationWarning, match="OAuth2 server URI"):
        client: Any = load_catalog("lake", type="rest", uri=guarded, credential=f"spark:{writer}")
    assert client.list_namespaces() == []


@pytest.mark.parametrize("way", ["TOKEN", "CLIENT_ID", "secret"])
def test_duckdb_writes_under_the_name_of_its_token(way: str, guarded: str, catalog: Catalog, writer: str) -> None:
    """With TOKEN, with CLIENT_ID and CLIENT_SECRET, and with a secret that names the token endpoint."""
    iceberg(guarded, token=writer).create_namespace("s")
    duck = loaded_duckdb()
    server = f"OAUTH2_SERVER_URI '{guarded}/v1/oauth/tokens'"
    if way == "TOKEN":
        attach(duck, guarded, writer)
    elif way == "CLIENT_ID":
        duck.execute(
            f"ATTACH 'prod' AS lake (TYPE iceberg, ENDPOINT '{guarded}', CLIENT_ID 'spark', CLIENT_SECRET '{writer}',"
            f" {server})"
        )
    else:
        duck.execute(f"CREATE SECRET login (TYPE iceberg, CLIENT_ID 'spark', CLIENT_SECRET '{writer}', {server})")
        duck.execute(f"ATTACH 'prod' AS lake (TYPE iceberg, ENDPOINT '{guarded}', SECRET login)")
    duck.execute("CREATE TABLE lake.s.t AS SELECT range AS id FROM range(3)")
    assert rows(duck, "SELECT count(*) FROM lake.s.t") == [(3,)]
    duck.close()
    assert {record.principal for record in catalog.history(TABLE)} == {"spark"}


def test_clients_log_in_again_when_their_hour_is_over(guarded: str, catalog: Catalog, writer: str) -> None:
    """PyIceberg and DuckDB do it by themselves, in the middle of their work."""
    client = iceberg(guarded, credential=f"spark:{writer}")
    client.create_namespace("s")
    client.create_table("s.t", ROWS.schema).append(ROWS)
    duck = loaded_duckdb()
    duck.execute(
        f"ATTACH 'prod' AS lake (TYPE iceberg, ENDPOINT '{guarded}', CLIENT_ID 'spark', CLIENT_SECRET '{writer}',"
        f" OAUTH2_SERVER_URI '{guarded}/v1/oauth/tokens')"
    )
    with catalog.store.write() as connection:
        connection.exec_driver_sql("UPDATE access_tokens SET expires = 1")
    assert client.load_table("s.t").scan().to_arrow().num_rows == 2
    with catalog.store.write() as connection:
        connection.exec_driver_sql("UPDATE access_tokens SET expires = 1")
    assert rows(duck, "SELECT count(*) FROM lake.s.t") == [(2,)]
    duck.close()


def test_stock_clients_understand_what_is_refused(guarded: str, tokens: ClientTokens, writer: str, reader: str) -> None:
    """No token, a wrong one, one that only reads, and one that was revoked while the client was at work."""
    with pytest.raises(UnauthorizedError, match="missing or unknown"):
        iceberg(guarded)
    with pytest.raises(UnauthorizedError, match="missing or unknown"):
        iceberg(guarded, token=writer[:-4] + "beef")
    with pytest.raises(OAuthError, match="invalid_client"):
        iceberg(guarded, credential="spark:wrong")
    owner, looker = iceberg(guarded, token=writer), iceberg(guarded, credential=f"dashboard:{reader}")
    owner.create_namespace("s")
    owner.create_table("s.t", ROWS.schema)
    table = looker.load_table("s.t")
    with pytest.raises(ForbiddenError, match="only reads"):
        table.append(ROWS)
    with pytest.raises(ForbiddenError, match="only reads"):
        looker.drop_table("s.t")
    tokens.revoke("dashboard")
    with pytest.raises(OAuthError, match="revoked"):  # it hears 401, logs in again, and is told
        looker.load_table("s.t")
    with pytest.raises(OAuthError, match="revoked"):
        iceberg(guarded, credential=f"dashboard:{reader}")


def test_duckdb_understands_what_is_refused(guarded: str, tokens: ClientTokens, reader: str, writer: str) -> None:
    """A wrong credential, and a write with a token that only reads: the table stays as it was."""
    owner = iceberg(guarded, token=writer)
    owner.create_namespace("s")
    owner.create_table("s.t", ROWS.schema).append(ROWS)
    duck = loaded_duckdb()
    with pytest.raises(duckdb.Error, match="401"):
        attach(duck, guarded, "mp-client-wrong")
    attach(duck, guarded, reader)
    assert rows(duck, "SELECT count(*) FROM lake.s.t") == [(2,)]
    with pytest.raises(duckdb.Error, match="only reads"):
        duck.execute("INSERT INTO lake.s.t VALUES (3)")
    duck.close()
    assert owner.load_table("s.t").scan().to_arrow().num_rows == 2


def test_who_has_no_good_token_hears_why(guarded: str, tokens: ClientTokens, writer: str) -> None:
    """Status 401 in the one shape of errors, with a challenge."""
    tokens.create("late", WRITE, "owner")
    for token in (None, "None", "x", "mp-client-x", writer[:-1]):
        answer = asked(guarded, token)
        error = answer.json()["error"]
        assert (answer.status_code, error["type"], error["code"]) == (401, "NotAuthorizedException", 401)
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="millpond"'
    assert asked(guarded, writer).status_code == 200
    tokens.revoke("spark")
    answer = asked(guarded, writer)
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "the token has been revoked")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert httpx.get(f"{guarded}/v1/config").status_code == 401


def test_a_token_is_for_one_environment(guarded: str, catalog: Catalog, writer: str) -> None:
    """The configuration names it, whatever the client asks for; another prefix is refused."""
    in_environment(catalog, "dev").begin("a").publish(step("a"))
    headers = {"Authorization": f"Bearer {writer}"}
    for wanted in ("prod", "dev", "lake"):
        config = httpx.get(f"{guarded}/v1/config", params={"warehouse": wanted}, headers=headers).json()
        assert config["overrides"] == {"prefix": "prod"}
    assert httpx.get(f"{guarded}/v1/dev/namespaces", headers=headers).status_code == 403


def test_an_open_gateway_knows_tokens_too(open_door: str, catalog: Catalog, reader: str, writer: str) -> None:
    """Who shows a token has its rights and its name; a bad one is not taken for no token."""
    headers = {"Authorization": f"Bearer {reader}"}
    made = httpx.post(f"{open_door}/v1/prod/namespaces", json={"namespace": ["s"]}, headers=headers)
    assert made.status_code == 403
    assert asked(open_door, writer[:-1]).status_code == 401
    iceberg(open_door).create_namespace("s")
    iceberg(open_door, token=writer).create_table("s.t", ROWS.schema)
    assert catalog.history(TABLE)[0].principal == "spark"


def test_a_login_answers_as_the_specification_says(guarded: str, writer: str) -> None:
    """In the form, as HTTP Basic, with and without a name; nobody may keep the answer."""
    ways = [
        login(guarded, grant_type="client_credentials", client_id="spark", client_secret=writer, scope="catalog"),
        login(guarded, grant_type="client_credentials", client_secret=writer),
        login(guarded, basic("spark", writer), grant_type="client_credentials"),
        login(guarded, basic("", writer), grant_type="client_credentials"),
    ]
    for answer in ways:
        content = answer.json()
        assert answer.status_code == 200
        assert (content["token_type"], content["expires_in"], content["scope"]) == ("bearer", 3600, WRITE)
        assert content["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
        assert answer.headers["Cache-Control"] == "no-store"
        assert asked(guarded, content["access_token"]).status_code == 200


def test_a_token_is_renewed_by_exchange(guarded: str, writer: str) -> None:
    """With the old token as bearer, or with the credential once the old one is over."""
    words = {"grant_type": oauth.EXCHANGE, "subject_token_type": oauth.ACCESS_TOKEN, "scope": "catalog"}
    old = login(guarded, grant_type="client_credentials", client_secret=writer).json()["access_token"]
    bearer = {"Authorization": f"Bearer {old}"}
    for headers, subject in ((bearer, old), (bearer, writer), ({}, old), (basic("spark", writer), "timed out")):
        answer = login(guarded, headers, subject_token=subject, **words)
        assert asked(guarded, answer.json()["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "word"),
    [
        ({}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, 400, "invalid_request"),
        ({"grant_type": "client_credentials", "client_secret": "x"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "b", "client_secret": "GOOD"}, 401, "invalid_client"),
        ({"grant_type": "client_credentials", "client_secret": "READ", "scope": WRITE}, 400, "invalid_scope"),
        ({"grant_type": oauth.EXCHANGE}, 400, "invalid_request"),
        ({"grant_type": oauth.EXCHANGE, "subject_token": "GOOD", "subject_token_type": "jwt"}, 400, "invalid_request"),
        ({"grant_type": oauth.EXCHANGE, "subject_token": "x"}, 401, "invalid_client"),
    ],
)
def test_a_bad_login_is_refused_in_the_shape_of_oauth(
    form: dict[str, str], status: int, word: str, guarded: str, writer: str, reader: str
) -> None:
    """An error word and a sentence, and never a token."""
    secrets = {"GOOD": writer, "READ": reader}
    answer = login(guarded, **{key: secrets.get(value, value) for key, value in form.items()})
    assert (answer.status_code, answer.json()["error"]) == (status, word)
    assert not any(secret in answer.text for secret in secrets.values())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xfe", {}),
        (b"grant_type=client_credentials&grant_type=client_credentials&client_secret=x", {}),
        (b"&".join(b"a%d=1" % number for number in range(100)), {}),
        (b"grant_type=client_credentials", {"Authorization": "Basic ***"}),
        (b"grant_type=client_credentials", {"Authorization": "Basic /w=="}),
    ],
)
def test_a_login_that_cannot_be_read_is_refused(body: bytes, headers: dict[str, str], guarded: str) -> None:
    """Bytes that are no form, a field twice, too many fields, a header that is no Basic."""
    answer = httpx.post(f"{guarded}/v1/oauth/tokens", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_no_token_is_ever_logged(
    guarded: str, writer: str, reader: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not when it is good, not when it is refused, and not when the gateway itself fails."""
    caplog.set_level(logging.DEBUG)
    asked(guarded, writer)
    asked(guarded, reader[:-1])
    access = login(guarded, grant_type="client_credentials", client_secret=writer).json()["access_token"]

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ClientTokens, "access", fail)
    monkeypatch.setattr(ClientTokens, "resolve", fail)
    assert login(guarded, grant_type="client_credentials", client_secret=writer).status_code == 400
    assert asked(guarded, access).status_code == 400
    assert "ZeroDivisionError" in caplog.text
    assert not any(secret[-64:] in caplog.text for secret in (writer, reader, access))


def keyed(token: str) -> dict[str, str]:
    """The headers of a request with a token and the same key each time."""
    return {"Authorization": f"Bearer {token}", "Idempotency-Key": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"}


def test_the_key_of_a_write_is_none_for_a_token_that_reads(guarded: str, writer: str, reader: str) -> None:
    """It hears what it hears of every write, and not what the writer was answered."""
    body = {"namespace": ["s"], "properties": {"secret": "place"}}
    assert httpx.post(f"{guarded}/v1/prod/namespaces", json=body, headers=keyed(writer)).status_code == 200
    answer = httpx.post(f"{guarded}/v1/prod/namespaces", json=body, headers=keyed(reader))
    assert answer.status_code == 403
    assert "place" not in answer.text
    assert httpx.post(f"{guarded}/v1/prod/namespaces", json=body, headers=keyed(writer)).status_code == 200


@pytest.mark.parametrize("with_key", [False, True])
def test_the_same_request_of_another_client_is_another_request(
    guarded: str, writer: str, tokens: ClientTokens, catalog: Catalog, with_key: bool
) -> None:
    """A repeat is by the client that asked first; each client's change is a commit of its own."""
    other = tokens.create("trino", WRITE, "owner")[0]
    iceberg(guarded, token=writer).create_namespace("s")
    iceberg(guarded, token=writer).create_table("s.t", ROWS.schema)
    body = {"updates": [{"action": "set-properties", "updates": {"a": "b"}}]}
    head = catalog.head()
    for token in (writer, other, writer, other):
        headers = keyed(token) if with_key else {"Authorization": f"Bearer {token}"}
        answer = httpx.post(f"{guarded}/v1/prod/namespaces/s/tables/t", json=body, headers=headers)
        assert answer.status_code == 200
    principals = [commit.principal for commit in catalog.history(limit=catalog.head() - head)]
    assert principals[-2:] == ["trino", "spark"]
    assert len(principals) == (2 if with_key else 4)
