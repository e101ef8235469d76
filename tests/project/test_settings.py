"""What `millpond.yaml` says, as numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from millpond.project.settings import seconds


@pytest.mark.parametrize(("said", "length"), [("30m", 1800), ("24h", 86_400), ("7 d", 604_800)])
def test_a_duration_is_a_number_of_seconds(said: str, length: int) -> None:
    """Minutes, hours and days, with a space or without."""
    assert seconds(said) == length


def test_the_longest_duration_is_in_the_calendar() -> None:
    """So far back from now there are times still, for `maintain` and `doctor` to reckon with."""
    assert datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=seconds("999999d")) < datetime(1900, 1, 1, tzinfo=UTC)
