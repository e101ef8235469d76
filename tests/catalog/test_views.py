"""View documents: whatever clients send, what is applied is whole, and nothing is changed in place."""

from __future__ import annotations

import copy
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from millpond.catalog import namespaces, records, views
from millpond.catalog.commits import TABLE, VIEW
from millpond.catalog.store import Store
from millpond.catalog.views import ViewMetadata
from millpond.core.errors import CatalogError

FIRST_RELEASE = Path(__file__).parent / "data" / "store_0001.sql"
UUID = "9c12d441-03fe-4693-9a96-a0705ddf69c1"
SCHEMA = {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "long"}]}


def text(dialect: str, number: int) -> dict[str, Any]:
    """A representation."""
    return {"type": "sql", "dialect": dialect, "sql": f"SELECT {number}"}


def version(number: int = 1, *texts: dict[str, Any], schema: int = 0) -> dict[str, Any]:
    """A version of a view."""
    return {
        "version-id": number,
        "timestamp-ms": number,
        "schema-id": schema,
        "summary": {},
        "default-namespace": ["s"],
        "representations": list(texts) or [text("spark", number)],
    }


def fresh(**words: str) -> ViewMetadata:
    """A view with one version."""
    return views.create(SCHEMA, version(), location="/l", uuid=UUID, now_ms=5, properties=words)


NUMBERS = some.integers(-1, 6)
SCHEMAS = some.sampled_from([SCHEMA, {**SCHEMA, "fields": []}, {**SCHEMA, "schema-id": 3, "identifier-field-ids": [1]}])
TEXTS = some.lists(some.builds(text, some.sampled_from(["spark", "Spark", "trino"]), some.integers(0, 2)), max_size=2)
UPDATES = some.one_of(
    some.builds(lambda schema: {"action": "add-schema", "schema": schema}, SCHEMAS),
    some.builds(
        lambda number, texts, schema: {
            "action": "add-view-version",
            "view-version": version(number, *texts, schema=schema),
        },
        NUMBERS,
        TEXTS,
        some.integers(-1, 2),
    ),
    some.builds(lambda number: {"action": "set-current-view-version", "view-version-id": number}, NUMBERS),
    some.builds(
        lambda number: {"action": "set-properties", "updates": {"version.history.num-entries": str(number)}}, NUMBERS
    ),
    some.just({"action": "set-properties", "updates": {"replace.drop-dialect.allowed": "true"}}),
    some.just({"action": "remove-properties", "removals": ["replace.drop-dialect.allowed"]}),
)


def consistent(found: ViewMetadata) -> None:
    """Ids are given once, and what one part names another part has."""
    document = found.document
    numbers = [row["version-id"] for row in document["versions"]]
    schemas = [row["schema-id"] for row in document["schemas"]]
    assert len(numbers) == len(set(numbers))
    assert len(schemas) == len(set(schemas))
    assert document["current-version-id"] in numbers
    assert {row["schema-id"] for row in document["versions"]} <= set(schemas)
    assert {row["version-id"] for row in document["version-log"]} <= set(numbers)
    for row in document["versions"]:
        dialects = [one["dialect"].lower() for one in row["representations"]]
        assert len(dialects) == len(set(dialects)) > 0
    assert views.of(document) == found


@given(some.lists(some.lists(UPDATES, max_size=5), max_size=5))
def test_any_order_of_updates_leaves_a_whole_view(requests: list[list[dict[str, Any]]]) -> None:
    """Each request is applied or refused, and an applied one can be applied again without effect on versions."""
    present = fresh()
    for updates in requests:
        before = copy.deepcopy(present.document)
        with suppress(CatalogError):
            after = views.apply(present, updates, 9)
            consistent(after)
            assert present.document == before
            present = after


ANYTHING = some.recursive(
    some.none() | some.booleans() | some.integers(-2, 9) | some.text(max_size=3),
    lambda inner: (
        some.lists(inner, max_size=2)
        | some.dictionaries(
            some.sampled_from(
                [
                    "view-version",
                    "schema",
                    "fields",
                    "representations",
                    "type",
                    "sql",
                    "dialect",
                    "version-id",
                    "updates",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    some.sampled_from(sorted(views._UPDATES)), some.dictionaries(some.text(max_size=3), ANYTHING, max_size=2), ANYTHING
)
def test_whatever_a_client_sends_is_applied_or_refused(action: str, odd: dict[str, Any], sent: Any) -> None:
    """Nothing fails in another way."""
    members = ("view-version", "schema", "uuid", "format-version", "location", "updates", "removals", "view-version-id")
    update = {**odd, **dict.fromkeys(members, sent), "action": action}
    with suppress(CatalogError):
        consistent(views.apply(fresh(), [update], 9))
    with suppress(CatalogError):
        whole = version() | {"representations": sent, "summary": sent}
        consistent(views.create(SCHEMA, whole, location="/l", uuid=UUID, now_ms=5))


def test_a_request_that_changes_nothing_is_recognised() -> None:
    """No commit is made for it."""
    present = fresh(a="b")
    assert views.apply(present, [{"action": "set-properties", "updates": {"a": "b"}}], 9) is present


@pytest.mark.parametrize(
    "change",
    [{"format-version": 2}, {"current-version-id": 9}, {"versions": 7}, {"versions": [{}]}, {"view-uuid": None}],
)
def test_a_damaged_document_is_told(change: dict[str, Any]) -> None:
    """What lacks something is no view."""
    document = {**fresh().document, **change}
    with pytest.raises(CatalogError) as error:
        views.of({key: value for key, value in document.items() if value is not None})
    assert error.value.code == "MP-3033"


def test_a_store_of_the_first_release_gets_kinds_and_outer_namespaces(tmp_path: Path) -> None:
    """Its pointers are tables; what a dotted namespace lies in is there."""
    path = tmp_path / "catalog.db"
    with sqlite3.connect(path) as made:
        made.executescript(FIRST_RELEASE.read_text())
        made.execute("INSERT INTO namespaces VALUES ('prod', 'a.b.c', '{\"k\": \"v\"}')")
        environment = made.execute("SELECT environment FROM pointers").fetchone()[0]
    made.close()
    store = Store.open(path)
    with store.read() as connection:
        assert set(namespaces.names(connection, "prod")) >= {"a", "a.b", "a.b.c"}
        assert namespaces.properties(connection, "prod", "a.b.c") == {"k": "v"}
        assert namespaces.properties(connection, "prod", "a") == {}
        assert len(records.tables(connection, environment, None, TABLE)) == 1
        assert records.tables(connection, environment, None, VIEW) == ()
    store.close()
