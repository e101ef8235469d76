"""What came of one step."""

from __future__ import annotations

from dataclasses import dataclass

from millpond.catalog.commits import Ledger, Verdict
from millpond.core.errors import Finding


@dataclass(frozen=True)
class Outcome:
    """`number` is the commit, None when there was nothing to commit. `note` says what a person should know."""

    number: int | None
    ledger: Ledger | None = None
    verdicts: tuple[Verdict, ...] = ()
    note: str = ""
    rejected_files: int = 0
    findings: tuple[Finding, ...] = ()
