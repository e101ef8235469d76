"""Time as a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from millpond.core.clock import SystemClock, naive_utc


def test_the_system_clock_tells_aware_utc() -> None:
    """Between two looks at the machine's own clock."""
    before = datetime.now(UTC)
    told = SystemClock().now()
    assert before <= told <= datetime.now(UTC)
    assert told.utcoffset() == timedelta(0)


def test_moments_are_stored_in_utc_without_a_zone() -> None:
    """The offset is taken away, not cut off."""
    moment = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert naive_utc(moment).isoformat() == "2026-02-28T23:30:00"
