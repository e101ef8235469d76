"""Table metadata as a value: made, changed, trimmed, and readable by others."""

from __future__ import annotations

import copy
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyiceberg.table.metadata import TableMetadataUtil

from millpond.catalog import metadata as tables
from millpond.catalog.metadata import TableMetadata, already_in, apply, create, of, trim
from millpond.catalog.times import shown
from millpond.catalog.types import schema_json
from millpond.catalog.updates import _UPDATES
from millpond.core.errors import CatalogError
from millpond.core.schema import Column, Schema

COLUMNS = Schema((Column("a", "BIGINT"), Column("ts", "TIMESTAMP"), Column("s", "STRUCT(x INTEGER)")))
UUID = "9c12d441-03fe-4693-9a96-a0705ddf69c1"


def table(**more: Any) -> TableMetadata:
    """A new table of three columns."""
    return create(schema_json(COLUMNS), location="/lake/silver/t/", uuid=UUID, now_ms=1000, **more)


def snapshot(number: int, sequence: int, parent: int | None = None, at: int = 2000) -> dict[str, Any]:
    """A snapshot as clients send it."""
    sent = {
        "snapshot-id": number,
        "sequence-number": sequence,
        "timestamp-ms": at,
        "manifest-list": f"/lake/silver/t/metadata/snap-{number}.avro",
        "summary": {"operation": "append"},
        "schema-id": 0,
    }
    return sent if parent is None else sent | {"parent-snapshot-id": parent}


