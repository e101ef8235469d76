"""What real clients of a REST catalog need, each line of what was found by running them, as raw HTTP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from millpond.catalog.catalog import Catalog
from millpond.catalog.gateway import tables
from millpond.core.errors import CatalogError, HostError
from tests.architecture.source import ROOT
from tests.catalog.clients import KEPT

from .talk import COLUMNS, MORE_COLUMNS, made, properties, refused

ENDPOINTS = """
GET /v1/{prefix}/namespaces
POST /v1/{prefix}/namespaces
GET /v1/{prefix}/namespaces/{namespace}
HEAD /v1/{prefix}/namespaces/{namespace}
DELETE /v1/{prefix}/namespaces/{namespace}
POST /v1/{prefix}/namespaces/{namespace}/properties
GET /v1/{prefix}/namespaces/{namespace}/tables
POST /v1/{prefix}/namespaces/{namespace}/tables
GET /v1/{prefix}/namespaces/{namespace}/tables/{table}
HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}
POST /v1/{prefix}/namespaces/{namespace}/tables/{table}
DELETE /v1/{prefix}/namespaces/{namespace}/tables/{table}
GET /v1/{prefix}/namespaces/{namespace}/tables/{table}/credentials
POST /v1/{prefix}/namespaces/{namespace}/tables/{table}/metrics
POST /v1/{prefix}/namespaces/{namespace}/register
POST /v1/{prefix}/tables/rename
POST /v1/{prefix}/transactions/commit
GET /v1/{prefix}/namespaces/{namespace}/views
POST /v1/{prefix}/namespaces/{namespace}/views
GET /v1/{prefix}/namespaces/{namespace}/views/{view}
HEAD /v1/{prefix}/namespaces/{namespace}/views/{view}
POST /v1/{prefix}/namespaces/{namespace}/views/{view}
DELETE /v1/{prefix}/namespaces/{namespace}/views/{view}
POST /v1/{prefix}/namespaces/{namespace}/register-view
POST /v1/{prefix}/views/rename
"""
"""The paths of the specification's OpenAPI file, without server-side scan planning."""

ASSIGNED = {"action": "set-properties", "updates": {"a": "b"}}


def commit(web: httpx.Client, *updates: dict[str, Any], name: str = "t", needs: Any = ()) -> httpx.Response:
    """Send a commit on a table."""
    return web.post(f"/namespaces/s/tables/{name}", json={"requirements": list(needs), "updates": list(updates)})


def test_every_endpoint_of_the_specification_is_listed(open_door: str) -> None:
    """Java refuses on its own side what the configuration does not list."""
    listed = httpx.get(f"{open_door}/v1/config").json()["endpoints"]
    assert sorted(listed) == sorted(ENDPOINTS.split("\n")[1:-1])


def test_every_endpoint_is_in_the_docs() -> None:
    """The reference page names each path and each of its methods."""
    page = (ROOT / "docs" / "reference" / "rest-catalog.md").read_text(encoding="utf-8")
    told = {
        f"{method} /v1/{{prefix}}{path}"
        for methods, path in re.findall(r"^\| (`[A-Z`, ]+)(/[^?` ]+)", page, re.MULTILINE)
        for method in re.findall("[A-Z]+", methods)
        if "config" not in path
    }
    assert told == set(ENDPOINTS.split("\n")[1:-1])


def test_every_listed_endpoint_answers(open_door: str, web: httpx.Client) -> None:
    """None of them is unknown to the server that names it."""
    for line in httpx.get(f"{open_door}/v1/config").json()["endpoints"]:
        method, path = line.split(" ")
        named = path.format(prefix="prod", namespace="s", table="none", view="none")
        answer = httpx.request(method, open_door + named, json={} if method == "POST" else None)
        if method != "HEAD" and answer.status_code >= 400:
            assert answer.json()["error"]["message"] != "the gateway has no such endpoint", line
        assert answer.status_code not in (405, 500)


