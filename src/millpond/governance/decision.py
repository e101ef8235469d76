"""What a principal may see of a table, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from millpond.core.names import TableName
from millpond.core.records import frozen


@frozen
class Decision:
    """One decision on one table.

    `columns` are the visible ones, None for all. `row_filter` is a predicate over the table's columns whose values
    are bound from `parameters`. `masks` gives by column the expression shown instead of it. `reason` says why, in a
    sentence; `policy_hash` names the version of the policy that decided.
    """

    table: TableName
    columns: tuple[str, ...] | None = None
    row_filter: str | None = None
    parameters: tuple[object, ...] = ()
    masks: Mapping[str, str] = field(default_factory=dict)
    allowed: bool = False
    reason: str = "nothing allows it"
    policy_hash: str = ""

    @property
    def hides_nothing(self) -> bool:
        """Whether the principal sees the table as it is."""
        return self.allowed and self.columns is None and self.row_filter is None and not self.masks
