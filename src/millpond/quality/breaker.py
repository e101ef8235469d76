"""When a model's circuit opens, is tried again, and closes: so that an input that went bad is not taken in for ever."""

from __future__ import annotations

from datetime import datetime, timedelta

from millpond.catalog.commits import Circuit, Ledger
from millpond.core.errors import Finding
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.project.model import Breaker


@frozen
class OpenCircuit:
    """A model that takes no new input; from `retry_at` on, a run tries one increment."""

    table: TableName
    since: datetime
    retry_at: datetime
    reason: str

    def tried(self, now: datetime) -> bool:
        """Whether it is time for a trial."""
        return now >= self.retry_at

    def finding(self, now: datetime) -> Finding:
        """The warning about it."""
        until = "the next run tries one increment" if self.tried(now) else f"it is tried at {_shown(self.retry_at)}"
        return Finding(
            "MP-6128",
            f"the circuit of {self.table} is open since {_shown(self.since)}: {self.reason}; {until}",
            f"mend its input or its rules; `millpond run --retry {self.table}` tries at once, --rebuild builds it anew",
            severity="warning",
        )


def open_circuit(breaker: Breaker | None, known: Circuit | None) -> OpenCircuit | None:
    """The model's circuit, where it is open and the model still has a breaker."""
    if breaker is None or known is None or known.state != "open":
        return None
    retry_at = known.since + timedelta(seconds=breaker.retry_seconds)
    return OpenCircuit(known.table, known.since, retry_at, known.reason or "")


def after_step(
    breaker: Breaker, known: Circuit | None, table: TableName, ledger: Ledger, now: datetime
) -> Circuit | None:
    """The circuit after a step that rejected some of its rows; None where it says nothing new.

    Rows are counted over steps until there are enough to judge by, then anew. An open circuit that was tried closes or
    opens again by the rows of the trial alone.
    """
    if not ledger.staged:
        return None
    trial = known is not None and known.state == "open"
    before = None if trial else known
    judged = ledger.staged + (before.judged if before else 0)
    failed = ledger.quarantined + (before.failed if before else 0)
    enough = trial or judged >= breaker.after
    if enough and failed > judged * breaker.max_failed:
        reason = f"{failed:,} of {judged:,} rows were rejected, more than {breaker.max_failed:.4g} of them"
        return Circuit(table, "open", judged, failed, now, reason)
    if enough:
        judged = failed = 0
    since = before.since if before is not None else now
    return Circuit(table, "closed", judged, failed, since)


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