def test_whatever_can_be_loaded_can_be_asked_after(web: httpx.Client) -> None:
    """HEAD is answered for every path that GET is."""
    made(web)
    for path in ("/namespaces", "/namespaces/s/tables", "/namespaces/s/views", "/namespaces/s/tables/t/credentials"):
        answer = web.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_namespace_says_where_its_tables_lie(web: httpx.Client, catalog: Catalog) -> None:
    """Trino makes the location of a table from that of its namespace."""
    assert web.get("/namespaces/s").json()["properties"]["location"] == f"{catalog.warehouse.root}/s"


def test_a_write_order_is_kept(web: httpx.Client) -> None:
    """Trino's `sorted_by`; Spark sends null."""
    field = {"source-id": 0, "transform": "identity", "direction": "desc", "null-order": "nulls-last"}
    metadata = made(web, **{"write-order": {"order-id": 1, "fields": [field]}})["metadata"]
    assert metadata["sort-orders"] == [{"order-id": 1, "fields": [field | {"source-id": 1}]}]
    assert metadata["default-sort-order-id"] == 1
    assert made(web, "u", **{"write-order": None, "partition-spec": None})["metadata"]["default-sort-order-id"] == 0


def test_a_sort_order_with_a_taken_id_gets_the_next_one(web: httpx.Client) -> None:
    """And an equal one is used again."""
    made(web)

    def order(direction: str) -> dict[str, Any]:
        field = {"source-id": 1, "transform": "identity", "direction": direction, "null-order": "nulls-first"}
        return {"action": "add-sort-order", "sort-order": {"order-id": 1, "fields": [field]}}

    last = {"action": "set-default-sort-order", "sort-order-id": -1}
    for direction, number in (("asc", 1), ("desc", 2), ("asc", 1)):
        metadata = commit(web, order(direction), last).json()["metadata"]
        assert metadata["default-sort-order-id"] == number
    assert [row["order-id"] for row in metadata["sort-orders"]] == [0, 1, 2]
    field = {**order("asc")["sort-order"]["fields"][0], "source-id": 9}
    stray = {"action": "add-sort-order", "sort-order": {"order-id": 3, "fields": [field]}}
    refused(commit(web, stray), 400, "BadRequestException", "Cannot find source column")
    nothing = {"action": "add-sort-order", "sort-order": {"order-id": 3, "fields": None}}
    refused(commit(web, nothing), 400, "BadRequestException")


def test_each_table_has_a_place_of_its_own(web: httpx.Client) -> None:
    """A name that is used again, after a drop or a rename, does not find the old one's files."""
    first = made(web)["metadata"]["location"]
    web.delete("/namespaces/s/tables/t", params={"purgeRequested": "true"})
    second = made(web)["metadata"]["location"]
    web.post("/tables/rename", json={"source": named("t"), "destination": named("u")})
    third = made(web)["metadata"]["location"]
    assert len({first, second, third}) == 3


def named(name: str, *levels: str) -> dict[str, Any]:
    """An identifier in a body."""
    return {"namespace": list(levels or ("s",)), "name": name}


def test_a_drop_with_purge_leaves_the_files_to_retention(web: httpx.Client) -> None:
    """Earlier commits still name them; Sail and Spark may ask what they like."""
    path = Path(made(web)["metadata-location"])
    assert web.delete("/namespaces/s/tables/t", params={"purgeRequested": "true"}).status_code == 204
    assert path.is_file()
    refused(web.delete("/namespaces/s/tables/t"), 404, "NoSuchTableException", "Table does not exist: s.t")


