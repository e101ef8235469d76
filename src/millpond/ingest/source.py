"""What came of landing a source, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass

from millpond.catalog.commits import Ledger, SeenFile
from millpond.core.errors import Finding
from millpond.core.schema import Column


@dataclass(frozen=True)
class Landed:
    """What one load staged: the files it dealt with, where every record went, the columns it added to the table.

    `blind` says that it only added rows, without having looked at the table. `findings` are warnings: files that
    changed while they were read and are left for later.
    """

    files: tuple[SeenFile, ...]
    ledger: Ledger
    columns: tuple[Column, ...] = ()
    blind: bool = True
    findings: tuple[Finding, ...] = ()
