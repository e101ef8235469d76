"""Each change that a client may make to a table, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from millpond.catalog.metadata import TableMetadata, apply
from millpond.catalog.updates import _UPDATES
from millpond.core.errors import CatalogError, ConflictError
from tests.catalog.test_metadata import append, grown, snapshot, table

Update = dict[str, Any]


def after(*updates: Update, start: TableMetadata | None = None) -> dict[str, Any]:
    """The document after the updates of one request."""
    return dict(apply(start or grown(3), updates, 9000).document)


def refused(*updates: Update, start: TableMetadata | None = None) -> str:
    """The reason for which they are refused."""
    with pytest.raises(CatalogError) as error:
        after(*updates, start=start)
    assert error.value.code == "MP-3030"
    return error.value.finding.message


def column(name: str, number: int) -> Update:
    """A new optional column as a field."""
    return {"id": number, "name": name, "required": False, "type": "long"}


def wider(*fields: Update, schema_id: int = 9) -> Update:
    """The update that adds a schema with more columns."""
    present = table().schema_document
    schema = {**present, "schema-id": schema_id, "fields": [*present["fields"], *fields]}
    return {"action": "add-schema", "schema": schema, "last-column-id": 4}


def spec(*fields: Update) -> Update:
    """The update that adds a partition spec."""
    return {"action": "add-spec", "spec": {"spec-id": 5, "fields": list(fields)}}


def order(direction: str, order_id: int = 1) -> Update:
    """The update that adds a sort order."""
    field = {"source-id": 1, "transform": "identity", "direction": direction, "null-order": "nulls-last"}
    return {"action": "add-sort-order", "sort-order": {"order-id": order_id, "fields": [field]}}


BUCKET = {"source-id": 1, "name": "a_bucket", "transform": "bucket[4]"}


def test_a_uuid_is_given_once() -> None:
    """The same one again is no change."""
    assert after({"action": "assign-uuid", "uuid": table().uuid})["table-uuid"] == table().uuid
    assert "reassign" in refused({"action": "assign-uuid", "uuid": "other"})


def test_formats_only_go_up() -> None:
    """Version 3 needs a counter for row ids from the start."""
    assert after({"action": "upgrade-format-version", "format-version": 3})["next-row-id"] == 0
    for wanted in (1, 4, "2"):
        assert "format version" in refused({"action": "upgrade-format-version", "format-version": wanted})


def test_version_3_counts_rows() -> None:
    """Each snapshot takes its row ids."""
    start = apply(grown(3), [{"action": "upgrade-format-version", "format-version": 3}], 9000)
    sent = {**snapshot(4, 4, 3), "first-row-id": 0, "added-rows": 12}
    assert after({"action": "add-snapshot", "snapshot": sent}, start=start)["next-row-id"] == 12


def test_a_new_schema_gets_the_next_id() -> None:
    """Whatever id the client thought of, -1 and that id mean the one it was given."""
    for wanted in (-1, 9, 1):
        document = after(wider(column("b", 5)), {"action": "set-current-schema", "schema-id": wanted})
        assert document["current-schema-id"] == 1
        assert [row["schema-id"] for row in document["schemas"]] == [0, 1]
        assert document["last-column-id"] == 5


def test_an_equal_schema_is_used_again() -> None:
    """Adding what is there already makes no second one."""
    document = after(wider(), {"action": "set-current-schema", "schema-id": -1})
    assert (len(document["schemas"]), document["current-schema-id"]) == (1, 0)


def test_a_schema_with_a_name_or_id_twice_is_refused() -> None:
    """Nobody could say which column is meant; nested names count in their own struct."""
    inner = {"type": "struct", "fields": [column("x", 6), column("x", 7)]}
    assert "multiple fields for name a" in refused(wider(column("a", 5)))
    assert "multiple fields for name x" in refused(wider({**column("n", 5), "type": inner}))
    assert "an id stands for two" in refused(wider(column("b", 1)))


def test_ids_of_columns_are_never_given_twice() -> None:
    """A dropped column's id stays used."""
    once = apply(grown(3), [wider(column("b", 5)), {"action": "set-current-schema", "schema-id": -1}], 9000)
    dropped = apply(once, [{"action": "set-current-schema", "schema-id": 0}], 9001)
    assert dropped.document["last-column-id"] == 5


def test_a_current_schema_must_exist() -> None:
    """Unknown ids, and -1 with nothing added, are refused."""
    assert "unknown schema" in refused({"action": "set-current-schema", "schema-id": 7})
    assert "no schema has been added" in refused({"action": "set-current-schema", "schema-id": -1})


def test_a_new_spec_gets_ids_for_its_fields() -> None:
    """From the last one given, and not below 1000."""
    document = after(spec(BUCKET), {"action": "set-default-spec", "spec-id": -1})
    assert document["default-spec-id"] == 1
    assert document["partition-specs"][1]["fields"][0]["field-id"] == 1000
    assert document["last-partition-id"] == 1000


