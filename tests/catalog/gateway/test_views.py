"""Views through raw HTTP: every request, every text that Java's clients compare, and one name for one thing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from millpond.catalog import recording
from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import VIEW
from millpond.core.errors import CatalogError, ConflictError
from millpond.core.names import TableName
from tests.catalog.clients import SCHEMA, step

from .talk import COLUMNS, MORE_COLUMNS, added, made, properties, refused, renamed, replaced, seen, sql, version, view

NAME = TableName("s", "v")


def test_a_view_in_its_every_request(web: httpx.Client, catalog: Catalog) -> None:
    """Create, list, load, exists, drop; each change is a numbered commit."""
    before = catalog.head()
    made_ = seen(web, properties={"comment": "c"})
    assert catalog.head() == before + 1
    assert made_["metadata"]["properties"] == {"comment": "c"}
    assert made_["metadata"]["current-version-id"] == 1
    assert made_["metadata"]["versions"][0]["summary"] == {"operation": "create", "engine-name": "spark"}
    assert made_["metadata"]["version-log"] == [{"timestamp-ms": 1_700_000_000_000, "version-id": 1}]
    loaded = web.get("/namespaces/s/views/v").json()
    assert loaded == made_
    assert json.loads(Path(loaded["metadata-location"]).read_text()) == loaded["metadata"]
    listed = web.get("/namespaces/s/views").json()
    assert listed == {"identifiers": [{"namespace": ["s"], "name": "v"}], "next-page-token": None}
    assert web.head("/namespaces/s/views/v").status_code == 204
    assert web.delete("/namespaces/s/views/v").status_code == 204
    assert catalog.head() == before + 2
    assert web.head("/namespaces/s/views/v").status_code == 404
    assert web.get("/namespaces/s/views").json()["identifiers"] == []
    assert catalog.history(NAME)[0].tables == (NAME,)


def test_a_view_as_of_an_earlier_commit_is_there_still(web: httpx.Client, catalog: Catalog) -> None:
    """Dropped and replaced views stay in history, with their files."""
    seen(web)
    number = catalog.head()
    web.delete("/namespaces/s/views/v")
    entry = catalog.find(NAME, number, VIEW)
    assert entry is not None
    assert Path(entry.metadata_location).is_file()
    assert catalog.find(NAME, None, VIEW) is None


def test_a_missing_view_is_no_such_view(web: httpx.Client) -> None:
    """In a namespace that is there, and in one that is not; for every request."""
    for path in ("/namespaces/s/views/x", "/namespaces/nowhere/views/x"):
        words = f"View does not exist: {path.split('/')[2]}.x"
        refused(web.get(path), 404, "NoSuchViewException", words)
        refused(web.delete(path), 404, "NoSuchViewException", words)
        refused(web.post(path, json={"updates": []}), 404, "NoSuchViewException", words)
        assert web.head(path).status_code == 404
    refused(web.get("/namespaces/nowhere/views"), 404, "NoSuchNamespaceException")
    refused(web.post("/namespaces/nowhere/views", json=view()), 404, "NoSuchNamespaceException")
    refused(renamed(web, "views", "x", "y"), 404, "NoSuchViewException", "View does not exist: s.x")


def test_tables_and_views_share_one_space_of_names(web: httpx.Client) -> None:
    """Create, stage-create, commit, register and rename look at the other kind, in upper and lower case."""
    seen(web)
    loaded = made(web)
    exists = (409, "AlreadyExistsException")
    refused(web.post("/namespaces/s/views", json=view()), *exists, "View already exists: s.v")
    refused(web.post("/namespaces/s/views", json=view("V")), *exists, "View already exists: s.v")
    refused(web.post("/namespaces/s/views", json=view("t")), *exists, "Table with same name already exists: s.t")
    body = {"name": "v", "schema": COLUMNS}
    words = "View with same name already exists: s.v"
    refused(web.post("/namespaces/s/tables", json=body), *exists, words)
    refused(web.post("/namespaces/s/tables", json=body | {"stage-create": True}), *exists, words)
    create = {"requirements": [{"type": "assert-create"}], "updates": []}
    refused(web.post("/namespaces/s/tables/v", json=create), *exists, words)
    change = {"identifier": {"namespace": ["s"], "name": "v"}, **create}
    refused(web.post("/transactions/commit", json={"table-changes": [change]}), *exists, words)
    refused(web.post("/namespaces/s/tables/v", json={"updates": []}), 404, "NoSuchTableException")
    register = {"name": "v", "metadata-location": loaded["metadata-location"]}
    refused(web.post("/namespaces/s/register", json=register), *exists, words)
    refused(web.post("/namespaces/s/register", json=register | {"overwrite": True}), *exists, words)
    refused(replaced(web, name="t"), *exists, "Table with same name already exists: s.t")
    refused(web.get("/namespaces/s/tables/v"), 404, "NoSuchTableException")
    refused(web.get("/namespaces/s/views/t"), 404, "NoSuchViewException")
    refused(renamed(web, "views", "v", "t"), *exists, "Cannot rename s.v to s.t. Table already exists")
    refused(renamed(web, "tables", "t", "v"), *exists, "Cannot rename s.t to s.v. View already exists")


def test_a_staged_table_meets_a_view_that_came_first(web: httpx.Client) -> None:
    """Between stage-create and its commit the name was taken."""
    staged = made(web, "v", **{"stage-create": True})["metadata"]
    seen(web)
    updates = [
        {"action": "assign-uuid", "uuid": staged["table-uuid"]},
        {"action": "set-location", "location": staged["location"]},
        {"action": "add-schema", "schema": staged["schemas"][0]},
        {"action": "set-current-schema", "schema-id": -1},
    ]
    body = {"requirements": [{"type": "assert-create"}], "updates": updates}
    answer = web.post("/namespaces/s/tables/v", json=body)
    refused(answer, 409, "AlreadyExistsException", "View with same name already exists: s.v")


def test_a_step_cannot_take_a_view_s_name(web: httpx.Client, catalog: Catalog) -> None:
    """It is told when it makes its table; when the view came later, the pointer store keeps the names apart."""
    stage = catalog.begin("a")
    stage.create_table(NAME, SCHEMA)
    seen(web)
    with pytest.raises(CatalogError, match="View with same name already exists"):
        catalog.begin("b").create_table(NAME, SCHEMA)
    with pytest.raises(CatalogError, match="View with same name already exists") as error:
        stage.publish(step("a"))
    assert error.value.code == "MP-3003"
    assert [entry.name for entry in catalog.tables()] == []
    assert catalog.find(NAME) is None


def metadata_files(catalog: Catalog) -> list[Path]:
    """Every metadata file in the warehouse."""
    return sorted(Path(catalog.warehouse.root).rglob("*.metadata.json"))


def test_of_two_changes_of_one_view_the_second_is_told(web: httpx.Client, catalog: Catalog) -> None:
    """Both began at the same version: one goes in, the other is a conflict and leaves no file."""
    seen(web)
    stages = [catalog.begin(key) for key in ("a", "b")]
    for number, stage in enumerate(stages):
        stage.views.commit(NAME, (), added(sql(f"SELECT {number}")), stage.locations)
    stages[0].publish(step("a"))
    files = metadata_files(catalog)
    with pytest.raises(ConflictError) as error:
        stages[1].publish(step("b"))
    assert error.value.code == "MP-3010"
    assert metadata_files(catalog) == files
    assert len(web.get("/namespaces/s/views/v").json()["metadata"]["versions"]) == 2


def test_a_view_that_does_not_go_in_leaves_no_file(
    web: httpx.Client, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the pointer store is full: nothing was committed, and nothing is left of it."""

    def full(*_: object) -> None:
        raise CatalogError("MP-3018", "full", next_step="free space")

    with monkeypatch.context() as broken:
        broken.setattr(recording, "record", full)
        refused(web.post("/namespaces/s/views", json=view()), 503, "ServiceUnavailableException", "full")
    assert metadata_files(catalog) == []
    seen(web)