def demands() -> list[tuple[dict[str, Any], str]]:
    """Requirements that do not hold, and the texts that Java compares."""
    return [
        ({"type": "assert-table-uuid", "uuid": "x"}, "UUID does not match"),
        ({"type": "assert-create"}, "table already exists"),
        ({"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 7}, "main is missing, expected 7"),
        ({"type": "assert-last-assigned-field-id", "last-assigned-field-id": 9}, "last assigned field id changed"),
        ({"type": "assert-current-schema-id", "current-schema-id": 9}, "current schema changed"),
        (
            {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 9},
            "last assigned partition id changed",
        ),
        ({"type": "assert-default-spec-id", "default-spec-id": 9}, "default partition spec changed"),
        ({"type": "assert-default-sort-order-id", "default-sort-order-id": 9}, "default sort order changed"),
    ]


@pytest.mark.parametrize(("demand", "words"), demands())
def test_requirements_that_do_not_hold_are_conflicts(demand: dict[str, Any], words: str, web: httpx.Client) -> None:
    """409 with the type that makes clients try again, and nothing changed."""
    made(web)
    answer = commit(web, ASSIGNED, needs=[demand])
    refused(answer, 409, "CommitFailedException", words)
    assert answer.json()["error"]["message"].startswith("Requirement failed: ")
    assert web.get("/namespaces/s/tables/t").json()["metadata"]["properties"] == KEPT


def test_requirements_that_hold_let_the_commit_in(web: httpx.Client) -> None:
    """All of them together."""
    metadata = made(web)["metadata"]
    needs = [
        {"type": "assert-table-uuid", "uuid": metadata["table-uuid"].upper()},
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None},
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 1},
        {"type": "assert-current-schema-id", "current-schema-id": 0},
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999},
        {"type": "assert-default-spec-id", "default-spec-id": 0},
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 0},
    ]
    assert commit(web, ASSIGNED, needs=needs).json()["metadata"]["properties"] == KEPT | {"a": "b"}


def test_a_requirement_or_update_that_nobody_knows_is_a_bad_request(web: httpx.Client) -> None:
    """A server must refuse what it would else pass over."""
    made(web)
    refused(commit(web, needs=[{"type": "assert-weather"}]), 400, "BadRequestException", "Unknown requirement")
    refused(commit(web, {"action": "set-weather"}), 400, "BadRequestException", "Unknown update")
    refused(commit(web, {"action": "add-view-version"}), 400, "BadRequestException", "Unknown update")


def test_updates_that_spark_sends_without_files(web: httpx.Client) -> None:
    """Schemas, specs, properties and versions of a table come and go; -1 is the last added."""
    made(web, schema=MORE_COLUMNS)
    wider = {**MORE_COLUMNS, "fields": [*renumbered(), {"id": 3, "name": "n", "required": False, "type": "int"}]}
    spec = {"fields": [{"source-id": 1, "transform": "bucket[4]", "name": "id_bucket"}]}
    metadata = commit(
        web,
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "schema": wider, "last-column-id": 3},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "add-spec", "spec": spec},
        {"action": "set-default-spec", "spec-id": -1},
        properties(a="1", b="2"),
        {"action": "remove-properties", "removals": ["a"]},
    ).json()["metadata"]
    assert (metadata["current-schema-id"], metadata["default-spec-id"], metadata["last-column-id"]) == (1, 1, 3)
    assert metadata["properties"] == KEPT | {"b": "2"}
    metadata = commit(
        web,
        {"action": "remove-schemas", "schema-ids": [0]},
        {"action": "remove-partition-specs", "spec-ids": [0]},
    ).json()["metadata"]
    assert [row["schema-id"] for row in metadata["schemas"]] == [1]
    assert [row["spec-id"] for row in metadata["partition-specs"]] == [1]
    refused(commit(web, {"action": "remove-schemas", "schema-ids": [1]}), 400, "BadRequestException", "in use")


def renumbered() -> list[dict[str, Any]]:
    """The columns as the catalog numbered them."""
    return [{**field, "id": number} for number, field in enumerate(MORE_COLUMNS["fields"], start=1)]


def test_a_table_may_be_named_twice_in_a_transaction(web: httpx.Client) -> None:
    """The second change sees what the first one left; a requirement that fails there undoes both."""
    made(web)
    uuid = web.get("/namespaces/s/tables/t").json()["metadata"]["table-uuid"]
    wider = {**COLUMNS, "fields": [{**COLUMNS["fields"][0], "id": 1}, {**MORE_COLUMNS["fields"][1], "id": 2}]}
    first = {
        "identifier": named("t"),
        "requirements": [{"type": "assert-current-schema-id", "current-schema-id": 0}],
        "updates": [
            {"action": "add-schema", "schema": wider},
            {"action": "set-current-schema", "schema-id": -1},
        ],
    }
    second = {
        "identifier": named("t"),
        "requirements": [{"type": "assert-table-uuid", "uuid": uuid}],
        "updates": [ASSIGNED],
    }
    stale = second | {"requirements": first["requirements"]}
    answer = web.post("/transactions/commit", json={"table-changes": [first, stale]})
    refused(answer, 409, "CommitFailedException", "current schema changed")
    assert web.get("/namespaces/s/tables/t").json()["metadata"]["current-schema-id"] == 0
    assert web.post("/transactions/commit", json={"table-changes": [first, second]}).status_code == 204
    metadata = web.get("/namespaces/s/tables/t").json()["metadata"]
    assert (metadata["current-schema-id"], metadata["properties"]) == (1, KEPT | {"a": "b"})


