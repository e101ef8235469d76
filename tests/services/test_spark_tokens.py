"""Spark with a token, and with a credential that it changes for a token at the gateway."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from millpond.catalog.client_tokens import READ, WRITE, ClientTokens
from millpond.catalog.gateway.server import Gateway
from millpond.core.names import TableName
from millpond.testing import FakeClock, TemporaryLake, temporary_lake
from tests.services.spark import settings

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

_names = count(1)


@pytest.fixture
def lake() -> Iterator[TemporaryLake]:
    """A lake by a clock that the test moves."""
    with temporary_lake({"millpond.yaml": "version: 1\nname: held\n"}, clock=FakeClock(datetime.now(UTC))) as made:
        yield made


@pytest.fixture
def endpoint(lake: TemporaryLake) -> Iterator[str]:
    """A gateway that asks for tokens."""
    gateway = Gateway(lake.lakehouse.catalog, outside=True)
    yield gateway.start()
    gateway.stop()


def catalog(spark: Any, endpoint: str, **words: str) -> str:
    """A catalog of the session with these properties; its name."""
    name = f"held{next(_names)}"
    for key, value in settings(endpoint).items():
        if key.startswith("spark.sql.catalog.lake"):
            spark.conf.set(key.replace("catalog.lake", f"catalog.{name}"), value)
    for key, value in words.items():
        spark.conf.set(f"spark.sql.catalog.{name}.{key.replace('_', '-')}", value)
    return name


@pytest.mark.parametrize("way", ["token", "credential"])
def test_spark_writes_under_the_name_of_its_token(
    way: str, spark_server: Any, lake: TemporaryLake, endpoint: str
) -> None:
    """Its commits bear the token's name; what only reads is refused, and so is what was revoked."""
    tokens = ClientTokens(lake.lakehouse.catalog)
    writer, _ = tokens.create("spark", WRITE, "owner")
    reader, _ = tokens.create("looker", READ, "owner")
    server = f"{endpoint}/v1/oauth/tokens"

    def held(name: str, token: str) -> str:
        if way == "token":
            return catalog(spark_server, endpoint, token=token)
        return catalog(spark_server, endpoint, credential=f"{name}:{token}", oauth2_server_uri=server)

    own, other = held("spark", writer), held("looker", reader)
    spark_server.sql(f"CREATE NAMESPACE {own}.s")
    spark_server.sql(f"CREATE TABLE {own}.s.t (id BIGINT)")
    spark_server.sql(f"INSERT INTO {own}.s.t VALUES (1), (2)")
    assert spark_server.sql(f"SELECT count(*) FROM {other}.s.t").collect()[0][0] == 2
    with pytest.raises(Exception, match="only reads"):
        spark_server.sql(f"INSERT INTO {other}.s.t VALUES (3)")
    tokens.revoke("looker")
    with pytest.raises(Exception, match="revoked"):
        spark_server.sql(f"SELECT count(*) FROM {other}.s.t").collect()
    commits = lake.lakehouse.catalog.history(TableName("s", "t"))
    assert {commit.principal for commit in commits} == {"spark"}


def test_spark_renews_its_token(spark_server: Any, lake: TemporaryLake, endpoint: str) -> None:
    """With a short life it exchanges the token before its time is over, and works on."""
    writer, _ = ClientTokens(lake.lakehouse.catalog).create("spark", WRITE, "owner")
    own = catalog(
        spark_server, endpoint, token=writer, token_expires_in_ms="400", oauth2_server_uri=f"{endpoint}/v1/oauth/tokens"
    )
    spark_server.sql(f"CREATE NAMESPACE {own}.s")
    until = time.monotonic() + 20
    while not _access_tokens(lake) and time.monotonic() < until:
        assert spark_server.sql(f"SHOW NAMESPACES IN {own}").count() == 1
    assert _access_tokens(lake) > 0


def _access_tokens(lake: TemporaryLake) -> int:
    with lake.lakehouse.catalog.store.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM access_tokens").scalar_one())
