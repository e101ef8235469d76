"""When a circuit opens, is tried and closes: from counts alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from millpond.catalog.commits import Circuit, Ledger
from millpond.core.names import TableName
from millpond.project.model import Breaker
from millpond.quality.breaker import after_step, open_circuit

TABLE = TableName("silver", "orders")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
BREAKER = Breaker(max_failed=0.2, after=100, retry_seconds=3600)


def step(known: Circuit | None, staged: int, failed: int) -> Circuit | None:
    """The circuit after a step of so many rows."""
    return after_step(BREAKER, known, TABLE, Ledger(staged, quarantined=failed, inserted=staged - failed), NOON)


def closed(judged: int, failed: int) -> Circuit:
    """A closed circuit that has counted so much."""
    return Circuit(TABLE, "closed", judged, failed, NOON - timedelta(days=1))


@pytest.mark.parametrize(
    ("known", "staged", "failed", "state", "judged"),
    [
        (None, 99, 99, "closed", 99),
        (None, 100, 20, "closed", 0),
        (None, 100, 21, "open", 100),
        (closed(60, 0), 40, 21, "open", 100),
        (closed(60, 0), 39, 39, "closed", 99),
        (closed(90, 20), 50, 0, "closed", 0),
    ],
)
def test_rows_are_counted_until_there_are_enough(
    known: Circuit | None, staged: int, failed: int, state: str, judged: int
) -> None:
    """Then they are judged, and counted anew."""
    after = step(known, staged, failed)
    assert after is not None
    assert (after.state, after.judged) == (state, judged)
    assert after.since == (known.since if known and state == "closed" else NOON)


def test_a_step_without_rows_says_nothing() -> None:
    """Nor does it end a trial."""
    assert step(closed(99, 99), 0, 0) is None
    assert step(Circuit(TABLE, "open", 100, 50, NOON), 0, 0) is None


@pytest.mark.parametrize(("staged", "failed", "state"), [(1, 0, "closed"), (1, 1, "open"), (10, 2, "closed")])
def test_a_trial_is_judged_by_its_own_rows(staged: int, failed: int, state: str) -> None:
    """However few they are."""
    after = step(Circuit(TABLE, "open", 100, 100, NOON - timedelta(days=1)), staged, failed)
    assert after is not None
    assert (after.state, after.since) == (state, NOON)


def test_an_open_circuit_is_tried_after_a_while() -> None:
    """The warning says since when, why, and when."""
    known = Circuit(TABLE, "open", 100, 50, NOON, "half of them")
    found = open_circuit(BREAKER, known)
    assert found is not None
    assert [found.tried(NOON + timedelta(minutes=minutes)) for minutes in (59, 60)] == [False, True]
    assert "half of them; it is tried at 2026-01-01 13:00 UTC" in found.finding(NOON).message
    assert open_circuit(None, known) is None
    assert open_circuit(BREAKER, closed(1, 1)) is None
