"""Namespaces of several levels, and lists in pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Commit
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from tests.catalog.clients import KEPT

from .talk import COLUMNS, made, refused, renamed, seen, view


def space(web: httpx.Client, *levels: str, **words: str) -> httpx.Response:
    """Ask for a namespace."""
    return web.post("/namespaces", json={"namespace": list(levels), "properties": words})


def inside(web: httpx.Client, parent: str | None = None) -> list[list[str]]:
    """The namespaces right inside another one."""
    answer = web.get("/namespaces", params={} if parent is None else {"parent": parent})
    found: list[list[str]] = answer.json()["namespaces"]
    return found


def test_namespaces_lie_inside_namespaces(web: httpx.Client) -> None:
    """Joined by %1F in paths; `parent` lists one level and no more."""
    assert space(web, "s", "a").json()["namespace"] == ["s", "a"]
    assert space(web, "s", "a", "b").status_code == 200
    assert space(web, "s", "a.c").status_code == 400
    assert space(web, "sa").status_code == 200
    assert inside(web) == [["s"], ["sa"]]
    assert inside(web, "") == [["s"], ["sa"]]
    assert inside(web, "s") == [["s", "a"]]
    assert inside(web, "s\x1fa") == [["s", "a", "b"]]
    assert inside(web, "s\x1fa\x1fb") == []
    refused(web.get("/namespaces", params={"parent": "s\x1fx"}), 404, "NoSuchNamespaceException", "exist: s.x")
    loaded = web.get("/namespaces/s%1Fa").json()
    assert loaded["namespace"] == ["s", "a"]
    assert loaded["properties"]["location"]
    assert web.head("/namespaces/s%1Fa%1Fb").status_code == 204
    assert web.head("/namespaces/s%1Fb").status_code == 404


def test_a_namespace_wants_the_one_that_it_lies_in(web: httpx.Client) -> None:
    """And cannot be made twice; an outer one stays as long as there is an inner one."""
    refused(space(web, "x", "a"), 404, "NoSuchNamespaceException", "Namespace does not exist: x")
    space(web, "s", "a")
    refused(space(web, "s", "a"), 409, "AlreadyExistsException", "Namespace already exists: s.a")
    refused(web.delete("/namespaces/s"), 409, "NamespaceNotEmptyException", "Namespace is not empty: s")
    assert web.delete("/namespaces/s%1Fa").status_code == 204
    assert web.delete("/namespaces/s").status_code == 204
    refused(space(web, *"abcdefghijk"), 400, "BadRequestException", "levels")


def test_tables_and_views_in_inner_namespaces(web: httpx.Client, catalog: Catalog) -> None:
    """Create, list, load, commit, rename, drop; also in a transaction over several tables."""
    space(web, "s", "a")
    loaded = made(web, space="s%1Fa")
    assert loaded["metadata"]["location"].startswith(catalog.warehouse.root)
    named = [{"namespace": ["s", "a"], "name": "t"}]
    assert web.get("/namespaces/s%1Fa/tables").json()["identifiers"] == named
    assert web.get("/namespaces/s/tables").json()["identifiers"] == []
    assert web.get("/namespaces/s%1Fa/tables/t").json() == loaded
    assert web.post("/namespaces/s%1Fa/views", json=view()).status_code == 200
    assert web.get("/namespaces/s%1Fa/views").json()["identifiers"] == [{"namespace": ["s", "a"], "name": "v"}]
    made(web)
    updates = [{"action": "set-properties", "updates": {"k": "1"}}]
    changes = [
        {"identifier": {"namespace": levels, "name": "t"}, "requirements": [], "updates": updates}
        for levels in (["s", "a"], ["s"])
    ]
    assert web.post("/transactions/commit", json={"table-changes": changes}).status_code == 204
    assert web.get("/namespaces/s%1Fa/tables/t").json()["metadata"]["properties"] == KEPT | {"k": "1"}
    body = {"source": named[0], "destination": {"namespace": ["s", "a"], "name": "u"}}
    assert web.post("/tables/rename", json=body).status_code == 204
    assert catalog.find(TableName("s.a", "u")) is not None
    refused(web.get("/namespaces/s%1Fa/tables/t"), 404, "NoSuchTableException", "Table does not exist: s.a.t")
    assert web.delete("/namespaces/s%1Fa/tables/u").status_code == 204


def test_a_metadata_table_s_name_is_a_namespace_that_is_missing(web: httpx.Client) -> None:
    """Spark asks for `s.t.files` as a table `files` of a namespace `s.t` first."""
    made(web)
    refused(web.get("/namespaces/s%1Ft/tables/files"), 404, "NoSuchTableException")
    refused(web.get("/namespaces/s%1Ft"), 404, "NoSuchNamespaceException")


def test_tables_lie_where_their_namespace_says(web: httpx.Client, catalog: Catalog) -> None:
    """A location of its own is shown, and new tables and views go there."""
    place = f"{catalog.warehouse.root}/elsewhere"
    assert space(web, "own", location=f"file://{place}").json()["properties"]["location"] == place
    assert made(web, space="own")["metadata"]["location"].startswith(f"{place}/t-")
    answer = web.post("/namespaces/own/views", json=view()).json()
    assert answer["metadata"]["location"].startswith(f"{place}/v-")


def pages(web: httpx.Client, path: str, member: str, **query: str) -> list[list[Any]]:
    """Every page of a list, as a client takes them."""
    found, token = [], ""
    while token is not None:
        answer = web.get(path, params={"pageToken": token, **query}).json()
        found.append(answer[member])
        token = answer["next-page-token"]
    return found


def test_lists_come_in_pages(web: httpx.Client) -> None:
    """An empty token begins; the last page has none. Without a token all come at once."""
    for number in range(5):
        made(web, f"t{number}")
        seen(web, f"v{number}")
        space(web, "s", f"n{number}")
    for path, member, query in (
        ("/namespaces/s/tables", "identifiers", {}),
        ("/namespaces/s/views", "identifiers", {}),
        ("/namespaces", "namespaces", {"parent": "s"}),
    ):
        whole = web.get(path, params=query).json()
        assert len(whole[member]) == 5
        assert whole["next-page-token"] is None
        assert [len(page) for page in pages(web, path, member, pageSize="2", **query)] == [2, 2, 1]
        assert [len(page) for page in pages(web, path, member, pageSize="5", **query)] == [5]
        assert [row for page in pages(web, path, member, pageSize="2", **query) for row in page] == whole[member]
        assert len(web.get(path, params={"pageSize": "2", **query}).json()[member]) == 5


def test_a_page_loses_nothing_when_names_come_and_go(web: httpx.Client) -> None:
    """What was there at the first page and still is comes on one of them."""
    for number in range(6):
        made(web, f"t{number}")
    first = web.get("/namespaces/s/tables", params={"pageToken": "", "pageSize": "3"}).json()
    web.delete("/namespaces/s/tables/t0")
    web.delete("/namespaces/s/tables/t2")
    made(web, "t1a")
    rest = web.get("/namespaces/s/tables", params={"pageToken": first["next-page-token"], "pageSize": "3"}).json()
    assert [row["name"] for row in rest["identifiers"]] == ["t3", "t4", "t5"]


@pytest.mark.parametrize(
    "query", [{"pageToken": "%"}, {"pageToken": "a"}, {"pageSize": "0"}, {"pageSize": "-1"}, {"pageSize": "x"}]
)
def test_pages_without_sense_are_bad_requests(query: dict[str, str], web: httpx.Client) -> None:
    """A token that the catalog never gave, a size that is none."""
    refused(web.get("/namespaces/s/tables", params=query), 400, "BadRequestException", "page")


def test_a_name_in_another_script_is_paged_and_renamed(web: httpx.Client) -> None:
    """Tokens hold any name that a table may have."""
    for name in ("Ærø", "日本", "ünïcode", "with space", "dot.ted"):
        assert web.post("/namespaces/s/tables", json={"name": name, "schema": COLUMNS}).status_code == 200
    names = [row["name"] for page in pages(web, "/namespaces/s/tables", "identifiers", pageSize="1") for row in page]
    assert names == sorted(["Ærø", "日本", "ünïcode", "with space", "dot.ted"])
    assert renamed(web, "tables", "日本", "日本国").status_code == 204


def test_side_tables_are_not_shown_to_outside_clients(web: httpx.Client, catalog: Catalog) -> None:
    """What models remember is listed nowhere, and nobody makes tables there; it goes with the table it belongs to."""
    made(web)
    stage = catalog.begin("step")
    stage.create_table(TableName("state", "s__t"), Schema((Column("key_1", "BIGINT"),)))
    stage.publish(Commit("step", "upsert", "me"))
    assert inside(web) == [["s"]]
    refused(
        web.post("/namespaces/state/tables", json={"name": "x", "schema": COLUMNS}),
        404,
        "NoSuchNamespaceException",
        "state",
    )
    assert web.delete("/namespaces/s/tables/t").status_code == 204
    assert catalog.tables() == ()
