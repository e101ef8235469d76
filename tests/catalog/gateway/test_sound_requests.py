"""Requests that the specification forbids, or that ask for nothing: each is answered so that the sender sees why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from millpond.catalog.catalog import Catalog

from .talk import COLUMNS, made


def commit(web: httpx.Client, *updates: dict[str, Any]) -> httpx.Response:
    """Send a commit on a table."""
    return web.post("/namespaces/s/tables/t", json={"requirements": [], "updates": list(updates)})


NEWER = ("timestamp_ns", "timestamptz_ns", "variant", "unknown", "geometry", "geography(OGC:CRS84, spherical)")


def column(number: int, kind: Any, **more: Any) -> dict[str, Any]:
    """A field of a schema."""
    return {"id": number, "name": f"c{number}", "required": False, "type": kind, **more}


def listed(kind: str) -> dict[str, Any]:
    """A list of a type."""
    return {"type": "list", "element-id": 9, "element": kind, "element-required": False}


@pytest.mark.parametrize("kind", NEWER)
def test_a_type_of_format_3_is_refused_in_a_table_of_format_2(web: httpx.Client, kind: str) -> None:
    """When the table is made, and when a schema is added; nested or not. Format 3 takes it."""
    told = "Invalid schema for v2: Invalid type for"
    for name, typed in (("c1", kind), ("c1.element", listed(kind))):
        schema = {"type": "struct", "fields": [column(1, typed)]}
        answer = web.post("/namespaces/s/tables", json={"name": "x", "schema": schema})
        assert answer.json()["error"]["message"] == f"{told} {name}: {kind} is not supported until v3"
    made(web)
    added = {"action": "add-schema", "schema": {"type": "struct", "fields": [*COLUMNS["fields"], column(7, kind)]}}
    answer = commit(web, added)
    assert (answer.status_code, told in answer.json()["error"]["message"]) == (400, True)
    assert commit(web, {"action": "upgrade-format-version", "format-version": 3}, added).status_code == 200
    newer = {"name": "y", "schema": schema, "properties": {"format-version": "3"}}
    assert web.post("/namespaces/s/tables", json=newer).status_code == 200


@pytest.mark.parametrize("word", ["initial-default", "write-default"])
def test_a_default_is_refused_in_a_table_of_format_2(web: httpx.Client, word: str) -> None:
    """The specification has defaults from format 3 on; null is none."""
    schema = {"type": "struct", "fields": [column(1, "int", **{word: 5})]}
    answer = web.post("/namespaces/s/tables", json={"name": "x", "schema": schema})
    message = f"Invalid schema for v2: Invalid {word.replace('-', ' ')} for c1: non-null default (5) is not"
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)
    made(web)
    answer = commit(
        web,
        {"action": "add-schema", "schema": schema | {"fields": [*COLUMNS["fields"], column(7, "int", **{word: 5})]}},
    )
    assert (answer.status_code, "Invalid schema for v2" in answer.json()["error"]["message"]) == (400, True)
    null = {"type": "struct", "fields": [column(1, "int", **{word: None})]}
    assert web.post("/namespaces/s/tables", json={"name": "x", "schema": null}).status_code == 200


def test_an_id_that_two_fields_have_is_refused(web: httpx.Client) -> None:
    """Fresh ids are given on creation, but spec and order would mean either."""
    for fields in ([column(1, "int"), column(1, "long") | {"name": "b"}], [column(9, listed("int"))]):
        answer = web.post("/namespaces/s/tables", json={"name": "x", "schema": {"type": "struct", "fields": fields}})
        assert answer.status_code == 400
        assert answer.json()["error"]["message"] == "Invalid schema: an id stands for two fields: " + str(
            fields[0]["id"]
        )


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"partition-spec": {"fields": [{"source-id": 99, "name": "p", "transform": "identity"}]}},
            "Cannot find source column for partition field: p: identity(99)",
        ),
        (
            {
                "write-order": {
                    "order-id": 1,
                    "fields": [
                        {"source-id": 99, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}
                    ],
                }
            },
            "Cannot find source column for sort field: identity(99) asc nulls-first",
        ),
    ],
)
def test_a_column_that_is_not_there_is_named(web: httpx.Client, part: dict[str, Any], message: str) -> None:
    """When a table is made, and when a spec or order is added."""
    answer = web.post("/namespaces/s/tables", json={"name": "x", "schema": COLUMNS, **part})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)
    made(web)
    (value,) = part.values()
    word = "spec" if "partition-spec" in part else "sort-order"
    answer = commit(web, {"action": f"add-{word}", word: value})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, message)


def test_an_identifier_that_is_no_field_is_named(web: httpx.Client) -> None:
    """When a table is made, and when a schema is added."""
    message = "Cannot add fieldId 99 as an identifier field: field does not exist"
    schema = {**COLUMNS, "identifier-field-ids": [99]}
    answer = web.post("/namespaces/s/tables", json={"name": "x", "schema": schema})
    assert (answer.status_code, message in answer.json()["error"]["message"]) == (400, True)
    made(web)
    answer = commit(web, {"action": "add-schema", "schema": schema})
    assert (answer.status_code, message in answer.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (column(1, "double", required=True), "must not be float or double field"),
        (column(1, "int"), "not a required field"),
        (column(1, listed("int"), required=True), "not a primitive type field"),
        (
            column(2, {"type": "struct", "fields": [column(1, "int", required=True)]}),
            "not a required field",
        ),
    ],
)
def test_an_identifier_that_identifies_nothing_is_refused(web: httpx.Client, field: Any, reason: str) -> None:
    """Readers of such a table would refuse it for good."""
    schema = {"type": "struct", "fields": [field], "identifier-field-ids": [1]}
    answer = web.post("/namespaces/s/tables", json={"name": "x", "schema": schema})
    assert (answer.status_code, reason in answer.json()["error"]["message"]) == (400, True)
    made(web)
    answer = commit(web, {"action": "add-schema", "schema": schema})
    assert (answer.status_code, reason in answer.json()["error"]["message"]) == (400, True)
    good = {"type": "struct", "fields": [column(1, "int", required=True)], "identifier-field-ids": [1]}
    assert web.post("/namespaces/s/tables", json={"name": "x", "schema": good}).status_code == 200


def test_a_spec_is_held_to_the_columns_when_it_is_added(web: httpx.Client) -> None:
    """A name used twice, a name of another column, an id that is another field's; a field may be taken up again."""
    made(web)
    first = COLUMNS["fields"][0]

    def spec(*fields: tuple[int, str, str, int | None]) -> dict[str, Any]:
        rows = [
            {"source-id": source, "name": name, "transform": transform}
            | ({} if number is None else {"field-id": number})
            for source, name, transform, number in fields
        ]
        return {"action": "add-spec", "spec": {"fields": rows}}

    number = 1
    wrong = {
        "Cannot use partition name more than once: p": spec(
            (number, "p", "bucket[4]", None), (number, "p", "bucket[8]", None)
        ),
        f"Cannot create partition from name that exists in schema: {first['name']}": spec(
            (number, first["name"], "bucket[4]", None)
        ),
        f"Cannot partition {first['name']} by day": spec((number, "p", "day", None)),
    }
    for message, update in wrong.items():
        answer = commit(web, update)
        assert (answer.status_code, answer.json()["error"]["message"].startswith(message)) == (400, True)
    assert commit(web, spec((number, "p", "bucket[4]", 1000))).status_code == 200
    answer = commit(web, spec((number, "q", "bucket[8]", 1000)))
    assert answer.json()["error"]["message"] == "Cannot use field id 1000 of p for q"
    assert commit(web, spec((number, "again", "bucket[4]", 1000))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"requirements": [], "updates": []},
        {"requirements": [{"type": "assert-current-schema-id", "current-schema-id": 0}]},
    ],
)
def test_a_commit_that_changes_nothing_is_no_commit(web: httpx.Client, catalog: Catalog, body: dict[str, Any]) -> None:
    """The table is told as it is; what must hold is still judged."""
    first = made(web)
    head = catalog.head()
    answer = web.post("/namespaces/s/tables/t", json=body)
    assert answer.status_code == 200
    assert answer.json()["metadata-location"] == first["metadata-location"]
    assert answer.json()["metadata"] == first["metadata"]
    named = {"identifier": {"namespace": ["s"], "name": "t"}, **body}
    assert web.post("/transactions/commit", json={"table-changes": [named]}).status_code == 204
    assert catalog.head() == head
    wrong = [{"type": "assert-current-schema-id", "current-schema-id": 7}]
    assert web.post("/namespaces/s/tables/t", json={"requirements": wrong, "updates": []}).status_code == 409
    assert web.post("/namespaces/s/tables/nowhere", json=body).status_code == 404