def test_an_equal_spec_is_used_again() -> None:
    """Its field ids stay."""
    once = apply(grown(1), [spec({**BUCKET, "field-id": 1003})], 9000)
    document = after(spec(BUCKET), {"action": "set-default-spec", "spec-id": 5}, start=once)
    assert (document["default-spec-id"], len(document["partition-specs"]), document["last-partition-id"]) == (
        1,
        2,
        1003,
    )


def test_specs_name_columns_that_exist() -> None:
    """And default specs exist too."""
    assert "source column" in refused(spec({**BUCKET, "source-id": 77}))
    assert "unknown spec" in refused({"action": "set-default-spec", "spec-id": 3})


def test_a_sort_order_whose_id_is_taken_gets_the_next() -> None:
    """Two orders with the id 1 become 1 and 2; an equal one is used again; none is 0."""
    document = after(order("asc"), order("desc"), {"action": "set-default-sort-order", "sort-order-id": -1})
    assert [row["order-id"] for row in document["sort-orders"]] == [0, 1, 2]
    assert document["default-sort-order-id"] == 2
    again = after(order("asc"), order("asc", 7), {"action": "set-default-sort-order", "sort-order-id": 7})
    assert again["default-sort-order-id"] == 1
    unsorted = {"action": "add-sort-order", "sort-order": {"order-id": 3, "fields": []}}
    assert after(unsorted, {"action": "set-default-sort-order", "sort-order-id": -1})["default-sort-order-id"] == 0
    assert "unknown sort order" in refused({"action": "set-default-sort-order", "sort-order-id": 3})


def test_a_write_adds_a_snapshot_and_moves_main() -> None:
    """The log says when; the sequence number goes on."""
    document = after(*append(4, 4, 3, 8000))
    assert document["current-snapshot-id"] == 4
    assert document["snapshot-log"][-1] == {"timestamp-ms": 8000, "snapshot-id": 4}
    assert document["last-sequence-number"] == 4
    assert document["refs"]["main"] == {"type": "branch", "snapshot-id": 4}
    assert document["last-updated-ms"] == 9000


def test_times_rise_and_are_never_to_come() -> None:
    """Whatever clock the client goes by: else some readers would not see the snapshot, and others refuse the table."""
    late = after(*append(4, 4, 3, at=9_000_000))
    assert late["snapshots"][-1]["timestamp-ms"] == 9000
    early = after(*append(4, 4, 3, at=5))
    assert early["snapshots"][-1]["timestamp-ms"] == grown(3).snapshots[-1]["timestamp-ms"] + 1
    start = TableMetadata({**grown(3).document, "last-updated-ms": 99_000}, "/l/1.json")
    behind = after(*append(4, 4, 3, at=8000), start=start)
    assert behind["last-updated-ms"] == behind["metadata-log"][-1]["timestamp-ms"] == 99_000


def test_a_snapshot_that_was_current_within_a_request_only_is_not_logged() -> None:
    """Two statements of one transaction are one step of the table's history."""
    document = after(*append(4, 4, 3), *append(5, 5, 4))
    assert [row["snapshot-id"] for row in document["snapshot-log"]] == [1, 2, 3, 5]
    assert [row["snapshot-id"] for row in document["snapshots"]] == [1, 2, 3, 4, 5]


def test_a_snapshot_cannot_be_added_twice_or_too_late() -> None:
    """The same id, or a sequence number that is passed."""
    assert "already exists" in refused(*append(3, 4, 2))
    with pytest.raises(ConflictError, match="older than last sequence number"):
        after(*append(9, 3, 2))


@pytest.mark.parametrize(
    "broken",
    [
        {"snapshot": {}},
        {},
        {"snapshot": None},
        {"snapshot": {**snapshot(4, 4), "timestamp-ms": "now"}},
        {"snapshot": {**snapshot(4, 4), "sequence-number": "4"}},
    ],
)
def test_a_malformed_snapshot_is_refused(broken: Update) -> None:
    """The server never fails on what a client sends."""
    refused({"action": "add-snapshot", **broken})


def test_branches_and_tags_are_kept_with_their_rules() -> None:
    """Ages and counts are stored as sent."""
    sent = {"action": "set-snapshot-ref", "ref-name": "v1", "type": "tag", "snapshot-id": 2, "max-ref-age-ms": 5}
    assert after(sent)["refs"]["v1"] == {"type": "tag", "snapshot-id": 2, "max-ref-age-ms": 5}
    assert after(sent)["current-snapshot-id"] == 3
    assert "unknown snapshot" in refused({**sent, "snapshot-id": 99})
    assert "cannot become a tag" in refused({**sent, "ref-name": "main"})


def test_main_may_go_back() -> None:
    """A rollback is logged with the time it was made."""
    document = after({"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": 1})
    assert document["snapshot-log"][-1] == {"timestamp-ms": 9000, "snapshot-id": 1}


def test_without_main_a_table_is_empty() -> None:
    """Its log begins anew."""
    document = after({"action": "remove-snapshot-ref", "ref-name": "main"})
    assert (document["current-snapshot-id"], document["snapshot-log"], document["refs"]) == (None, [], {})
    assert after({"action": "remove-snapshot-ref", "ref-name": "none"})["current-snapshot-id"] == 3


