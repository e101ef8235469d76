"""What comes of a check: its severity, unless the failures are few enough to be borne or too many."""

from __future__ import annotations

from millpond.project.check import CheckSeverity, Limit

HOLDS = "pass"


def outcome(severity: CheckSeverity, most: Limit | None, failed: int, judged: int) -> str:
    """pass, warn, quarantine or stop, for so many failures of so many that were judged.

    With a limit, more failures than it allows stop the step, and fewer never do: a check with severity stop then warns.
    """
    if not failed:
        return HOLDS
    if most is None:
        return severity
    if failed > most.of(judged):
        return "stop"
    return "warn" if severity == "stop" else severity
