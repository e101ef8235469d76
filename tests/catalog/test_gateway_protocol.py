"""The gateway's answers, request by request: shapes, errors, and what hostile requests get."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from millpond.catalog import publishing
from millpond.catalog.catalog import Catalog, in_environment
from millpond.catalog.gateway import app, server
from millpond.catalog.gateway.server import Gateway, serve
from millpond.core.errors import CatalogError, HostError
from millpond.core.names import TableName

from .clients import KEPT, NAME, SCHEMA, step

COLUMNS = {
    "type": "struct",
    "schema-id": 0,
    "fields": [{"id": 0, "name": "id", "required": False, "type": "long"}],
}


@pytest.fixture
def web(open_door: str) -> Iterator[httpx.Client]:
    """An HTTP client at the prefix of an open gateway, with a namespace `s`."""
    with httpx.Client(base_url=f"{open_door}/v1/prod") as client:
        assert client.post("/namespaces", json={"namespace": ["s"]}).status_code == 200
        yield client


def made(web: httpx.Client, name: str = "t", **more: Any) -> dict[str, Any]:
    """Create a table and give its load answer."""
    answer = web.post("/namespaces/s/tables", json={"name": name, "schema": COLUMNS, **more})
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def refused(answer: httpx.Response, status: int, kind: str, words: str = "") -> None:
    """Check that an answer is an error in the one shape."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (status, status, kind)
    assert words in error["message"]


def test_health_tells_whether_the_store_answers(open_door: str, catalog: Catalog) -> None:
    """Live as long as it runs; ready as long as the store is."""
    base = open_door.removesuffix("/iceberg")
    assert httpx.get(f"{base}/health/live").json() == {"status": "live"}
    assert httpx.get(f"{base}/health/ready").json() == {"status": "ready"}
    with catalog.store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert httpx.get(f"{base}/health/live").status_code == 200
    refused(httpx.get(f"{base}/health/ready"), 503, "ServiceUnavailableException")


def test_the_configuration_names_the_environment_and_every_endpoint(open_door: str, catalog: Catalog) -> None:
    """A known warehouse is an environment, any other name is this gateway's own."""
    in_environment(catalog, "dev").begin("a").publish(step("a"))
    stage = in_environment(catalog, "dev").begin("b")
    stage.create_table(NAME, SCHEMA)
    stage.publish(step("b"))
    for asked, prefix in (("prod", "prod"), ("dev", "dev"), ("lake", "prod"), (None, "prod")):
        params = {"warehouse": asked} if asked else {}
        config = httpx.get(f"{open_door}/v1/config", params=params).json()
        assert config["overrides"] == {"prefix": prefix}
    assert "POST /v1/{prefix}/transactions/commit" in config["endpoints"]
    assert "HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}" in config["endpoints"]


def test_environments_are_reached_by_prefix(web: httpx.Client, open_door: str, catalog: Catalog) -> None:
    """Each sees its own tables; a name that no environment has is not found."""
    stage = in_environment(catalog, "dev").begin("a")
    stage.create_table(NAME, SCHEMA)
    stage.publish(step("a"))
    table = "namespaces/silver/tables/positions"
    assert httpx.get(f"{open_door}/v1/dev/{table}").status_code == 200
    refused(web.get(table), 404, "NoSuchTableException")
    refused(httpx.get(f"{open_door}/v1/nowhere/{table}"), 404, "NoSuchWarehouseException")
    assert httpx.get(f"{open_door}/v1/namespaces").json()["namespaces"] == [["s"]]


