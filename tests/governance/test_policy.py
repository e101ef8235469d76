"""Decisions are values; the owner's allow."""

from __future__ import annotations

import dataclasses

import pytest

from millpond.core.names import TableName
from millpond.governance.decision import Decision
from millpond.governance.policy import OwnerPolicy

TRIPS = TableName("silver", "trips")


def test_what_nothing_allows_is_denied() -> None:
    """A decision that says nothing denies."""
    assert not Decision(TRIPS).allowed
    assert not Decision(TRIPS).hides_nothing


def test_the_owner_reads_everything() -> None:
    """With a reason and a stable policy hash."""
    decision = OwnerPolicy().decide("ada", TRIPS, 7)
    assert decision.hides_nothing
    assert "ada" in decision.reason
    assert decision.policy_hash == OwnerPolicy().decide("bob", TRIPS, 8).policy_hash


@pytest.mark.parametrize(
    "change", [{"columns": ("a",)}, {"row_filter": "a = $1"}, {"masks": {"a": "NULL"}}, {"allowed": False}]
)
def test_a_decision_that_hides_something_says_so(change: dict[str, object]) -> None:
    """Columns, rows, values, or all."""
    decision = dataclasses.replace(OwnerPolicy().decide("ada", TRIPS, 7), **change)  # type: ignore[arg-type]
    assert not decision.hides_nothing


def test_decisions_do_not_change() -> None:
    """What was decided stays as it was recorded."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Decision(TRIPS).allowed = True  # type: ignore[misc]
