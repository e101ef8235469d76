"""What happens in a run, as values that the terminal, `--json` and the run log all show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime

from millpond.core.records import frozen


@frozen
class Event:
    """Something that happened: `run_started`, `step_started`, `step_finished`, `step_failed`, `step_skipped`,
    `run_finished`, or `note`."""

    name: str
    at: datetime
    fields: Mapping[str, object] = field(default_factory=dict)


Listener = Callable[[Event], None]


def unheard(_event: Event) -> None:
    """Listen to nothing: the run log keeps every event all the same."""