def test_namespaces_in_their_every_request(web: httpx.Client) -> None:
    """List, exists, load, properties and drop, with the errors that clients compare."""
    assert web.get("/namespaces").json() == {"namespaces": [["s"]], "next-page-token": None}
    assert web.get("/namespaces", params={"parent": "s"}).json()["namespaces"] == []
    refused(web.get("/namespaces", params={"parent": "x"}), 404, "NoSuchNamespaceException")
    refused(web.post("/namespaces", json={"namespace": ["s"]}), 409, "AlreadyExistsException", "already exists: s")
    assert web.head("/namespaces/s").status_code == 204
    assert web.head("/namespaces/x").status_code == 404
    refused(web.get("/namespaces/s%1Ft"), 404, "NoSuchNamespaceException")
    refused(web.get("/namespaces/s%1Ft/tables/x"), 404, "NoSuchTableException")
    refused(web.post("/namespaces", json={"namespace": ["a", "b"]}), 404, "NoSuchNamespaceException", "exist: a")
    both = {"removals": ["a"], "updates": {"a": "b"}}
    refused(web.post("/namespaces/s/properties", json=both), 422, "UnprocessableEntityException")
    refused(web.post("/namespaces/x/properties", json={}), 404, "NoSuchNamespaceException")
    changed = web.post("/namespaces/s/properties", json={"updates": {"a": "b"}, "removals": ["c"]}).json()
    assert changed == {"updated": ["a"], "removed": [], "missing": ["c"]}
    made(web)
    refused(web.delete("/namespaces/s"), 409, "NamespaceNotEmptyException")
    assert web.delete("/namespaces/s/tables/t", params={"purgeRequested": "true"}).status_code == 204
    assert web.delete("/namespaces/s").status_code == 204
    refused(web.delete("/namespaces/s"), 404, "NoSuchNamespaceException")


def test_a_new_table_lies_where_the_catalog_says(web: httpx.Client, catalog: Catalog) -> None:
    """Its folders exist, its ids are given anew, and a relative location is replaced."""
    loaded = made(web, location="spark-warehouse/t-1234")
    location = Path(loaded["metadata"]["location"])
    assert location.parent == Path(catalog.warehouse.root) / "s"
    assert (location / "data").is_dir()
    assert Path(loaded["metadata-location"]).parent == location / "metadata"
    assert [field["id"] for field in loaded["metadata"]["schemas"][0]["fields"]] == [1]
    assert loaded["metadata"]["format-version"] == 2
    assert web.get("/namespaces/s/tables").json()["identifiers"] == [{"namespace": ["s"], "name": "t"}]
    assert web.head("/namespaces/s/tables/t").status_code == 204


def test_staged_creation_leaves_nothing_until_its_commit(web: httpx.Client) -> None:
    """The name stays free, and folders are there for the writer."""
    staged = made(web, **{"stage-create": True})
    assert "metadata-location" not in staged
    assert Path(staged["metadata"]["location"], "data").is_dir()
    assert web.get("/namespaces/s/tables").json()["identifiers"] == []
    made(web)
    again = {"name": "t", "schema": COLUMNS, "stage-create": True}
    refused(web.post("/namespaces/s/tables", json=again), 409, "AlreadyExistsException", "already exists: s.t")
    upper = {"name": "T", "schema": COLUMNS}
    refused(web.post("/namespaces/s/tables", json=upper), 409, "AlreadyExistsException")


