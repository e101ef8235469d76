"""Who may see what: policies turn a principal, a table and a commit number into a decision."""

from __future__ import annotations

import hashlib
from typing import Protocol

from millpond.core.names import TableName
from millpond.governance.decision import Decision


class Policy(Protocol):
    """Decides; holds no data and asks no table."""

    def decide(self, principal: str, table: TableName, commit: int) -> Decision:
        """The decision on one table; a table that nothing allows is denied."""
        ...


class OwnerPolicy:
    """The owner of the project reads everything."""

    _HASH = hashlib.sha256(b"owner: all").hexdigest()[:16]

    def decide(self, principal: str, table: TableName, commit: int) -> Decision:  # noqa: ARG002 - the owner's is one
        """Allow the whole table."""
        return Decision(
            table, allowed=True, reason=f"{principal} owns the project and reads everything", policy_hash=self._HASH
        )