def test_a_step_sees_views_and_may_stage_one(open_door: str, web: httpx.Client, catalog: Catalog) -> None:
    """What it stages is its own until it is published, with its tables in one commit."""
    seen(web)
    stage = catalog.begin("a")
    headers = {"Authorization": f"Bearer {stage.token}"}
    assert len(web.get("/namespaces/s/views", headers=headers).json()["identifiers"]) == 1
    assert web.post("/namespaces/s/views", json=view("w"), headers=headers).status_code == 200
    assert web.get("/namespaces/s/views/w", headers=headers).json()["metadata"]["format-version"] == 1
    assert web.head("/namespaces/s/views/w").status_code == 404
    assert web.delete("/namespaces/s/views/v", headers=headers).status_code == 204
    stage.create_table(TableName("s", "t"), SCHEMA)
    number = stage.publish(step("a")).number
    assert catalog.history(limit=1)[0].tables == (TableName("s", "t"), NAME, TableName("s", "w"))
    assert [entry.name.name for entry in catalog.tables(number, VIEW)] == ["w"]


def test_renaming_a_view_keeps_its_metadata(web: httpx.Client, catalog: Catalog) -> None:
    """Also into another namespace, not into one that is missing."""
    loaded = seen(web)
    web.post("/namespaces", json={"namespace": ["other"]})
    refused(renamed(web, "views", "v", "w", "nowhere"), 404, "NoSuchNamespaceException", "does not exist: nowhere")
    assert renamed(web, "views", "v", "w", "other").status_code == 204
    assert web.get("/namespaces/other/views/w").json() == loaded
    refused(web.get("/namespaces/s/views/v"), 404, "NoSuchViewException")
    seen(web)
    refused(renamed(web, "views", "v", "v"), 409, "AlreadyExistsException", "View already exists")