def test_a_transaction_creates_and_changes_together(web: httpx.Client, catalog: Catalog) -> None:
    """DuckDB commits a new table and a change of another one in one request."""
    made(web)
    staged = made(web, "new", **{"stage-create": True})["metadata"]
    create = {
        "identifier": named("new"),
        "requirements": [{"type": "assert-create"}],
        "updates": [
            {"action": "assign-uuid", "uuid": staged["table-uuid"]},
            {"action": "set-location", "location": staged["location"]},
            {"action": "add-schema", "schema": staged["schemas"][0]},
            {"action": "set-current-schema", "schema-id": -1},
        ],
    }
    wrong = {"identifier": named("t"), "requirements": [{"type": "assert-table-uuid", "uuid": "x"}], "updates": []}
    refused(web.post("/transactions/commit", json={"table-changes": [create, wrong]}), 409, "CommitFailedException")
    assert web.head("/namespaces/s/tables/new").status_code == 404
    number = catalog.head()
    change = {"identifier": named("t"), "requirements": [], "updates": [ASSIGNED]}
    assert web.post("/transactions/commit", json={"table-changes": [create, change]}).status_code == 204
    assert catalog.head() == number + 1
    assert web.head("/namespaces/s/tables/new").status_code == 204


def test_credentials_are_none(web: httpx.Client) -> None:
    """A client that asks for vended credentials hears that there are none, and uses its own."""
    made(web)
    answer = web.get("/namespaces/s/tables/t", headers={"X-Iceberg-Access-Delegation": "vended-credentials"})
    assert answer.json()["config"] == {}
    assert web.get("/namespaces/s/tables/t/credentials").json() == {"storage-credentials": []}
    refused(web.get("/namespaces/s/tables/x/credentials"), 404, "NoSuchTableException")


@pytest.mark.parametrize("failure", [CatalogError, HostError, ZeroDivisionError])
def test_no_failure_after_a_commit_looks_like_a_refusal(
    failure: type[Exception], web: httpx.Client, monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    """A client that hears a 4xx deletes its files: when the commit is in, it must hear that it may be."""
    made(web)

    def fail(*_: object) -> None:
        if failure is ZeroDivisionError:
            raise ZeroDivisionError
        code = "MP-3032" if failure is CatalogError else "MP-9021"
        raise failure(code, "gone", next_step="look")  # type: ignore[call-arg]

    with monkeypatch.context() as broken:
        broken.setattr(tables, "present", fail)
        for headers in ({}, {"Idempotency-Key": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"}):
            number = catalog.head()
            update = {"updates": [{"action": "set-properties", "updates": {"a": str(len(headers))}}]}
            answer = web.post("/namespaces/s/tables/t", json=update, headers=headers)
            refused(answer, 500, "CommitStateUnknownException")
            assert catalog.head() == number + 1
    answer = web.post("/namespaces/s/tables/t", json=update, headers=headers)
    assert answer.json()["metadata"]["properties"] == KEPT | {"a": "1"}
    assert catalog.head() == number + 1


def test_a_plus_in_a_path_is_a_space(web: httpx.Client) -> None:
    """As the Java library of Trino 476 writes one; a plus in a name comes as %2B."""
    uuids = {name: made(web, name)["metadata"]["table-uuid"] for name in ("a b", "a+b")}
    for path, name in (("a+b", "a b"), ("a%20b", "a b"), ("a%2Bb", "a+b")):
        assert web.get(f"/namespaces/s/tables/{path}").json()["metadata"]["table-uuid"] == uuids[name]