def requests_without_sense() -> list[tuple[str, str, Any]]:
    """Bodies that are not as the specification says."""
    return [
        ("/namespaces", "POST", {}),
        ("/namespaces", "POST", {"namespace": "s"}),
        ("/namespaces", "POST", {"namespace": ["x"], "properties": {"a": 1}}),
        ("/namespaces", "POST", {"namespace": [""]}),
        ("/namespaces", "POST", {"namespace": ["a/b"]}),
        ("/namespaces", "POST", {"namespace": [".."]}),
        ("/namespaces", "POST", {"namespace": ["a\nb"]}),
        ("/namespaces", "POST", []),
        ("/namespaces/s/properties", "POST", {"updates": []}),
        ("/namespaces/s/tables", "POST", {"name": "x"}),
        ("/namespaces/s/tables", "POST", {"name": "../x", "schema": COLUMNS}),
        ("/namespaces/s/tables", "POST", {"name": "x" * 300, "schema": COLUMNS}),
        ("/namespaces/s/tables", "POST", {"name": 7, "schema": COLUMNS}),
        ("/namespaces/s/tables", "POST", {"name": "x", "schema": {"fields": 3}}),
        ("/namespaces/s/tables", "POST", {"name": "x", "schema": COLUMNS, "properties": {"format-version": "z"}}),
        ("/namespaces/s/tables", "POST", {"name": "x", "schema": COLUMNS, "properties": {"format-version": "9"}}),
        ("/namespaces/s/tables", "POST", {"name": "x", "schema": COLUMNS, "partition-spec": {"fields": [{}]}}),
        ("/namespaces/s/tables/t", "POST", {"updates": "x"}),
        ("/namespaces/s/tables/t", "POST", {"updates": [{"action": "unheard-of"}]}),
        ("/namespaces/s/tables/t", "POST", {"updates": [{"action": "add-snapshot"}]}),
        ("/namespaces/s/tables/t", "POST", {"updates": [{"action": "add-snapshot", "snapshot": {}}]}),
        ("/namespaces/s/tables/t", "POST", {"updates": [{"action": "set-properties", "updates": {"a": 1}}]}),
        ("/namespaces/s/tables/t", "POST", {"updates": [{"action": "set-location", "location": None}]}),
        ("/namespaces/s/tables/t", "POST", {"requirements": [{"type": "unheard-of"}]}),
        ("/transactions/commit", "POST", {}),
        ("/transactions/commit", "POST", {"table-changes": [{}]}),
        ("/transactions/commit", "POST", {"table-changes": [{"identifier": {"namespace": ["s"]}}]}),
        ("/tables/rename", "POST", {"source": {"namespace": ["s"], "name": "t"}}),
        ("/namespaces/s/register", "POST", {"name": "x"}),
    ]


def test_requests_without_sense_are_bad_requests(web: httpx.Client, catalog: Catalog) -> None:
    """Each gets a 400 with a reason, never a 500, and changes nothing."""
    made(web)
    before = catalog.head()
    for path, method, body in requests_without_sense():
        refused(web.request(method, path, json=body), 400, "BadRequestException")
    refused(web.post("/namespaces", content=b"{not json"), 400, "BadRequestException", "no JSON")
    refused(web.post("/namespaces", content=b"[" * 100_000), 400, "BadRequestException")
    for odd in (b"NaN", b"-Infinity", b'"\\ud800"'):
        body = b'{"updates": [{"action": "set-properties", "updates": {"a": %s}}]}' % odd
        refused(web.post("/namespaces/s/tables/t", content=body), 400, "BadRequestException", "no JSON")
    assert catalog.head() == before
    refused(web.get("/nothing/here"), 404, "NotFoundException")
    refused(web.put("/namespaces"), 405, "UnsupportedOperationException")