def test_a_new_version_gets_the_next_id_and_schema(web: httpx.Client) -> None:
    """-1 is the last added, of schemas and of versions."""
    uuid = seen(web)["metadata"]["view-uuid"]
    updates = ({"action": "add-schema", "schema": MORE_COLUMNS}, *added(sql("SELECT 2"), **{"schema-id": -1}))
    metadata = replaced(web, *updates, uuid=uuid).json()["metadata"]
    assert [row["schema-id"] for row in metadata["schemas"]] == [0, 1]
    assert [(row["version-id"], row["schema-id"]) for row in metadata["versions"]] == [(1, 0), (2, 1)]
    assert metadata["current-version-id"] == 2
    assert [row["version-id"] for row in metadata["version-log"]] == [1, 2]


def test_an_equal_version_or_schema_is_used_again(web: httpx.Client, catalog: Catalog) -> None:
    """A repeat of the same view adds nothing, and going back to an old text makes that version current."""
    uuid = seen(web)["metadata"]["view-uuid"]
    first = version(sql("SELECT 2"))
    updates = (
        {"action": "add-schema", "schema": COLUMNS},
        {"action": "add-view-version", "view-version": first | {"schema-id": -1}},
        {"action": "set-current-view-version", "view-version-id": -1},
    )
    replaced(web, *updates, uuid=uuid)
    number = catalog.head()
    again = replaced(web, *updates, uuid=uuid)
    assert again.status_code == 200
    assert catalog.head() == number
    assert [row["version-id"] for row in again.json()["metadata"]["versions"]] == [1, 2]
    back = {"action": "set-current-view-version", "view-version-id": 1}
    metadata = replaced(web, back).json()["metadata"]
    assert metadata["current-version-id"] == 1
    assert [row["version-id"] for row in metadata["version-log"]] == [1, 2, 1]