def append(number: int, sequence: int, parent: int | None = None, at: int = 2000) -> list[dict[str, Any]]:
    """The two updates of a write."""
    return [
        {"action": "add-snapshot", "snapshot": snapshot(number, sequence, parent, at)},
        {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": number},
    ]


def grown(count: int) -> TableMetadata:
    """A table after some writes; snapshot ids from 1."""
    found = table()
    for number in range(1, count + 1):
        found = apply(found, append(number, number, number - 1 or None, 1000 + number), 1000 + number)
    return found


def test_a_new_table_says_what_it_is() -> None:
    """Location without a slash, version 2, no snapshot, ids from 1."""
    made = table(properties={"owner": "me"})
    assert (made.uuid, made.location, made.format_version) == (UUID, "/lake/silver/t", 2)
    assert made.current_snapshot is None
    assert made.snapshots == ()
    assert made.sequence_number == 0
    assert made.properties == {"owner": "me"}
    assert made.field_ids() == {"a": 1, "ts": 2, "s": 3}
    assert made.schema() == Schema((COLUMNS.columns[0], COLUMNS.columns[1], Column("s", 'STRUCT("x" INTEGER)')))
    assert made.document["last-column-id"] == 4
    assert made.spec == {"spec-id": 0, "fields": []}


def test_spec_and_sort_order_of_a_new_table_follow_its_ids() -> None:
    """A client may number from 0 as Spark does."""
    schema = {"type": "struct", "fields": [{"id": 0, "name": "d", "required": False, "type": "date"}]}
    spec = {"fields": [{"source-id": 0, "field-id": 0, "name": "d_day", "transform": "day"}]}
    order = {
        "order-id": 4,
        "fields": [{"source-id": 0, "transform": "identity", "direction": "asc", "null-order": "nulls-first"}],
    }
    made = create(schema, location="/l", uuid=UUID, now_ms=1, spec=spec, sort_order=order)
    assert made.document["partition-specs"][0]["fields"][0]["source-id"] == 1
    assert made.document["last-partition-id"] == 1000
    assert (made.document["default-sort-order-id"], made.document["sort-orders"][0]["fields"][0]["source-id"]) == (1, 1)


@pytest.mark.parametrize(
    "wrong", [{"spec": {"fields": [{"source-id": 99}]}}, {"sort_order": {"fields": [{}]}}, {"format_version": 9}]
)
def test_a_table_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    """Specs and orders over unknown columns, formats that do not exist."""
    with pytest.raises(CatalogError) as refused:
        table(**wrong)
    assert refused.value.code == "MP-3030"


@pytest.mark.parametrize("version", [1, 2])
def test_others_can_read_what_is_written(version: int) -> None:
    """PyIceberg parses a new table and a grown one."""
    made = apply(table(format_version=version), append(1, 1), 2000)
    made = apply(TableMetadata(made.document, "/lake/silver/t/metadata/0.metadata.json"), append(2, 2, 1, 3000), 3000)
    read = TableMetadataUtil.parse_raw(json.dumps(made.document))
    assert read.current_snapshot_id == 2
    assert [entry.snapshot_id for entry in read.snapshot_log] == [1, 2]
    assert [entry.metadata_file for entry in read.metadata_log] == [made.document["metadata-log"][0]["metadata-file"]]


def test_a_staged_creation_is_made_of_updates_alone() -> None:
    """What DuckDB sends with `assert-create` gives the whole table, its first rows too."""
    first = table()
    updates = [
        {"action": "assign-uuid", "uuid": UUID},
        {"action": "upgrade-format-version", "format-version": 2},
        {"action": "add-schema", "last-column-id": 4, "schema": first.schema_document},
        {"action": "add-spec", "spec": {"spec-id": 0, "fields": []}},
        {"action": "set-default-spec", "spec-id": 0},
        {"action": "add-sort-order", "sort-order": {"order-id": 0, "fields": []}},
        {"action": "set-default-sort-order", "sort-order-id": 0},
        {"action": "set-location", "location": "/lake/silver/t"},
        {"action": "set-properties", "updates": {"format-version": "2"}},
        {"action": "set-current-schema", "schema-id": 0},
        *append(5, 1),
    ]
    made = apply(None, updates, 3000)
    for member in (
        "schemas",
        "partition-specs",
        "sort-orders",
        "current-schema-id",
        "default-spec-id",
        "last-column-id",
    ):
        assert made.document[member] == first.document[member]
    assert made.current_snapshot == snapshot(5, 1)
    TableMetadataUtil.parse_raw(json.dumps(made.document))


def test_a_staged_creation_may_leave_out_spec_and_order() -> None:
    """Both then are empty."""
    updates = [
        {"action": "assign-uuid", "uuid": UUID},
        {"action": "add-schema", "schema": table().schema_document},
        {"action": "set-current-schema", "schema-id": -1},
        {"action": "set-location", "location": "/lake/silver/t"},
    ]
    made = apply(None, updates, 1000)
    assert made.spec["fields"] == []
    assert made.document["default-sort-order-id"] == 0


def test_a_creation_that_says_too_little_is_refused() -> None:
    """Without a location there is no table."""
    with pytest.raises(CatalogError, match="location"):
        apply(None, [{"action": "assign-uuid", "uuid": UUID}], 1000)


def test_a_second_creation_does_not_see_the_first() -> None:
    """The empty document that creations begin with is never written into."""
    test_a_staged_creation_is_made_of_updates_alone()
    with pytest.raises(CatalogError):
        apply(None, [], 1)
    assert tables._EMPTY["schemas"] == []
    assert tables._EMPTY["snapshots"] == []


def test_a_repeated_request_is_recognised() -> None:
    """When every snapshot that it adds is in, the first answer was lost."""
    found = grown(3)
    assert already_in(found, append(3, 3, 2))
    assert already_in(found, [*append(2, 2, 1), *append(3, 3, 2)])
    assert not already_in(found, [*append(3, 3, 2), *append(4, 4, 3)])
    assert not already_in(found, [{"action": "set-properties", "updates": {}}])


def test_trimming_keeps_what_is_read() -> None:
    """Refs, the newest, and what is asked for stay; log and statistics of the others go with them."""
    found = apply(
        grown(30),
        [
            {"action": "set-snapshot-ref", "ref-name": "v1", "type": "tag", "snapshot-id": 4},
            {"action": "set-statistics", "statistics": {"snapshot-id": 2, "statistics-path": "x"}},
        ],
        5000,
    )
    kept = trim(found, keep={7}, recent=3)
    assert [row["snapshot-id"] for row in kept.snapshots] == [4, 7, 28, 29, 30]
    assert [row["snapshot-id"] for row in kept.document["snapshot-log"]] == [4, 7, 28, 29, 30]
    assert kept.document["statistics"] == []
    assert kept.current_snapshot == found.current_snapshot
    assert len(found.snapshots) == 30
    TableMetadataUtil.parse_raw(json.dumps(kept.document))


def test_trimming_keeps_what_a_client_staged_for_as_long_as_iceberg_does() -> None:
    """What never was current, and is not on the way to what is, may still be published; not what an append passed."""
    staged, passed, newest = snapshot(90, 10, 3), snapshot(91, 11, 9), snapshot(92, 12, 91)
    updates = [{"action": "add-snapshot", "snapshot": row} for row in (staged, passed, newest)]
    made = {"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 92}
    found = apply(grown(9), [*updates, made], 5000)
    assert [row["snapshot-id"] for row in trim(found, recent=0).snapshots] == [90, 92]
    late = apply(found, [], 5000 + tables.STAGED_MS)
    assert [row["snapshot-id"] for row in trim(late, recent=0).snapshots] == [92]


def test_trimming_what_is_short_changes_nothing() -> None:
    """The same value comes back."""
    found = grown(3)
    assert trim(found, recent=3) is found
    assert trim(table()) == table()


def test_the_log_of_metadata_files_stays_short() -> None:
    """The pointer store knows them all."""
    found = grown(2)
    for number in range(tables.METADATA_LOG + 5):
        found = TableMetadata(found.document, f"/m/{number}.json")
        found = apply(found, [{"action": "set-properties", "updates": {"n": str(number)}}], 3000 + number)
    log = found.document["metadata-log"]
    assert len(log) == tables.METADATA_LOG
    assert log[-1]["metadata-file"] == f"/m/{tables.METADATA_LOG + 4}.json"


def test_a_write_costs_no_copy_of_the_history() -> None:
    """Ten thousand snapshots make a commit no slower than a list of references takes to copy."""
    found = grown(5)
    history = [snapshot(number, 5) for number in range(100, 10_100)]
    found = TableMetadata({**found.document, "snapshots": [*history, *found.snapshots]})
    best = min(_seconds(found, number) for number in range(20_000, 20_005))
    assert best < 0.01


def _seconds(found: TableMetadata, number: int) -> float:
    begun = time.perf_counter()
    apply(found, append(number, 6, 5), 3000)
    return time.perf_counter() - begun


MEMBERS = (
    *(
        "schema",
        "fields",
        "id",
        "name",
        "required",
        "type",
        "element-id",
        "element",
        "key-id",
        "key",
        "value-id",
        "value",
    ),
    *("spec", "source-id", "transform", "sort-order", "snapshot", "snapshot-id", "sequence-number", "timestamp-ms"),
    *("manifest-list", "summary", "ref-name", "snapshot-ids", "updates", "removals", "location", "uuid", "statistics"),
    *("schema-id", "spec-id", "sort-order-id", "schema-ids", "spec-ids", "format-version", "identifier-field-ids"),
)
UPDATES = st.lists(
    st.one_of(
        st.integers(1, 6).map(lambda number: ("append", number)),
        st.sampled_from(["b", "c", "d"]).map(lambda name: ("column", name)),
        st.sampled_from(["identity", "bucket[4]"]).map(lambda kind: ("spec", kind)),
        st.sampled_from(["asc", "desc"]).map(lambda way: ("order", way)),
        st.sampled_from(["k", "l"]).map(lambda key: ("property", key)),
        st.integers(1, 6).map(lambda number: ("tag", number)),
        st.integers(1, 6).map(lambda number: ("expire", number)),
        st.just(("unproperty", "k")),
    ),
    max_size=12,
)


def updates_for(found: TableMetadata, what: tuple[str, Any]) -> list[dict[str, Any]]:
    """The updates that a client would send."""
    kind, value = what
    if kind == "append":
        return append(value, found.sequence_number + 1, found.document.get("current-snapshot-id"))
    if kind == "column":
        present = found.schema_document
        added = {"id": found.document["last-column-id"] + 1, "name": value, "required": False, "type": "long"}
        return [
            {"action": "add-schema", "schema": {**present, "fields": [*present["fields"], added]}},
            {"action": "set-current-schema", "schema-id": -1},
        ]
    if kind == "spec":
        field = {"source-id": 1, "name": f"a_{value[:2]}", "transform": value}
        return [{"action": "add-spec", "spec": {"fields": [field]}}, {"action": "set-default-spec", "spec-id": -1}]
    if kind == "order":
        field = {"source-id": 1, "transform": "identity", "direction": value, "null-order": "nulls-first"}
        return [
            {"action": "add-sort-order", "sort-order": {"order-id": 1, "fields": [field]}},
            {"action": "set-default-sort-order", "sort-order-id": -1},
        ]
    if kind == "tag":
        return [{"action": "set-snapshot-ref", "ref-name": "t", "type": "tag", "snapshot-id": value}]
    if kind == "expire":
        return [{"action": "remove-snapshots", "snapshot-ids": [value]}]
    if kind == "unproperty":
        return [{"action": "remove-properties", "removals": [value]}]
    return [{"action": "set-properties", "updates": {value: "1"}}]


@given(UPDATES)
def test_any_series_of_updates_leaves_the_input_alone_and_the_ids_right(series: list[tuple[str, Any]]) -> None:
    """Refused or applied: the old value stays; what ids point at exists; PyIceberg still reads the result."""
    found = table()
    for now, what in enumerate(series, start=2000):
        before = copy.deepcopy(found.document)
        old = found
        with suppress(CatalogError):
            found = apply(found, updates_for(found, what), now)
        assert old.document == before
        consistent(found)
    TableMetadataUtil.parse_raw(json.dumps(found.document))


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 10), st.sampled_from(["", "a", "main", "struct", "long", "map"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.sampled_from(sorted(_UPDATES)), st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=5))
def test_whatever_a_client_sends_is_applied_or_refused(action: str, sent: dict[str, Any]) -> None:
    """Nothing fails in another way, and what is applied leaves a table that can be read."""
    with suppress(CatalogError):
        found = apply(grown(2), [{**sent, "action": action}], 9000)
        found.schema()
        consistent(found)
    with suppress(CatalogError):
        found = create(sent, location="/l", uuid=UUID, now_ms=1, spec=sent, sort_order=sent)
        found.schema()


def consistent(found: TableMetadata) -> None:
    """Every id that the document uses is there, once."""
    document = found.document
    for rows, key, current in (
        ("schemas", "schema-id", "current-schema-id"),
        ("partition-specs", "spec-id", "default-spec-id"),
        ("sort-orders", "order-id", "default-sort-order-id"),
        ("snapshots", "snapshot-id", None),
    ):
        numbers = [row[key] for row in document[rows]]
        assert len(numbers) == len(set(numbers))
        assert current is None or document[current] in numbers
    known = {row["snapshot-id"] for row in document["snapshots"]}
    assert {ref["snapshot-id"] for ref in document["refs"].values()} <= known
    assert {row["snapshot-id"] for row in document["snapshot-log"]} <= known
    current = document.get("current-snapshot-id")
    assert document["refs"].get("main", {}).get("snapshot-id") == current
    assert found.sequence_number >= max((row["sequence-number"] for row in document["snapshots"]), default=0)
    times = [row["timestamp-ms"] for row in document["snapshot-log"]]
    assert times == sorted(times)


def test_version_1_documents_are_brought_to_the_same_form() -> None:
    """One schema, one spec and no refs become lists and `main`."""
    old = {
        "format-version": 1,
        "table-uuid": UUID,
        "location": "/l",
        "last-updated-ms": 1,
        "last-column-id": 1,
        "schema": {"type": "struct", "fields": [{"id": 1, "name": "a", "required": False, "type": "long"}]},
        "partition-spec": [{"source-id": 1, "field-id": 1000, "name": "a", "transform": "identity"}],
        "current-snapshot-id": 3,
        "snapshots": [{"snapshot-id": 3, "timestamp-ms": 1, "manifest-list": "/l/m.avro"}],
    }
    found = of(old, "/l/v1.metadata.json")
    assert found.field_ids() == {"a": 1}
    assert found.spec["fields"][0]["name"] == "a"
    assert found.document["refs"]["main"]["snapshot-id"] == 3
    assert found.sequence_number == 0
    assert "schemas" not in old


@pytest.mark.parametrize(
    "document", [{}, {"format-version": 2, "schemas": [], "partition-specs": [], "location": "/l"}]
)
def test_a_document_without_the_members_of_a_table_is_damaged(document: dict[str, Any]) -> None:
    """It is told as damage, with what is missing."""
    with pytest.raises(CatalogError) as damaged:
        of(document, "/x.json")
    assert damaged.value.code == "MP-3033"


def keys(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where each key of a document stands, itself included."""
    if isinstance(value, dict):
        return [place for key, one in value.items() for place in ((*at, key), *keys(one, (*at, key)))]
    return [place for n, one in enumerate(value) for place in keys(one, (*at, n))] if isinstance(value, list) else []


def misspelt(document: dict[str, Any], place: tuple[Any, ...]) -> dict[str, Any]:
    """The document with one key that a flipped bit made another."""
    found: Any = copy.deepcopy(document)
    inner = found
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1][:-1] + chr(ord(place[-1][-1]) ^ 1)] = inner.pop(place[-1])
    return dict(found)


def test_a_key_that_a_flipped_bit_made_another_is_told_as_damage() -> None:
    """Or it is one that nothing here reads: whatever it is, no other error comes of it."""
    full = apply(grown(3), [{"action": "set-snapshot-ref", "ref-name": "x", "type": "tag", "snapshot-id": 2}], 9000)
    spec = {"fields": [{"source-id": 2, "name": "day", "transform": "day"}]}
    full = apply(full, [{"action": "add-spec", "spec": spec}, {"action": "set-default-spec", "spec-id": -1}], 9001)
    statistics = {
        "snapshot-id": 3,
        "statistics-path": "/lake/silver/t/metadata/s.puffin",
        "file-size-in-bytes": 1,
        "file-footer-size-in-bytes": 1,
        "blob-metadata": [],
    }
    full = apply(full, [{"action": "set-statistics", "snapshot-id": 3, "statistics": statistics}], 9002)
    document = json.loads(json.dumps(full.document)) | {"metadata-log": [{"metadata-file": "/m", "timestamp-ms": 1}]}
    damaged = 0
    for place in keys(document):
        try:
            found = of(misspelt(document, place), "/x.json")
        except CatalogError:
            damaged += 1
            continue
        assert found.schema().names == ("a", "ts", "s")
        assert found.spec["fields"][0]["transform"] == "day"
        assert len(shown(found.document, 1)) == len(found.document)
        assert [row["snapshot-id"] for row in found.snapshots] == [1, 2, 3]
        assert (found.current_snapshot or {})["manifest-list"].endswith("snap-3.avro")
        assert {ref["snapshot-id"] for ref in found.document["refs"].values()} <= {1, 2, 3}
    assert damaged > 40