def test_removed_snapshots_take_their_tags_and_statistics_along() -> None:
    """The current one stays."""
    start = apply(
        grown(3),
        [
            {"action": "set-snapshot-ref", "ref-name": "v1", "type": "tag", "snapshot-id": 1},
            {"action": "set-partition-statistics", "partition-statistics": {"snapshot-id": 1}},
        ],
        9000,
    )
    document = after({"action": "remove-snapshots", "snapshot-ids": [1, 2]}, start=start)
    assert [row["snapshot-id"] for row in document["snapshots"]] == [3]
    assert set(document["refs"]) == {"main"}
    assert document["partition-statistics"] == []
    assert "current snapshot" in refused({"action": "remove-snapshots", "snapshot-ids": [3]})


def test_properties_are_set_and_removed() -> None:
    """As text, in both of the spellings that clients use."""
    start = apply(grown(1), [{"action": "set-properties", "updates": {"a": "1", "b": 2}}], 9000)
    assert start.properties == {"a": "1", "b": "2"}
    assert after({"action": "remove-properties", "removals": ["a", "x"]}, start=start)["properties"] == {"b": "2"}
    assert after({"action": "set-properties", "updated": {"c": "3"}})["properties"] == {"c": "3"}
    assert after({"action": "remove-properties", "removed": ["b"]}, start=start)["properties"] == {"a": "1"}


def test_a_location_loses_its_last_slash() -> None:
    """Paths are put together with one."""
    assert after({"action": "set-location", "location": "/lake/x/"})["location"] == "/lake/x"


@pytest.mark.parametrize("kind", ["statistics", "partition-statistics"])
def test_statistics_are_one_for_each_snapshot(kind: str) -> None:
    """Later ones replace earlier ones."""
    first = {"action": f"set-{kind}", kind: {"snapshot-id": 3, "statistics-path": "/a"}}
    second = {"action": f"set-{kind}", kind: {"snapshot-id": 3, "statistics-path": "/b"}}
    start = apply(grown(3), [first, second], 9000)
    assert [row["statistics-path"] for row in start.document[kind]] == ["/b"]
    assert after({"action": f"remove-{kind}", "snapshot-id": 3}, start=start)[kind] == []


def test_unused_schemas_and_specs_may_go() -> None:
    """Those in use may not."""
    start = apply(
        grown(1),
        [
            wider(column("b", 5)),
            {"action": "set-current-schema", "schema-id": -1},
            spec(BUCKET),
            {"action": "set-default-spec", "spec-id": -1},
        ],
        9000,
    )
    document = after(
        {"action": "remove-schemas", "schema-ids": [0]},
        {"action": "remove-partition-specs", "spec-ids": [0]},
        start=start,
    )
    assert [row["schema-id"] for row in document["schemas"]] == [1]
    assert [row["spec-id"] for row in document["partition-specs"]] == [1]
    assert "in use" in refused({"action": "remove-schemas", "schema-ids": [1]}, start=start)
    assert "in use" in refused({"action": "remove-partition-specs", "spec-ids": [1]}, start=start)


def test_encryption_keys_are_kept_once() -> None:
    """Added by id, removed by id."""
    key = {"action": "add-encryption-key", "encryption-key": {"key-id": "k", "encrypted-key-metadata": "x"}}
    start = apply(grown(1), [key, key], 9000)
    assert [row["key-id"] for row in start.document["encryption-keys"]] == ["k"]
    assert after({"action": "remove-encryption-key", "key-id": "k"}, start=start)["encryption-keys"] == []


def test_an_unknown_update_is_refused() -> None:
    """What is not understood is not left out."""
    with pytest.raises(CatalogError) as error:
        after({"action": "add-view-version"})
    assert error.value.code == "MP-3031"


@pytest.mark.parametrize("action", sorted(set(_UPDATES)))
def test_an_update_without_its_content_is_the_client_s_error(action: str) -> None:
    """Every kind is known, and none fails in another way than by being refused."""
    refused({"action": action})


def test_a_schema_of_before_becomes_the_newest_again() -> None:
    """DuckDB numbers the next one after the current one, and would meet one that is there."""
    start = grown(3)
    back = TableMetadata(after(wider(column("x", 5)), {"action": "set-current-schema", "schema-id": -1}, start=start))
    document = after({"action": "set-current-schema", "schema-id": 0}, start=back)
    assert document["current-schema-id"] == 2
    assert [row["schema-id"] for row in document["schemas"]] == [0, 1, 2]
    assert document["schemas"][2]["fields"] == document["schemas"][0]["fields"]
    again = after({"action": "set-current-schema", "schema-id": 2}, start=TableMetadata(document))
    assert again["schemas"] == document["schemas"]


def test_no_version_is_older_than_the_one_before() -> None:
    """Though the clock was set back: DuckDB takes the snapshot whose entry in the log is the latest."""
    start = grown(3)
    late = TableMetadata({**start.document, "last-updated-ms": 20_000})
    assert after({"action": "set-properties", "updates": {"a": "b"}}, start=late)["last-updated-ms"] == 20_000
