"""What a check in a model's front matter may say, as one flat record for each check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from millpond.core.errors import Location

CheckKind = Literal["not_null", "in", "between", "regex", "unique", "sql"]
CheckSeverity = Literal["warn", "quarantine", "stop"]
ROW_CHECKS: tuple[CheckKind, ...] = ("not_null", "in", "between", "regex", "sql")


@dataclass(frozen=True)
class Check:
    """A rule on the rows of a model.

    `columns` holds one column for not_null, in, between and regex; one or more for unique; none for sql.
    `values` holds the members for in, (low, high) for between, (pattern,) for regex, (expression,) for sql.
    `rule` is the stable identity, such as `between:latitude`, used by verdicts and quarantine.
    """

    kind: CheckKind
    columns: tuple[str, ...]
    values: tuple[object, ...]
    severity: CheckSeverity
    rule: str
    where: Location = field(compare=False)

    @property
    def on_rows(self) -> bool:
        """Whether each row is judged by itself (else the staged rows and the table are judged together)."""
        return self.kind in ROW_CHECKS
