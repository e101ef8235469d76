"""Times that never fall, and that no client is shown before they have come."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from millpond.catalog import times

NOW = 10_000_000


def document(updated: int, *moments: int) -> dict[str, Any]:
    """A table's document with these times in all of its lists."""
    return {
        "last-updated-ms": updated,
        "snapshots": [{"snapshot-id": number, "timestamp-ms": at} for number, at in enumerate(moments)],
        "snapshot-log": [{"snapshot-id": number, "timestamp-ms": at} for number, at in enumerate(moments)],
        "metadata-log": [{"metadata-file": str(number), "timestamp-ms": at} for number, at in enumerate(moments[:-1])],
    }


def shown(updated: int, *moments: int) -> list[int]:
    """The table's times as they are shown: of its log, then its own."""
    seen = times.shown(document(updated, *moments), NOW)
    return [*(row["timestamp-ms"] for row in seen["snapshot-log"]), seen["last-updated-ms"]]


def test_a_table_of_the_past_is_shown_as_it_is() -> None:
    """Nothing is copied."""
    whole = document(NOW, 5, NOW)
    assert times.shown(whole, NOW) is whole


def test_a_time_to_come_is_shown_as_shortly_before_now() -> None:
    """And what came before it as far before that as it takes."""
    assert shown(NOW + 5000, 5, NOW - 10, NOW + 5000) == [
        5, NOW - times.MARGIN_MS - 1, NOW - times.MARGIN_MS, NOW - times.MARGIN_MS,
    ]  # fmt: skip


@given(st.lists(st.integers(NOW - 100_000, NOW + 4_000_000), min_size=1, max_size=20))
def test_the_order_of_times_is_kept(moments: list[int]) -> None:
    """What was the same stays the same, what was earlier stays earlier, and nothing is shown that is to come."""
    moments.sort()
    seen = shown(max(moments), *moments)
    assert max(seen) <= NOW
    assert seen == sorted(seen)
    assert [a == b for a, b in pairwise(moments)] == [a == b for a, b in pairwise(seen[:-1])]


def test_what_follows_is_not_earlier_and_not_to_come() -> None:
    """Unless what it follows is to come itself."""
    assert times.never_falling(7, 5, NOW) == 7
    assert times.never_falling(3, 5, NOW) == 6
    assert times.never_falling(NOW + 9, 5, NOW) == NOW
    assert times.never_falling(3, NOW + 9, NOW) == NOW + 10


def test_a_near_time_is_waited_for_and_a_far_one_is_not() -> None:
    """Milliseconds come of many snapshots at once; seconds come of a clock that was set back."""
    assert times.until_past(document(NOW, NOW), NOW) == 0
    assert times.until_past(document(NOW, NOW + 3), NOW) == 0.003
    assert times.until_past(document(NOW, NOW + 5000), NOW) == 0
