"""What a user asks a run to do."""

from __future__ import annotations

from millpond.core.records import frozen
from millpond.pipeline.plan import ReplayStep


@frozen
class Request:
    """What to run: selectors (see `graph.select`), models to rebuild, removed tables to drop.

    `failed` means the tables that the newest run did not bring to an end; `wait` waits for a run that holds the
    project. `retry` are models whose open circuits are to be tried at once. With `replay`, nothing is looked for at the
    sources: those steps, and what stands on them, are all.
    """

    select: tuple[str, ...] = ()
    rebuild: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    failed: bool = False
    wait: bool = False
    replay: tuple[ReplayStep, ...] = ()
    retry: tuple[str, ...] = ()
