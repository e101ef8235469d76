"""Entity tags: a client that has the newest metadata is only told so."""

from __future__ import annotations

import httpx

from .talk import COLUMNS, made, refused


def tag_of(answer: httpx.Response) -> str:
    """The entity tag of an answer."""
    assert answer.status_code == 200, answer.text
    return answer.headers["ETag"]


def load(web: httpx.Client, tag: str | None = None, **query: str) -> httpx.Response:
    """Load the table, with what the client knows."""
    return web.get("/namespaces/s/tables/t", params=query, headers={"If-None-Match": tag} if tag else {})


def test_metadata_that_a_client_has_is_not_sent_again(web: httpx.Client) -> None:
    """304 without a body, until the table changes; the tags of create, load and commit are the same."""
    created = tag_of(web.post("/namespaces/s/tables", json={"name": "t", "schema": COLUMNS}))
    assert tag_of(load(web)) == created
    same = load(web, created)
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", created)
    assert load(web, f'"other", W/{created}').status_code == 304
    assert load(web, "*").status_code == 304
    assert load(web, '"other"').status_code == 200
    body = {"updates": [{"action": "set-properties", "updates": {"a": "b"}}]}
    committed = tag_of(web.post("/namespaces/s/tables/t", json=body))
    assert committed != created
    assert tag_of(load(web, created)) == committed


def test_each_part_of_the_metadata_has_a_tag_of_its_own(web: httpx.Client) -> None:
    """What `snapshots=refs` leaves out must not be taken for the whole."""
    made(web)
    whole, part = tag_of(load(web, snapshots="all")), tag_of(load(web, snapshots="refs"))
    assert whole != part
    assert load(web, part, snapshots="all").status_code == 200
    assert load(web, part, snapshots="refs").status_code == 304
    refused(load(web, snapshots="some"), 400, "BadRequestException", "snapshots")


def test_a_dropped_table_is_gone_whatever_the_client_knows(web: httpx.Client) -> None:
    """A tag is no table; one that is made anew has another."""
    made(web)
    tag = tag_of(load(web))
    web.delete("/namespaces/s/tables/t")
    refused(load(web, tag), 404, "NoSuchTableException")
    made(web)
    assert load(web, tag).status_code == 200