def test_old_versions_are_trimmed(web: httpx.Client) -> None:
    """As many stay as `version.history.num-entries` says; the log has no version that is gone."""
    seen(web, properties={"version.history.num-entries": "2"})
    for number in range(2, 6):
        metadata = replaced(web, *added(sql(f"SELECT {number}"))).json()["metadata"]
    assert [row["version-id"] for row in metadata["versions"]] == [4, 5]
    assert [row["version-id"] for row in metadata["version-log"]] == [4, 5]
    for text in ("0", "-1", "x", ""):
        wanted = {"action": "set-properties", "updates": {"version.history.num-entries": text}}
        refused(replaced(web, wanted), 400, "IllegalArgumentException", f"must be positive but was {text}")


def test_a_number_of_versions_too_long_to_be_one_keeps_them_all(web: httpx.Client) -> None:
    """It is more than there will ever be."""
    seen(web, properties={"version.history.num-entries": "9" * 5000})
    assert len(replaced(web, *added(representations=[sql("SELECT 2")])).json()["metadata"]["versions"]) == 2


def test_the_current_version_is_never_trimmed(web: httpx.Client) -> None:
    """Also when it is an old one."""
    seen(web, properties={"version.history.num-entries": "1"})
    updates = [added(sql(f"SELECT {number}"))[0] for number in range(2, 5)]
    metadata = replaced(web, *updates).json()["metadata"]
    assert [row["version-id"] for row in metadata["versions"]] == [1, 2, 3, 4]
    metadata = replaced(web, properties(a="b")).json()["metadata"]
    assert [row["version-id"] for row in metadata["versions"]] == [1]


def test_one_query_for_each_dialect(web: httpx.Client) -> None:
    """At create and at replace; in upper and lower case."""
    twice = version(sql(), sql("SELECT 2", "SPARK"))
    words = "Invalid view version: Cannot add multiple queries for dialect spark"
    refused(
        web.post("/namespaces/s/views", json=view(**{"view-version": twice})), 400, "IllegalArgumentException", words
    )
    seen(web)
    refused(replaced(web, *added(sql(), sql("SELECT 2", "Spark"))), 400, "IllegalArgumentException", words)
    both = replaced(web, *added(sql(), sql(dialect="trino")))
    assert len(both.json()["metadata"]["versions"][-1]["representations"]) == 2


def test_a_dialect_is_not_lost_unless_that_is_allowed(web: httpx.Client) -> None:
    """Readers of the other engine would find no query any more."""
    seen(web)
    words = "Cannot replace view due to loss of view dialects (replace.drop-dialect.allowed=false)"
    refused(replaced(web, *added(sql(dialect="trino"))), 400, "IllegalArgumentException", words)
    allow = {"action": "set-properties", "updates": {"replace.drop-dialect.allowed": "true"}}
    assert replaced(web, allow, *added(sql(dialect="trino"))).status_code == 200


def test_requirements_of_views(web: httpx.Client) -> None:
    """Another uuid is a conflict; what views do not know is a bad request."""
    seen(web)
    refused(
        replaced(web, properties(a="b"), uuid="other"),
        409,
        "CommitFailedException",
        "Requirement failed: view UUID does not match: expected",
    )
    body = {"requirements": [{"type": "assert-table-uuid", "uuid": "x"}], "updates": []}
    refused(web.post("/namespaces/s/views/v", json=body), 400, "BadRequestException", "Unknown requirement")
    refused(replaced(web, {"action": "add-snapshot"}), 400, "BadRequestException", "Unknown update")


