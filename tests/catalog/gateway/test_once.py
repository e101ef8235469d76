"""Requests with an Idempotency-Key: done once, answered alike."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from millpond.catalog import answered
from millpond.catalog.answered import LIFETIME, Answer
from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway import once

from .talk import COLUMNS, made, refused, seen, view

TABLE = {"name": "k", "schema": COLUMNS}


def keyed(key: str | None = None) -> dict[str, str]:
    """The header with a key."""
    return {"Idempotency-Key": key or str(uuid.uuid4())}


def test_the_configuration_says_how_long_keys_last(open_door: str) -> None:
    """Clients send keys only where the server says that it knows them."""
    assert httpx.get(f"{open_door}/v1/config").json()["idempotency-key-lifetime"] == "PT24H"


def requests() -> list[tuple[str, str, Any, int]]:
    """Every change that a client may ask for, and how it is answered the first time."""
    table = {"namespace": ["s"], "name": "t"}
    change = {"identifier": table, "updates": [{"action": "set-properties", "updates": {"c": "d"}}]}
    body = {"updates": [{"action": "set-properties", "updates": {"a": "b"}}]}
    return [
        ("POST", "/namespaces", {"namespace": ["n"]}, 200),
        ("POST", "/namespaces/s/properties", {"updates": {"a": "b"}, "removals": ["x"]}, 200),
        ("DELETE", "/namespaces/empty", None, 204),
        ("POST", "/namespaces/s/tables", TABLE, 200),
        ("POST", "/namespaces/s/tables/t", body, 200),
        ("POST", "/transactions/commit", {"table-changes": [change]}, 204),
        ("POST", "/tables/rename", {"source": table, "destination": table | {"name": "u"}}, 204),
        ("DELETE", "/namespaces/s/tables/t", None, 204),
        ("POST", "/namespaces/s/views", view("w"), 200),
        ("POST", "/namespaces/s/views/v", body, 200),
        ("POST", "/views/rename", {"source": table | {"name": "v"}, "destination": table | {"name": "x"}}, 204),
        ("DELETE", "/namespaces/s/views/v", None, 204),
    ]


@pytest.mark.parametrize(("method", "path", "body", "status"), requests())
@pytest.mark.parametrize("crashed", [False, True])
def test_a_repeat_changes_nothing_and_hears_the_same(
    method: str, path: str, body: Any, status: int, crashed: bool, web: httpx.Client, catalog: Catalog
) -> None:
    """Also when the process ended between the commit and the note of its answer."""
    made(web)
    seen(web)
    web.post("/namespaces", json={"namespace": ["empty"]})
    headers = keyed()
    first = web.request(method, path, json=body, headers=headers)
    assert first.status_code == status, first.text
    after = catalog.head()
    committed = not path.startswith("/namespaces") or (path.count("/") > 2 and "properties" not in path)
    if crashed and committed:
        with catalog.store.write() as connection:
            connection.exec_driver_sql("DELETE FROM answers")
    for _ in range(2):
        again = web.request(method, path, json=body, headers=headers)
        assert (again.status_code, again.content) == (first.status_code, first.content)
    assert catalog.head() == after


def test_a_request_that_comes_many_times_at_once_is_done_once(web: httpx.Client, catalog: Catalog) -> None:
    """All of them hear the same, and there is one commit, or one namespace."""
    number = catalog.head()
    for path, body in (("/namespaces/s/tables", TABLE), ("/namespaces", {"namespace": ["n"]})):
        headers = keyed()

        def send(_: int, path: str = path, body: Any = body, headers: dict[str, str] = headers) -> tuple[int, bytes]:
            answer = httpx.post(f"{str(web.base_url).rstrip('/')}{path}", json=body, headers=headers)
            return answer.status_code, answer.content

        with ThreadPoolExecutor(6) as threads:
            heard = set(threads.map(send, range(6)))
        assert [status for status, _ in heard] == [200]
    assert catalog.head() == number + 1


def test_a_repeat_hears_what_its_own_commit_left(web: httpx.Client, catalog: Catalog) -> None:
    """Not what others made of the table since; even when it is gone."""
    headers = keyed()
    first = web.post("/namespaces/s/tables", json=TABLE, headers=headers).json()
    web.post("/namespaces/s/tables/k", json={"updates": [{"action": "set-properties", "updates": {"a": "b"}}]})
    web.delete("/namespaces/s/tables/k")
    assert web.post("/namespaces/s/tables", json=TABLE, headers=headers).json() == first
    assert catalog.history(limit=1)[0].step_key is None


def test_a_refusal_is_final(web: httpx.Client) -> None:
    """The same request hears the same 4xx although the reason is gone."""
    headers = keyed()
    made(web, "k")
    for _ in range(2):
        refused(web.post("/namespaces/s/tables", json=TABLE, headers=headers), 409, "AlreadyExistsException")
        web.delete("/namespaces/s/tables/k")
    assert web.post("/namespaces/s/tables", json=TABLE, headers=keyed()).status_code == 200


def test_what_the_server_could_not_do_is_not_final(web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a 5xx, and without the right to, the request may come again with its key."""
    headers = keyed()
    with monkeypatch.context() as broken:
        broken.setattr(once, "failure", lambda _: Response(status_code=503))
        made(web, "k")
        assert web.post("/namespaces/s/tables", json=TABLE, headers=headers).status_code == 503
    web.delete("/namespaces/s/tables/k")
    assert web.post("/namespaces/s/tables", json=TABLE, headers=headers).status_code == 200


def test_a_key_is_for_one_request(web: httpx.Client, catalog: Catalog) -> None:
    """Another body or path with the same key is refused, and what is no key is too."""
    headers = keyed()
    assert web.post("/namespaces/s/tables", json=TABLE, headers=headers).status_code == 200
    number = catalog.head()
    other = TABLE | {"name": "other"}
    refused(
        web.post("/namespaces/s/tables", json=other, headers=headers),
        422,
        "UnprocessableEntityException",
        "Idempotency-Key",
    )
    refused(web.post("/namespaces/s/tables", json=TABLE, headers=keyed("k")), 400, "BadRequestException", "UUID")
    assert catalog.head() == number
    assert web.get("/namespaces", headers=headers).status_code == 200


def test_keys_are_forgotten_after_their_time(web: httpx.Client, catalog: Catalog) -> None:
    """The store keeps them for longer than clients may use them, and not for ever."""
    now = catalog.clock.now()
    row = Answer("asked", 204, None)
    with catalog.store.write() as connection:
        answered.keep(connection, "prod", "old", row, now - 3 * LIFETIME)
        answered.keep(connection, "prod", "young", row, now - LIFETIME + timedelta(minutes=1))
        answered.keep(connection, "prod", "new", row, now)
        assert answered.find(connection, "prod", "old") is None
        assert answered.find(connection, "prod", "young") == row