def test_a_body_without_end_is_refused(web: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request larger than any honest one is not read to its end."""
    monkeypatch.setattr(app, "MOST_BYTES", 1000)
    refused(web.post("/namespaces", content=b" " * 2000), 413, "BadRequestException")


HOSTILE = [
    "s3://bucket/t",
    "http://127.0.0.1/t",
    "file://host/{root}/t",
    "file:///etc/t",
    "/etc/t",
    "{root}",
    "{root}/",
    "{root}x/t",
    "{root}/../t",
    "{root}/s/../../../etc",
    "{root}/s/./t",
    "{root}//s/t",
    "{root}/s/t\u0000",
    "{root}/s/t\nx",
    "{root}/s/a b",
    "{root}/s/%2e%2e/t",
    "file:{root}/s/%2e%2e/t",
    "{root}/.hidden/t",
    "{root}/s/-rf*",
    "{root}/link/t",
    "//{root}/s/t",
    "jdbc:{root}",
]


def test_hostile_locations_are_refused_everywhere(web: httpx.Client, catalog: Catalog, tmp_path: Path) -> None:
    """At create, in a commit, of a namespace, as a write path, and in what is registered."""
    root = catalog.warehouse.root
    Path(root).mkdir(exist_ok=True)
    Path(root, "link").symlink_to(tmp_path)
    made(web)
    before = catalog.head()
    for pattern in HOSTILE:
        place = pattern.replace("{root}", root)
        body = {"name": "x", "schema": COLUMNS, "location": place}
        refused(web.post("/namespaces/s/tables", json=body), 400, "BadRequestException", "refused")
        updates = {"updates": [{"action": "set-location", "location": place}]}
        refused(web.post("/namespaces/s/tables/t", json=updates), 400, "BadRequestException", "refused")
        for key in ("write.data.path", "write.metadata.path", "write.object-storage.path", "write.folder-storage.path"):
            words = {"name": "x", "schema": COLUMNS, "properties": {key: place}}
            refused(web.post("/namespaces/s/tables", json=words), 400, "BadRequestException", "refused")
            updates = {"updates": [{"action": "set-properties", "updates": {key: place}}]}
            refused(web.post("/namespaces/s/tables/t", json=updates), 400, "BadRequestException", "refused")
        named = {"namespace": ["x"], "properties": {"location": place}}
        refused(web.post("/namespaces", json=named), 400, "BadRequestException", "refused")
        metadata = {"name": "x", "metadata-location": f"{place}/metadata/v1.metadata.json"}
        assert web.post("/namespaces/s/register", json=metadata).status_code in (400, 404)
    assert catalog.head() == before
    assert not Path("/etc/t").exists()


def test_one_table_cannot_be_laid_over_another(web: httpx.Client) -> None:
    """Neither at its place, nor inside, nor around it."""
    location = made(web)["metadata"]["location"]
    for place in (location, f"{location}/data", str(Path(location).parent)):
        body = {"name": "x", "schema": COLUMNS, "location": place}
        refused(web.post("/namespaces/s/tables", json=body), 400, "BadRequestException", "another table")
    other = made(web, "other")["metadata"]["location"]
    updates = {"updates": [{"action": "set-location", "location": f"{location}/inside"}]}
    refused(web.post("/namespaces/s/tables/other", json=updates), 400, "BadRequestException", "another table")
    write = {"updates": [{"action": "set-properties", "updates": {"write.data.path": f"{location}/data"}}]}
    refused(web.post("/namespaces/s/tables/other", json=write), 400, "BadRequestException", "own location")
    mine = {"updates": [{"action": "set-properties", "updates": {"write.data.path": f"{other}/mine"}}]}
    assert web.post("/namespaces/s/tables/other", json=mine).status_code == 200


def test_a_snapshot_cannot_name_files_elsewhere(web: httpx.Client, tmp_path: Path) -> None:
    """A manifest list outside the table's folder is no part of it."""
    made(web)
    (tmp_path / "list.avro").write_bytes(b"x")
    snapshot = {
        "snapshot-id": 1,
        "sequence-number": 1,
        "timestamp-ms": int(time.time() * 1000),
        "manifest-list": str(tmp_path / "list.avro"),
        "summary": {"operation": "append"},
        "schema-id": 0,
    }
    update = {"updates": [{"action": "add-snapshot", "snapshot": snapshot}]}
    refused(web.post("/namespaces/s/tables/t", json=update), 400, "BadRequestException", "outside")
    inside = {**snapshot, "manifest-list": web.get("/namespaces/s/tables/t").json()["metadata"]["location"] + "/none"}
    update = {"updates": [{"action": "add-snapshot", "snapshot": inside}]}
    refused(web.post("/namespaces/s/tables/t", json=update), 400, "BadRequestException", "does not exist")


def change(name: str, value: str, uuid: str | None = None) -> dict[str, Any]:
    """A change of a transaction that sets a property."""
    return {
        "identifier": {"namespace": ["s"], "name": name},
        "requirements": [{"type": "assert-table-uuid", "uuid": uuid}] if uuid else [],
        "updates": [{"action": "set-properties", "updates": {f"k{value}": value}}],
    }


def test_transactions_are_all_or_nothing(web: httpx.Client, catalog: Catalog) -> None:
    """A failing second change undoes the first; one table may be named twice; all of it has one number."""
    made(web, "a")
    made(web, "b")
    wrong = {"table-changes": [change("a", "1"), change("b", "2", uuid="other")]}
    refused(web.post("/transactions/commit", json=wrong), 409, "CommitFailedException", "UUID does not match")
    gone = {"table-changes": [change("a", "1"), change("nowhere", "2")]}
    refused(web.post("/transactions/commit", json=gone), 404, "NoSuchTableException")
    assert web.get("/namespaces/s/tables/a").json()["metadata"]["properties"] == KEPT
    good = {"table-changes": [change("a", "1"), change("b", "2"), change("a", "3")]}
    before = catalog.head()
    assert web.post("/transactions/commit", json=good).status_code == 204
    assert catalog.head() == before + 1
    assert web.get("/namespaces/s/tables/a").json()["metadata"]["properties"] == KEPT | {"k1": "1", "k3": "3"}


def test_commits_to_missing_tables_are_not_found(web: httpx.Client) -> None:
    """A 404 and no conflict, which would invite a retry."""
    refused(web.post("/namespaces/s/tables/x", json={"updates": []}), 404, "NoSuchTableException")
    refused(web.post("/namespaces/x/tables/x", json={"updates": []}), 404, "NoSuchNamespaceException")


def test_the_same_request_is_answered_again_only_while_nothing_moved(web: httpx.Client, catalog: Catalog) -> None:
    """A repeat right after is a lost reply; after another change it is a wish of its own."""
    made(web)

    def put(value: str) -> int:
        body = {"updates": [{"action": "set-properties", "updates": {"a": value}}]}
        assert web.post("/namespaces/s/tables/t", json=body).status_code == 200
        return catalog.head()

    assert put("1") == put("1")
    assert put("2") == 3
    assert put("1") == 4
    assert web.get("/namespaces/s/tables/t").json()["metadata"]["properties"] == KEPT | {"a": "1"}


def test_renaming_has_the_texts_that_clients_compare(web: httpx.Client) -> None:
    """Missing source, taken target, missing namespace."""
    made(web, "a")
    made(web, "b")

    def rename(source: str, target: str, space: str = "s") -> httpx.Response:
        body = {
            "source": {"namespace": ["s"], "name": source},
            "destination": {"namespace": [space], "name": target},
        }
        return web.post("/tables/rename", json=body)

    refused(rename("x", "y"), 404, "NoSuchTableException", "does not exist: s.x")
    refused(rename("a", "b"), 409, "AlreadyExistsException", "Cannot rename s.a to s.b. Table already exists")
    refused(rename("a", "c", "x"), 404, "NoSuchNamespaceException")
    assert rename("a", "c").status_code == 204
    assert web.head("/namespaces/s/tables/c").status_code == 204


def test_registering_takes_what_lies_in_the_warehouse(web: httpx.Client, catalog: Catalog) -> None:
    """A dropped table can be named again; one that has a name cannot have two; overwrite moves a name."""
    loaded = made(web)
    body = {"name": "again", "metadata-location": "file://" + loaded["metadata-location"]}
    refused(web.post("/namespaces/s/register", json=body), 400, "BadRequestException", "another table")
    web.delete("/namespaces/s/tables/t")
    answer = web.post("/namespaces/s/register", json=body)
    assert answer.json()["metadata-location"] == loaded["metadata-location"]
    refused(web.post("/namespaces/s/register", json=body), 409, "AlreadyExistsException")
    assert web.post("/namespaces/s/register", json={**body, "overwrite": True}).status_code == 200
    lost = {"name": "lost", "metadata-location": loaded["metadata"]["location"] + "/metadata/none.metadata.json"}
    refused(web.post("/namespaces/s/register", json=lost), 404, "NotFoundException", "Failed to open input stream")
    broken = Path(loaded["metadata"]["location"], "metadata", "broken.metadata.json")
    broken.write_text("{}")
    damaged = {"name": "broken", "metadata-location": str(broken)}
    refused(web.post("/namespaces/s/register", json=damaged), 400, "BadRequestException", "damaged")
    assert catalog.find(TableName("s", "broken")) is None


def test_only_snapshots_that_refs_name_are_sent_when_asked(open_door: str, catalog: Catalog) -> None:
    """`snapshots=refs` keeps answers small; without it all are sent."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    stage.publish(step("a"))
    entry = catalog.table(NAME)
    document = dict(catalog.metadata(entry).document)
    rows = [{"snapshot-id": number, "manifest-list": "x", "summary": {}, "timestamp-ms": 1} for number in (1, 2, 3)]
    refs = {"main": {"snapshot-id": 3, "type": "branch"}, "kept": {"snapshot-id": 1, "type": "tag"}}
    document |= {"snapshots": rows, "refs": refs, "current-snapshot-id": 3}
    catalog.cache.keep(entry.metadata_location, type(catalog.metadata(entry))(document, entry.metadata_location))
    url = f"{open_door}/v1/prod/namespaces/silver/tables/positions"

    def sent(how: str | None) -> list[int]:
        answer = httpx.get(url, params={"snapshots": how} if how else {}).json()
        return [row["snapshot-id"] for row in answer["metadata"]["snapshots"]]

    assert sent("refs") == [1, 3]
    assert sent("all") == sent(None) == [1, 2, 3]


def test_lost_metadata_is_not_found(web: httpx.Client, catalog: Catalog) -> None:
    """A table whose metadata file is gone is a 404 of its own type."""
    Path(made(web)["metadata-location"]).unlink()
    catalog.cache = type(catalog.cache)()
    refused(web.get("/namespaces/s/tables/t"), 404, "NotFoundException", "Failed to open input stream")


def test_web_pages_cannot_use_an_open_door(web: httpx.Client, open_door: str) -> None:
    """A browser sends an origin, or another name that was made to lead here."""
    refused(web.get("/namespaces", headers={"Origin": "http://evil.example"}), 403, "ForbiddenException")
    refused(web.get("/namespaces", headers={"Host": "evil.example:80"}), 403, "ForbiddenException")
    port = open_door.rsplit(":", 1)[1].split("/", 1)[0]
    assert web.get("/namespaces", headers={"Host": f"localhost:{port}"}).status_code == 200


def test_a_token_is_for_one_environment(open_door: str, catalog: Catalog) -> None:
    """A token of prod opens nothing of dev; its configuration names its own."""
    token = catalog.read_token()
    headers = {"Authorization": f"Bearer {token}"}
    config = httpx.get(f"{open_door}/v1/config", params={"warehouse": "dev"}, headers=headers).json()
    assert config["overrides"] == {"prefix": "prod"}
    refused(httpx.get(f"{open_door}/v1/dev/namespaces", headers=headers), 403, "ForbiddenException")
    anonymous = httpx.get(f"{open_door}/v1/prod/namespaces", headers={"Authorization": "Bearer None"})
    assert anonymous.status_code == 200


def test_a_step_cannot_drop_namespaces(open_door: str, web: httpx.Client, catalog: Catalog) -> None:
    """Namespaces are no part of what a step publishes."""
    headers = {"Authorization": f"Bearer {catalog.begin('a').token}"}
    refused(web.delete("/namespaces/s", headers=headers), 403, "ForbiddenException")
    assert web.get("/namespaces/gold", headers=headers).status_code == 200
    refused(web.get("/namespaces/gold"), 404, "NoSuchNamespaceException")


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("MP-3015", 500, "CommitStateUnknownException"),
        ("MP-3018", 503, "ServiceUnavailableException"),
        ("MP-3039", 503, "ServiceUnavailableException"),
        ("MP-3059", 503, "ServiceUnavailableException"),
    ],
)
def test_only_an_unknown_outcome_is_a_500(
    code: str, status: int, kind: str, web: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses before anything was committed says so with another status."""
    made(web)

    def fail(*_: object) -> None:
        raise CatalogError(code, "the disk", next_step="free space")

    monkeypatch.setattr(publishing.Publisher, "_record", fail)
    body = {"updates": [{"action": "set-properties", "updates": {"a": "1"}}]}
    refused(web.post("/namespaces/s/tables/t", json=body), status, kind, "the disk")


def test_a_defect_is_no_500_and_tells_nothing(
    web: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw is logged here and answered without its words."""
    made(web)

    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(publishing.Publisher, "_attempt", fail)
    body = {"updates": [{"action": "set-properties", "updates": {"a": "1"}}]}
    answer = web.post("/namespaces/s/tables/t", json=body)
    refused(answer, 400, "BadRequestException", "log")
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_the_gateway_starts_and_stops_quickly(catalog: Catalog) -> None:
    """Both take milliseconds; it can be started again, and a connection that is open does not hold it up."""
    gateway = Gateway(catalog)
    took = []
    for _ in range(3):
        began = time.perf_counter()
        door = gateway.start()
        with httpx.Client() as client:
            assert client.get(door.replace("/iceberg", "/health/live")).status_code == 200
            gateway.stop()
        took.append(time.perf_counter() - began)
    gateway.stop()
    assert min(took) < 0.5
    assert not [thread for thread in threading.enumerate() if thread.name == "millpond-gateway"]


def test_answers_do_not_wait_for_the_network(web: httpx.Client) -> None:
    """Head and body of an answer leave at once: no request takes the 40 ms of a delayed acknowledgement."""
    took = []
    for _ in range(20):
        began = time.perf_counter()
        web.get("/namespaces")
        took.append(time.perf_counter() - began)
    assert min(took) < 0.03


def test_serving_announces_itself_and_ends(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """`serve` blocks, tells the endpoint once it answers, and cleans up."""
    servers: list[Any] = []
    announcing = server._Announcing
    monkeypatch.setattr(server, "_Announcing", lambda *args: servers.append(announcing(*args)) or servers[0])
    ready: list[str] = []
    up = threading.Event()
    told = threading.Thread(target=serve, args=(catalog, "127.0.0.1", 0, True, lambda at: (ready.append(at), up.set())))
    told.start()
    assert up.wait(10)
    assert httpx.get(f"{ready[0]}/v1/namespaces").json()["namespaces"] == []
    servers[0].should_exit = True
    told.join(10)
    assert not told.is_alive()


def test_an_open_door_is_for_this_machine_only(catalog: Catalog) -> None:
    """Other machines would need no token either."""
    with pytest.raises(HostError) as refusal:
        serve(catalog, "0.0.0.0", 0, True, print)
    assert refusal.value.code == "MP-9024"


def test_a_taken_port_is_an_error_with_a_next_step(catalog: Catalog) -> None:
    """Another program has the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(HostError) as refusal:
        serve(catalog, "127.0.0.1", taken.getsockname()[1], False, print)
    assert refusal.value.code == "MP-9023"


def test_an_empty_address_is_not_every_address(catalog: Catalog) -> None:
    """Such as that of a variable which is not set: the system would listen to all networks."""
    with pytest.raises(HostError) as refusal:
        serve(catalog, "", 0, False, print)
    assert refusal.value.code == "MP-9023"
