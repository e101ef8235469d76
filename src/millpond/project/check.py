"""What a check in a model's front matter may say, as one flat record for each check."""

from __future__ import annotations

import re
from dataclasses import field
from typing import Literal

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.core.records import frozen

CheckKind = Literal[
    "not_null",
    "in",
    "between",
    "regex",
    "length",
    "type",
    "relationship",
    "unique",
    "row_count",
    "freshness",
    "completeness",
    "sum_equals",
    "distribution",
    "sql",
]
CheckSeverity = Literal["warn", "quarantine", "stop"]
ROW_CHECKS: tuple[CheckKind, ...] = ("not_null", "in", "between", "regex", "length", "type", "relationship", "sql")
"""The kinds that judge each row by itself; `sql` only where it is an expression and no query."""

COUNTED: tuple[CheckKind, ...] = (*ROW_CHECKS, "unique")
"""The kinds whose failures are a number of rows or values, so that `max_failed` can bound it."""

_QUERY = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:SELECT|WITH|FROM)\b", re.IGNORECASE | re.DOTALL)


@frozen
class Limit:
    """A number, or with `share` a part of another one: 0.01 is 1 %."""

    number: float
    share: bool = False

    def of(self, whole: float) -> float:
        """The number that the limit means for a whole."""
        return self.number * whole if self.share else self.number

    def __str__(self) -> str:
        return f"{self.number * 100:.10g}%" if self.share else f"{self.number:.10g}"


@frozen
class Target:
    """A column of another table."""

    table: TableName
    column: str

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `layer.table.column`. Raises ValueError when it has another form."""
        layer, _, rest = text.partition(".")
        name, _, column = rest.partition(".")
        if not (layer and name and column):
            raise ValueError(f"not of the form layer.table.column: {text!r}")
        return cls(TableName.parse(f"{layer}.{name}"), column)

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@frozen
class Check:
    """A rule on the rows of a model, or on its table.

    `columns` holds one column, for unique one or more, for row_count and sql none. `values` holds what each kind says:
    in: the members. between, length, row_count: (low, high), None for an open end. regex: (pattern,). type: (type,).
    relationship: (Target,). freshness: (seconds,). completeness: (share,). sum_equals: (number, column or Target,
    tolerance). distribution: (measure, argument, low, high). sql: (text,).
    `rule` is the stable identity, such as `between:latitude`, used by verdicts and quarantine. With `max_failed`, more
    failures than that stop the step.
    """

    kind: CheckKind
    columns: tuple[str, ...]
    values: tuple[object, ...]
    severity: CheckSeverity
    rule: str
    where: Location = field(compare=False)
    max_failed: Limit | None = None

    @property
    def on_rows(self) -> bool:
        """Whether each row is judged by itself (else the staged rows and the table are judged together)."""
        return self.kind in ROW_CHECKS and not self.is_query

    @property
    def is_query(self) -> bool:
        """Whether the check is a query whose rows are failures."""
        return self.kind == "sql" and is_query(str(self.values[0]))

    @property
    def target(self) -> Target | None:
        """The column of another table that the check compares with."""
        return next((value for value in self.values if isinstance(value, Target)), None)


def is_query(text: str) -> bool:
    """Whether the text of an sql check is a query (else an expression over one row)."""
    return _QUERY.match(text) is not None
