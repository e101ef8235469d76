"""Time as a value that is passed in, so that tests and replays choose it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)


def naive_utc(moment: datetime) -> datetime:
    """The same moment as tables store it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