UNREADABLE = ("decimal(39,2)", "decimal(99,200)", "decimal(5,6)", "decimal(0,0)", "fixed[0]", "fixed[-1]", "fixed[x]")


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_type_that_nobody_could_read_is_refused(web: httpx.Client, kind: str) -> None:
    """When the table is made, and when a schema is added; nested or not."""
    made(web)
    for name, typed in (("c1", kind), ("c1.element", listed(kind))):
        schema = {"type": "struct", "fields": [column(1, typed)]}
        for answer in (
            web.post("/namespaces/s/tables", json={"name": "x", "schema": schema}),
            commit(web, {"action": "add-schema", "schema": schema}),
        ):
            assert answer.status_code == 400
            assert answer.json()["error"]["message"] == f"Invalid schema: {name} cannot be {kind}"


@pytest.mark.parametrize("kind", ["decimal(38,38)", "decimal(1, 0)", "decimal( 10 , 2 )", "fixed[16]"])
def test_types_with_their_digits_are_taken_as_before(web: httpx.Client, kind: str) -> None:
    """With spaces too, as some writers have them."""
    schema = {"type": "struct", "fields": [column(1, kind)]}
    assert web.post("/namespaces/s/tables", json={"name": "x", "schema": schema}).status_code == 200


@pytest.mark.parametrize("version", ["²", "9" * 5000, "٣"])
def test_a_format_version_is_a_number_of_plain_digits(
    web: httpx.Client, version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What only looks like one is refused with the reason, and is no defect for the log."""
    body = {"name": "x", "schema": COLUMNS, "properties": {"format-version": version}}
    answer = web.post("/namespaces/s/tables", json=body)
    assert (answer.status_code, "format-version must be" in answer.json()["error"]["message"]) == (400, True)
    assert "failed" not in caplog.text


@pytest.mark.parametrize("path", ["/namespaces/s/tables/", "/namespaces/s/views/", "/namespaces/", "/namespaces/s/"])
def test_an_empty_name_is_no_list_of_all(web: httpx.Client, path: str) -> None:
    """A client that follows redirects would take the list for what it asked after."""
    answer = web.get(path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "NotFoundException")
    assert web.head(path).status_code == 404


PARTED = {
    "type": "struct",
    "fields": [
        column(1, "long"),
        column(2, listed("long")),
        column(3, {"type": "struct", "fields": [column(4, "string"), column(5, "long")]}),
    ],
}


@pytest.mark.parametrize(
    ("source", "transform", "told"),
    [
        (1, "bucket[2147483648]", "must be a transform"),
        (1, "truncate[9999999999]", "must be a transform"),
        (2, "identity", "Cannot partition by non-primitive source field"),
        (9, "identity", "Cannot partition by non-primitive source field"),
        (3, "bucket[4]", "Cannot partition by non-primitive source field"),
    ],
)
def test_a_partition_that_nobody_could_write_is_refused(
    web: httpx.Client, source: int, transform: str, told: str
) -> None:
    """Numbers beyond 32 bits, which Java cannot read, and values that are no plain ones."""
    spec = {"fields": [{"source-id": source, "name": "p", "transform": transform}]}
    answer = web.post("/namespaces/s/tables", json={"name": "x", "schema": PARTED, "partition-spec": spec})
    assert (answer.status_code, told in answer.json()["error"]["message"]) == (400, True)


def test_a_partition_by_a_field_of_a_struct_is_taken(web: httpx.Client) -> None:
    """The specification allows it, and so it does emptied fields and the largest numbers."""
    parts = [(4, "identity"), (5, "bucket[2147483647]"), (2, "void")]
    spec = {"fields": [{"source-id": at, "name": f"p{at}", "transform": word} for at, word in parts]}
    body = {"name": "x", "schema": PARTED, "partition-spec": spec}
    assert web.post("/namespaces/s/tables", json=body).status_code == 200


def test_a_wish_that_is_neither_true_nor_false_is_refused(web: httpx.Client, catalog: Catalog) -> None:
    """A table would be made that was only to be staged."""
    before = catalog.head()
    for path, body in (
        ("tables", {"name": "x", "schema": COLUMNS, "stage-create": "true"}),
        ("register", {"name": "x", "metadata-location": "/x", "overwrite": 1}),
    ):
        answer = web.post(f"/namespaces/s/{path}", json=body)
        assert (answer.status_code, "must be true or false" in answer.json()["error"]["message"]) == (400, True)
    assert catalog.head() == before


def test_metadata_that_is_nested_without_end_is_damaged(web: httpx.Client) -> None:
    """It is told so, and is no defect for the log."""
    place = Path(made(web)["metadata-location"]).with_name("deep.metadata.json")
    place.write_text("[" * 100_000)
    answer = web.post("/namespaces/s/register", json={"name": "x", "metadata-location": str(place)})
    assert (answer.status_code, "nested too deeply" in answer.json()["error"]["message"]) == (400, True)
