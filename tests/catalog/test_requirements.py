"""What must still hold for a commit, in the words that clients compare."""

from __future__ import annotations

from typing import Any

import pytest

from millpond.catalog.requirements import check
from millpond.core.errors import CatalogError, ConflictError

TABLE = {
    "table-uuid": "9c12d441-03fe-4693-9a96-a0705ddf69c1",
    "last-column-id": 3,
    "current-schema-id": 1,
    "last-partition-id": 1000,
    "default-spec-id": 2,
    "default-sort-order-id": 0,
    "refs": {"main": {"type": "branch", "snapshot-id": 10}, "v1": {"type": "tag", "snapshot-id": 7}},
}
HOLDS: list[dict[str, Any]] = [
    {"type": "assert-table-uuid", "uuid": "9C12D441-03fe-4693-9a96-a0705ddf69c1"},
    {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 10},
    {"type": "assert-ref-snapshot-id", "ref": "dev", "snapshot-id": None},
    {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 3},
    {"type": "assert-current-schema-id", "current-schema-id": 1},
    {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 1000},
    {"type": "assert-default-spec-id", "default-spec-id": 2},
    {"type": "assert-default-sort-order-id", "default-sort-order-id": 0},
]
FAILS = [
    ({"type": "assert-create"}, "Requirement failed: table already exists"),
    ({"type": "assert-table-uuid", "uuid": "x"}, "Requirement failed: UUID does not match"),
    (
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": 9},
        "Requirement failed: branch main has changed: expected id 9 != 10",
    ),
    (
        {"type": "assert-ref-snapshot-id", "ref": "v1", "snapshot-id": 9},
        "Requirement failed: tag v1 has changed: expected id 9 != 7",
    ),
    (
        {"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": None},
        "Requirement failed: branch main was created concurrently",
    ),
    (
        {"type": "assert-ref-snapshot-id", "ref": "dev", "snapshot-id": 1},
        "Requirement failed: branch or tag dev is missing, expected 1",
    ),
    (
        {"type": "assert-last-assigned-field-id", "last-assigned-field-id": 2},
        "Requirement failed: last assigned field id changed",
    ),
    (
        {"type": "assert-current-schema-id", "current-schema-id": 0},
        "Requirement failed: current schema changed: expected id 0 != 1",
    ),
    (
        {"type": "assert-last-assigned-partition-id", "last-assigned-partition-id": 999},
        "Requirement failed: last assigned partition id changed",
    ),
    ({"type": "assert-default-spec-id", "default-spec-id": 0}, "Requirement failed: default partition spec changed"),
    (
        {"type": "assert-default-sort-order-id", "default-sort-order-id": 1},
        "Requirement failed: default sort order changed",
    ),
]


def test_requirements_that_hold_pass() -> None:
    """All of them at once."""
    check(TABLE, HOLDS)


@pytest.mark.parametrize(("requirement", "text"), FAILS)
def test_a_requirement_that_fails_says_so_in_java_s_words(requirement: dict[str, Any], text: str) -> None:
    """Clients look at the text."""
    with pytest.raises(ConflictError) as failed:
        check(TABLE, [*HOLDS, requirement])
    assert failed.value.code == "MP-3011"
    assert failed.value.finding.message.startswith(text)


def test_only_a_creation_may_ask_for_no_table() -> None:
    """`assert-create` holds where there is none; the others cannot."""
    check(None, [{"type": "assert-create"}])
    with pytest.raises(ConflictError):
        check(None, [HOLDS[0]])


@pytest.mark.parametrize("current", [TABLE, None])
def test_an_unknown_requirement_is_refused(current: dict[str, Any] | None) -> None:
    """What is not understood is not taken as fulfilled."""
    with pytest.raises(CatalogError) as refused:
        check(current, [{"type": "assert-view-uuid", "uuid": "x"}])
    assert refused.value.code == "MP-3031"
