"""Checks as a model's front matter writes them, and the flat records that they become.

    checks:
      - not_null: vehicle_id
      - in: {vehicle_type: [scooter, ebike]}
      - between: {battery: [0, 100]}
        severity: warn
      - regex: {vehicle_id: '^[A-Z]{2}\\d{6}$'}
      - unique: [vehicle_id, ts]
      - sql: ended_at >= started_at
        name: ends_after_start

NULL passes every check but `not_null`. Row checks take the model's `on_fail` as severity unless they say another;
`unique` takes `stop`, because which of two rows is wrong cannot be told from a row (with `quarantine`, all but the
first by content go there).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from millpond.core.errors import Location
from millpond.project.check import Check, CheckKind, CheckSeverity
from millpond.project.findings import Findings
from millpond.project.settings import Declared, OneOrMore
from millpond.project.yaml_file import Document, Entry

KINDS: tuple[CheckKind, ...] = get_args(CheckKind)


def _scalar(value: Any) -> Any:
    if value is None:
        raise ValueError("a value (NULL is judged by not_null)")
    if isinstance(value, dict | list):
        raise ValueError("a single value")  # noqa: TRY004 - pydantic reports ValueErrors
    return value


Scalar = Annotated[Any, AfterValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
Column = Annotated[str, Field(min_length=1)]
Bounds = Annotated[list[Scalar], Field(min_length=2, max_length=2)]


class CheckEntry(Declared):
    """One rule: exactly one of not_null, in, between, regex, unique and sql."""

    model_config = ConfigDict(populate_by_name=False)

    not_null: OneOrMore[Column] | None = Field(None, description="Columns that must not be NULL.")
    in_: dict[Column, Annotated[list[Scalar], Field(min_length=1)]] | None = Field(
        None, alias="in", description="Columns and the values that they may hold."
    )
    between: dict[Column, Bounds] | None = Field(
        None, description="Columns with their lowest and highest value, both allowed."
    )
    regex: dict[Column, str] | None = Field(None, description="Columns and the pattern (RE2) found in each value.")
    unique: OneOrMore[Column] | None = Field(None, description="Columns that together name one row.")
    sql: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="An expression that is true of every row."
    )
    severity: CheckSeverity | None = Field(
        None, description="What a failure does: warn, quarantine or stop; by default the model's on_fail."
    )
    name: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Name in place of the columns, where two checks would else be called the same."
    )

    @property
    def kinds(self) -> tuple[CheckKind, ...]:
        """The kinds of rule that the entry holds; exactly one when it is right."""
        return tuple(kind for kind in KINDS if self.says(kind) is not None)

    def says(self, kind: CheckKind) -> Any:
        """What the entry says under a kind's key, or None."""
        return getattr(self, "in_" if kind == "in" else kind)


def checks(
    entries: Iterable[tuple[int, CheckEntry]], on_fail: CheckSeverity, document: Document, findings: Findings
) -> tuple[Check, ...]:
    """The records for all entries, one for each column where a rule judges columns by themselves.

    Each entry comes with its position in the front matter. Notes MP-1025 (not exactly one kind), MP-1026 (bounds),
    MP-1027 (two rules of one name).
    """
    made: dict[str, Check] = {}
    for position, entry in entries:
        place: Entry = ("checks", position)
        kinds = entry.kinds
        if len(kinds) != 1:
            findings.add(
                "MP-1025",
                f"a check needs one kind, this one has {' and '.join(kinds)}" if kinds else "this check has no kind",
                next_step=f"write one of {', '.join(KINDS)}; begin a further check with its own dash",
                where=document.value_place(place),
            )
            continue
        for check in _flat(entry, kinds[0], on_fail, document, place):
            if kinds[0] == "between":
                _check_bounds(check, findings)
            if check.rule in made:
                findings.add(
                    "MP-1027",
                    f'a second check is called "{check.rule}", the first is in line {made[check.rule].where.line}',
                    next_step="give one of them a `name:`, or make them one",
                    where=check.where,
                )
            made.setdefault(check.rule, check)
    return tuple(made.values())


def _flat(
    entry: CheckEntry, kind: CheckKind, on_fail: CheckSeverity, document: Document, place: Entry
) -> Iterator[Check]:
    severity = entry.severity or ("stop" if kind == "unique" else on_fail)
    said = entry.says(kind)

    def check(
        columns: tuple[str, ...], values: tuple[object, ...], label: str, where: Location, *, alone: bool
    ) -> Check:
        named = entry.name and (entry.name if alone else f"{entry.name}:{label}")
        return Check(kind, columns, values, severity, f"{kind}:{named or label}", where)

    if kind == "sql":
        label = hashlib.sha256(said.strip().encode()).hexdigest()[:8]
        yield check((), (said.strip(),), label, document.value_place((*place, "sql")), alone=True)
    elif kind == "unique":
        yield check(said, (), ",".join(said), document.value_place((*place, "unique")), alone=True)
    elif kind == "not_null":
        for position, column in enumerate(said):
            where = document.value_place((*place, "not_null", position))
            yield check((column,), (), column, where, alone=len(said) == 1)
    else:
        for column, value in said.items():
            values = (value,) if kind == "regex" else tuple(value)
            where = document.key_place((*place, kind, column))
            yield check((column,), values, column, where, alone=len(said) == 1)


def _check_bounds(check: Check, findings: Findings) -> None:
    low, high = (_comparable(value) for value in check.values)
    if type(low) is not type(high):
        message = f"the bounds of {check.columns[0]} are of two types: {check.values[0]} and {check.values[1]}"
    elif isinstance(low, bool):
        message = "true and false are no bounds"
    elif low > high:
        message = f"the lower bound {check.values[0]} is above the upper bound {check.values[1]}"
    else:
        return
    findings.add("MP-1026", message, next_step="write [lowest, highest]", where=check.where)


def _comparable(value: object) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=None) - (value.utcoffset() or timedelta())
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - compared with its like only
    return value
