"""What a client says must still hold for its commit: the requirements of the REST catalog specification.

The texts are those that Java's clients compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from millpond.core.errors import CatalogError, ConflictError

Json = Mapping[str, Any]


def failed(reason: str) -> ConflictError:
    """The refusal of a commit whose requirement does not hold."""
    return ConflictError(
        "MP-3011",
        f"Requirement failed: {reason}",
        next_step="load the table again and repeat the work on what is there now",
    )


def check(current: Json | None, requirements: Sequence[Json]) -> None:
    """Pass when every requirement holds for the table's metadata (None: there is no such table).

    Raises ConflictError MP-3011 for the first that does not, CatalogError MP-3031 for one that is not known.
    """
    for requirement in requirements:
        kind = requirement.get("type")
        if kind == "assert-create":
            if current is not None:
                raise failed("table already exists")
            continue
        test = _TESTS.get(str(kind))
        if test is None:
            raise CatalogError(
                "MP-3031",
                f"Unknown requirement: {kind!r}",
                next_step="send a requirement for tables that the REST catalog specification names",
            )
        if current is None:
            raise failed("table does not exist")
        test(current, requirement)


def _uuid(current: Json, requirement: Json) -> None:
    expected, actual = requirement.get("uuid"), current["table-uuid"]
    if str(expected).lower() != str(actual).lower():
        raise failed(f"UUID does not match: expected {actual} != {expected}")


def _ref(current: Json, requirement: Json) -> None:
    name = requirement.get("ref") or "main"
    expected = requirement.get("snapshot-id")
    ref = current.get("refs", {}).get(name)
    if ref is None:
        if expected is not None:
            raise failed(f"branch or tag {name} is missing, expected {expected}")
        return
    kind = ref.get("type", "branch")
    if expected is None:
        raise failed(f"{kind} {name} was created concurrently")
    if ref["snapshot-id"] != expected:
        raise failed(f"{kind} {name} has changed: expected id {expected} != {ref['snapshot-id']}")


def _equal(member: str, sent: str, words: str, default: int = 0) -> Callable[[Json, Json], None]:
    def test(current: Json, requirement: Json) -> None:
        expected, actual = requirement.get(sent), current.get(member, default)
        if expected != actual:
            raise failed(f"{words} changed: expected id {expected} != {actual}")

    return test


_TESTS: Mapping[str, Callable[[Json, Json], None]] = {
    "assert-table-uuid": _uuid,
    "assert-ref-snapshot-id": _ref,
    "assert-last-assigned-field-id": _equal("last-column-id", "last-assigned-field-id", "last assigned field id"),
    "assert-current-schema-id": _equal("current-schema-id", "current-schema-id", "current schema"),
    "assert-last-assigned-partition-id": _equal(
        "last-partition-id", "last-assigned-partition-id", "last assigned partition id", 999
    ),
    "assert-default-spec-id": _equal("default-spec-id", "default-spec-id", "default partition spec"),
    "assert-default-sort-order-id": _equal("default-sort-order-id", "default-sort-order-id", "default sort order"),
}