def senseless() -> list[tuple[dict[str, Any], str]]:
    """Updates of a view that cannot be made, and what is said of them."""
    return [
        ({"action": "set-current-view-version", "view-version-id": 9}, "unknown version: 9"),
        ({"action": "set-current-view-version", "view-version-id": -1}, "no current version id has been set"),
        ({"action": "set-current-view-version"}, "Invalid view: updates[0].view-version-id must be a whole number"),
        (added(**{"schema-id": 9})[0], "unknown schema: 9"),
        (added(**{"schema-id": -1})[0], "no schema has been added"),
        (added(**{"schema-id": "x"})[0], "whole numbers"),
        (added(representations=[])[0], "no representations"),
        (added(representations=[{"type": "sql"}])[0], "version.representations[0].sql must be a text"),
        (added(representations=[{"type": "sql", "sql": "x"}])[0], "version.representations[0].dialect must be a text"),
        (added(representations=[None])[0], "version.representations[0] must be an object"),
        (added(**{"default-namespace": "s"})[0], "default-namespace"),
        ({"action": "add-view-version"}, "Invalid view: updates[0].view-version must be an object"),
        ({"action": "add-schema", "schema": {"fields": 7}}, "Invalid view: updates[0].schema.fields must be a list"),
        ({"action": "assign-uuid", "uuid": "other"}, "Cannot reassign uuid"),
        ({"action": "upgrade-format-version", "format-version": 0}, "Cannot downgrade v1 view to v0"),
        ({"action": "upgrade-format-version", "format-version": 2}, "format version"),
        (
            {"action": "upgrade-format-version", "format-version": "x"},
            "updates[0].format-version must be a whole number",
        ),
        ({"action": "assign-uuid"}, "Invalid view: updates[0].uuid must be a text"),
        ({"action": "remove-properties"}, "Invalid view: updates[0].removals must be a list"),
    ]


@pytest.mark.parametrize(("update", "words"), senseless())
def test_views_without_sense_are_illegal_arguments(update: dict[str, Any], words: str, web: httpx.Client) -> None:
    """Java's clients map the type, not the status; nothing is changed."""
    before = seen(web)
    refused(replaced(web, update), 400, "IllegalArgumentException", words)
    assert web.get("/namespaces/s/views/v").json() == before


def test_new_views_without_sense_are_refused(web: httpx.Client, catalog: Catalog) -> None:
    """Whatever is missing, the answer is a 400 in the one shape."""
    before = catalog.head()
    for body in (
        {},
        {"name": "v"},
        view(schema=None),
        view(**{"view-version": None}),
        view(**{"view-version": {}}),
        view(**{"view-version": {"representations": [7]}}),
        view(**{"view-version": {"representations": [sql()], "default-namespace": [7]}}),
        view("a/b"),
        view(properties={"a": 1}),
        view(properties={"write.metadata.path": "/etc"}),
        view(location="s3://bucket/v"),
        view(location="/etc/v"),
    ):
        assert web.post("/namespaces/s/views", json=body).status_code == 400, body
    assert catalog.head() == before


def test_properties_and_location_of_views(web: httpx.Client, catalog: Catalog) -> None:
    """Set and removed; a location may move within the warehouse, and nowhere else."""
    seen(web)
    metadata = replaced(web, properties(a="1", b="2")).json()["metadata"]
    assert metadata["properties"] == {"a": "1", "b": "2"}
    metadata = replaced(web, {"action": "remove-properties", "removals": ["a", "c"]}).json()["metadata"]
    assert metadata["properties"] == {"b": "2"}
    assert len(metadata["version-log"]) == 1
    place = f"{catalog.warehouse.root}/s/elsewhere"
    moved = replaced(web, {"action": "set-location", "location": f"file://{place}/"}).json()
    assert moved["metadata"]["location"] == place
    assert Path(moved["metadata-location"]).parent == Path(place, "metadata")
    for hostile in ("/etc", "s3://b/x", "x", None, f"{catalog.warehouse.root}/../x"):
        refused(replaced(web, {"action": "set-location", "location": hostile}), 400, "BadRequestException", "refused")
    table = made(web)["metadata"]["location"]
    inside = {"action": "set-location", "location": f"{table}/inside"}
    refused(replaced(web, inside), 400, "BadRequestException", "another table")


