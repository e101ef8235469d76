"""A history that is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Listed:
    """Commits by number and time, oldest first, and the time that it is."""

    moments: Sequence[tuple[int, datetime]]
    now: datetime

    @property
    def first(self) -> datetime:
        """The time of the first commit."""
        return self.moments[0][1] if self.moments else self.now

    def after(self, moment: datetime) -> frozenset[int]:
        """The commits later than a moment."""
        return frozenset(number for number, at in self.moments if at > moment)

    def states(self, moments: Sequence[datetime]) -> frozenset[int]:
        """The commits that made the state as of each of the moments."""
        made = ([number for number, at in self.moments if at <= moment][-1:] for moment in moments)
        return frozenset(number for found in made for number in found)
