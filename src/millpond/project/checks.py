"""Checks as a model's front matter writes them, and the flat records that they become.

    checks:
      - not_null: vehicle_id
      - in: {vehicle_type: [scooter, ebike]}
      - between: {battery: [0, 100]}
        severity: warn
      - regex: {vehicle_id: '^[A-Z]{2}\\d{6}$'}
        max_failed: 1%
      - unique: [vehicle_id, ts]
      - sql: ended_at >= started_at
        name: ends_after_start

NULL passes every check but `not_null`. Row checks take the model's `on_fail` as severity unless they say another.
Checks on the table take `stop`, because they cannot tell which row is wrong (`unique` with `quarantine` sends all but
the least by content there); `freshness` and `distribution` speak of the world more than of the step, and warn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

from millpond.core.errors import Location
from millpond.core.records import frozen
from millpond.project.check import COUNTED, ROW_CHECKS, Check, CheckKind, CheckSeverity, Limit, is_query
from millpond.project.check_entry import KINDS, CheckEntry, DistributionEntry
from millpond.project.findings import Findings
from millpond.project.settings import seconds
from millpond.project.yaml_file import Document, Entry

_WARNING: tuple[CheckKind, ...] = ("freshness", "distribution")
_RANGED: tuple[CheckKind, ...] = ("between", "length", "row_count", "distribution")


def checks(
    entries: Iterable[tuple[int, CheckEntry]], on_fail: CheckSeverity, document: Document, findings: Findings
) -> tuple[Check, ...]:
    """The records for all entries, one for each column where a rule judges columns by themselves.

    Each entry comes with its position in the front matter. Notes MP-1025 (not exactly one kind), MP-1026 (bounds),
    MP-1027 (two rules of one name), MP-1140 (a severity that the kind cannot have), MP-1141 (a key of another kind).
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
        written = _Written(entry, kinds[0], on_fail, document, place)
        _check_keys(written, findings)
        for check in written.flat():
            if check.kind in _RANGED:
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


@frozen
class _Written:
    """One entry on its way to flat records."""

    entry: CheckEntry
    kind: CheckKind
    on_fail: CheckSeverity
    document: Document
    place: Entry

    @property
    def on_rows(self) -> bool:
        return self.kind in ROW_CHECKS and not (self.kind == "sql" and is_query(self.entry.sql or ""))

    @property
    def severity(self) -> CheckSeverity:
        if self.entry.severity is not None:
            return self.entry.severity
        if self.kind == "relationship" and self.on_fail == "stop":
            return "quarantine"
        if self.on_rows:
            return self.on_fail
        return "warn" if self.kind in _WARNING else "stop"

    def flat(self) -> Iterator[Check]:
        said = self.entry.says(self.kind)
        if self.kind == "sql":
            label = hashlib.sha256(said.strip().encode()).hexdigest()[:8]
            yield self._check((), (said.strip(),), label, self._value(), alone=True)
        elif self.kind == "unique":
            yield self._check(said, (), ",".join(said), self._value(), alone=True)
        elif self.kind == "row_count":
            yield self._check((), said, "", self._value(), alone=True)
        elif self.kind == "not_null":
            for position, column in enumerate(said):
                yield self._check((column,), (), column, self._value(position), alone=len(said) == 1)
        elif self.kind == "distribution":
            parts = [(column, *part) for column, entry in said.items() for part in _measures(entry)]
            for column, key, measure, argument, bounds in parts:
                label = f"{column}:{measure}" + ("" if argument is None else f"({argument})")
                values = (measure, argument, *bounds)
                yield self._check((column,), values, label, self._value(column, key), alone=len(parts) == 1)
        else:
            for column, value in said.items():
                where = self.document.key_place((*self.place, self.kind, column))
                yield self._check((column,), self._values(value), column, where, alone=len(said) == 1)

    def _values(self, said: Any) -> tuple[object, ...]:
        if self.kind == "freshness":
            return (seconds(said),)
        if self.kind == "sum_equals":
            return (said, self.entry.tolerance or Limit(0.0))
        return tuple(said) if self.kind in ("in", "between", "length") else (said,)

    def _check(
        self, columns: tuple[str, ...], values: tuple[object, ...], label: str, where: Location, *, alone: bool
    ) -> Check:
        named = self.entry.name and (self.entry.name if alone or not label else f"{self.entry.name}:{label}")
        rule = f"{self.kind}:{named or label}" if named or label else self.kind
        return Check(self.kind, columns, values, self.severity, rule, where, self.entry.max_failed)

    def _value(self, *steps: str | int) -> Location:
        return self.document.value_place((*self.place, self.kind, *steps))


def _measures(entry: DistributionEntry) -> Iterator[tuple[str, str, object, tuple[object, object]]]:
    """Key, measure, argument and bounds of each measure of a distribution."""
    for key in ("mean", "stddev"):
        bounds = getattr(entry, key)
        if bounds is not None:
            yield key, key, None, bounds
    for key in ("quantile", "share"):
        for argument, bounds in (getattr(entry, key) or {}).items():
            yield key, key, argument, bounds


def _check_keys(written: _Written, findings: Findings) -> None:
    """Note what the entry says that its kind cannot have."""
    entry, kind = written.entry, written.kind
    where = written.document.value_place((*written.place, "severity"))
    if kind == "relationship" and entry.severity == "stop":
        findings.add(
            "MP-1140",
            "a relationship cannot stop a step: the row that it asks for may only be late",
            next_step="write severity: quarantine (the row can be replayed) or warn; max_failed stops on many",
            where=where,
        )
    if not written.on_rows and kind != "unique" and entry.severity == "quarantine":
        findings.add(
            "MP-1140",
            f"{'an sql query' if kind == 'sql' else kind} judges the table and can send no row to quarantine",
            next_step="write severity: warn or stop",
            where=where,
        )
    for key, kinds in (("max_failed", COUNTED), ("tolerance", ("sum_equals",))):
        if getattr(entry, key) is not None and kind not in kinds:
            findings.add(
                "MP-1141",
                f"{key} means nothing for {kind}",
                next_step=f"take it out; it belongs to {', '.join(kinds)}",
                where=written.document.value_place((*written.place, key)),
            )


def _check_bounds(check: Check, findings: Findings) -> None:
    low, high = (_comparable(value) for value in check.values[-2:])
    name = check.columns[0] if check.columns else check.kind
    if any(isinstance(bound, bool) for bound in (low, high)):
        message = "true and false are no bounds"
    elif low is None or high is None:
        return
    elif type(low) is not type(high):
        message = f"the bounds of {name} are of two types: {check.values[-2]} and {check.values[-1]}"
    elif low > high:
        message = f"the lower bound {check.values[-2]} is above the upper bound {check.values[-1]}"
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
