"""What came of one step."""

from __future__ import annotations

from millpond.catalog.commits import Ledger, Verdict
from millpond.core.errors import Finding
from millpond.core.records import frozen


@frozen
class Outcome:
    """`number` is the commit, None when there was nothing to commit. `note` says what a person should know."""

    number: int | None
    ledger: Ledger | None = None
    verdicts: tuple[Verdict, ...] = ()
    note: str = ""
    rejected_files: int = 0
    findings: tuple[Finding, ...] = ()