def test_a_table_is_not_laid_over_a_view(web: httpx.Client) -> None:
    """Files of one would be taken for those of the other."""
    location = seen(web)["metadata"]["location"]
    for place in (location, f"{location}/metadata", f"file://{location}", str(Path(location).parent)):
        body = {"name": "x", "schema": COLUMNS, "location": place}
        refused(web.post("/namespaces/s/tables", json=body), 400, "BadRequestException", "another table")
        refused(web.post("/namespaces/s/views", json=view("x", location=place)), 400, "BadRequestException")


def test_views_honour_their_metadata_path(web: httpx.Client, catalog: Catalog) -> None:
    """At create and when it is changed later."""
    location = f"{catalog.warehouse.root}/s/mine"
    loaded = seen(web, location=location, properties={"write.metadata.path": f"{location}/here"})
    assert Path(loaded["metadata-location"]).parent == Path(location, "here")
    later = {"action": "set-properties", "updates": {"write.metadata.path": f"{location}/there"}}
    loaded = replaced(web, later).json()
    assert Path(loaded["metadata-location"]).parent == Path(location, "there")
    outside = {"action": "set-properties", "updates": {"write.metadata.path": f"{location}-not"}}
    refused(replaced(web, outside), 400, "BadRequestException", "own location")


def test_registering_a_view(web: httpx.Client, catalog: Catalog) -> None:
    """A dropped view gets a name again: by path, `file:` or `local:` URL."""
    loaded = seen(web)
    path = loaded["metadata-location"]

    def register(location: str, name: str = "again") -> httpx.Response:
        return web.post("/namespaces/s/register-view", json={"name": name, "metadata-location": location})

    refused(register(path), 400, "BadRequestException", "another table")
    for location in (path, f"file://{path}", f"local://{path}"):
        web.delete("/namespaces/s/views/v")
        web.delete("/namespaces/s/views/again")
        assert register(location).json()["metadata"] == loaded["metadata"]
    refused(register(path), 409, "AlreadyExistsException", "View already exists: s.again")
    made(web)
    refused(register(path, "t"), 409, "AlreadyExistsException", "Table with same name already exists")
    web.delete("/namespaces/s/views/again")
    refused(register(f"{path}.not"), 404, "NotFoundException", "Failed to open input stream for file")
    table = web.get("/namespaces/s/tables/t").json()["metadata-location"]
    refused(register(table), 400, "BadRequestException", "damaged")
    refused(register("/etc/passwd"), 400, "BadRequestException", "refused")
    Path(path).write_text('{"format-version": 1}')
    refused(register(path), 400, "BadRequestException", "damaged")


def test_lost_metadata_of_a_view_is_not_found(web: httpx.Client) -> None:
    """The name is there, its file is not."""
    Path(seen(web)["metadata-location"]).unlink()
    refused(web.get("/namespaces/s/views/v"), 404, "NotFoundException", "Failed to open input stream for file")


def test_a_namespace_with_a_view_is_not_empty(web: httpx.Client) -> None:
    """It can be dropped when the view is."""
    seen(web)
    refused(web.delete("/namespaces/s"), 409, "NamespaceNotEmptyException", "Namespace is not empty: s")
    web.delete("/namespaces/s/views/v")
    assert web.delete("/namespaces/s").status_code == 204


def test_a_reader_s_token_changes_no_view(web: httpx.Client, catalog: Catalog) -> None:
    """It may list and load."""
    seen(web)
    headers = {"Authorization": f"Bearer {catalog.read_token()}"}
    assert web.get("/namespaces/s/views/v", headers=headers).status_code == 200
    for answer in (
        web.post("/namespaces/s/views", json=view("w"), headers=headers),
        web.delete("/namespaces/s/views/v", headers=headers),
        web.post("/namespaces/s/views/v", json={"updates": []}, headers=headers),
    ):
        refused(answer, 403, "ForbiddenException")
