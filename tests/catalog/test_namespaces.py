"""A namespace that is dropped while something is made in it: one of the two is done, and the other is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from millpond.catalog import namespaces
from millpond.catalog.catalog import Catalog
from millpond.catalog.relations import namespaces as spaces
from millpond.catalog.relations import pointers
from millpond.catalog.staging import Stage

from .gateway.talk import COLUMNS, made, view

MAKERS = {
    "table": ("/namespaces/s/tables", {"name": "t", "schema": COLUMNS}),
    "view": ("/namespaces/s/views", view("v")),
    "rename": (
        "/tables/rename",
        {"source": {"namespace": ["other"], "name": "t"}, "destination": {"namespace": ["s"], "name": "t"}},
    ),
    "namespace": ("/namespaces", {"namespace": ["s", "inner"]}),
}


@pytest.fixture
def url(open_door: str) -> str:
    """The prefix of an open gateway, with the empty namespace `s` and a table in another."""
    url = f"{open_door}/v1/prod"
    for name in ("s", "other"):
        assert httpx.post(f"{url}/namespaces", json={"namespace": [name]}).status_code == 200
    with httpx.Client(base_url=url) as web:
        made(web, space="other")
    return url


def held(catalog: Catalog) -> tuple[bool, bool]:
    """Whether the namespace is there, and whether anything is in it."""
    with catalog.store.read() as connection:
        names = set(connection.scalars(select(spaces.c.name)))
        inside = connection.scalars(select(pointers.c.name).where(pointers.c.layer == "s")).all()
    return "s" in names, bool(inside) or "s.inner" in names


@pytest.mark.parametrize("what", ["table", "view", "rename"])
def test_a_namespace_that_is_dropped_first_takes_nothing_in(
    what: str, url: str, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The drop comes between the look at the namespace and the commit: 404, and neither is there."""
    path, body = MAKERS[what]
    publish = Stage.publish

    def late(stage: Stage, commit: Any) -> Any:
        with catalog.store.write() as connection:
            assert namespaces.drop(connection, "prod", "s")
        return publish(stage, commit)

    monkeypatch.setattr(Stage, "publish", late)
    head = catalog.head()
    answer = httpx.post(url + path, json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NoSuchNamespaceException")
    assert held(catalog) == (False, False)
    assert catalog.head() == head


@pytest.mark.parametrize("what", sorted(MAKERS))
def test_of_a_drop_and_a_making_at_once_one_is_done(what: str, url: str, catalog: Catalog) -> None:
    """Whichever comes first: never an answer of success to both, and never a thing without its namespace."""
    path, body = MAKERS[what]
    for _round in range(6):
        gate = threading.Barrier(2)

        def send(call: Callable[[], httpx.Response], gate: threading.Barrier = gate) -> int:
            gate.wait()
            return call().status_code

        with ThreadPoolExecutor(2) as threads:
            dropped = threads.submit(send, lambda: httpx.delete(f"{url}/namespaces/s"))
            answered = threads.submit(send, lambda: httpx.post(url + path, json=body))
        outcome = (dropped.result(), answered.result())
        assert outcome in {(204, 404), (409, 200), (409, 204)}
        assert held(catalog) == ((False, False) if outcome[0] == 204 else (True, True))
        if outcome[0] == 204:
            httpx.post(f"{url}/namespaces", json={"namespace": ["s"]})
            continue
        if what == "rename":
            back = {"source": body["destination"], "destination": body["source"]}
            assert httpx.post(f"{url}/tables/rename", json=back).status_code == 204
        inside = {"table": "/namespaces/s/tables/t", "view": "/namespaces/s/views/v"}
        inside["namespace"] = "/namespaces/s%1Finner"
        if what in inside:
            assert httpx.delete(url + inside[what]).status_code == 204
