"""`quarantine`: rejected records, and what is decided about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, get_args

from millpond.catalog.commits import LifeStatus
from millpond.cli.output import counted, json_line, line, table
from millpond.core.clock import naive_utc
from millpond.core.errors import ProjectError, QualityError
from millpond.pipeline.quarantine import Selection
from millpond.quality.entries import WAITING, Entry

if TYPE_CHECKING:
    from millpond.cli.options import Context, Records

STATUSES: tuple[LifeStatus, ...] = get_args(LifeStatus)


def selection(records: Records, *, every: bool = False) -> Selection:
    """What the options of a command say. Raises ProjectError MP-1120 for a time or a status that is none."""
    statuses = tuple(status for status in STATUSES if status in (records.status or ()))
    for given in records.status or ():
        if given not in STATUSES:
            raise _wrong(f"{given!r} is no status", f"the statuses are {', '.join(STATUSES)}")
    return Selection(
        ids=tuple(records.ids or ()),
        models=tuple(records.model or ()),
        rules=tuple(records.rule or ()),
        sources=tuple(records.source or ()),
        since=_moment(records.since),
        until=_moment(records.until),
        statuses=statuses or (STATUSES if every else None),
        overdue=records.overdue,
    )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(f"{text!r} is no time", "write it like 2026-11-21 or 2026-11-21T09:30") from None
    return naive_utc(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _wrong(told: str, next_step: str) -> ProjectError:
    return ProjectError("MP-1120", told, next_step=next_step)


def list_all(context: Context, records: Records, every: bool, at: str | None) -> int:
    """Print the records that are meant, newest first; 3 when some of them are overdue."""
    chosen = selection(records, every=every)
    with context.open() as lake:
        entries = lake.quarantine.entries(chosen, at)
    late = sum(entry.overdue for entry in entries)
    if context.json:
        for entry in entries:
            json_line(entry.as_json())
        return 3 if late else 0
    if not entries:
        line("nothing in quarantine waits for anyone" if chosen.empty else "no such record in quarantine")
        return 0
    table(("id", "status", "model", "rule", "value", "origin", "position", "reason"), map(_row, entries))
    told = f"{counted(len(entries), 'record')}"
    if late:
        told += f", {late:,} overdue for review"
    line(f"{told}; `millpond quarantine show ID` shows one with its raw record")
    return 3 if late else 0


def _row(entry: Entry) -> tuple[object, ...]:
    status = "overdue" if entry.overdue else entry.status
    place = (entry.origin, entry.position)
    return (entry.id[:8], status, str(entry.model), entry.rule, entry.value, *place, entry.reason)


def show(context: Context, identity: str, at: str | None) -> int:
    """Print one record, by its id or the beginning of it."""
    with context.open() as lake:
        (entry,) = lake.quarantine.entries(Selection((identity,)), at)
    if context.json:
        json_line(entry.as_json())
        return 0
    for name, value in entry.as_json().items():
        if value not in (None, False):
            line(f"{name:<13} {value}")
    return 0


def discard(context: Context, records: Records, because: str | None) -> int:
    """Give records up."""
    chosen = selection(records)
    with context.open() as lake:
        entries = decided(lake.quarantine.entries(_some(chosen)), chosen)
        number = lake.quarantine.discard(entries, because)
    return _told(context, "discarded", entries, number)


def _some(chosen: Selection) -> Selection:
    if chosen.empty:
        raise _wrong("nothing says which records are meant", "name ids, or say --rule, --model, --source or --status")
    return chosen


def decided(entries: tuple[Entry, ...], chosen: Selection) -> tuple[Entry, ...]:
    """The records that a decision is about. Raises QualityError MP-6010 where there are none."""
    if not entries:
        waiting = " or ".join(chosen.statuses or WAITING)
        raise QualityError(
            "MP-6010",
            f"no record in quarantine is meant that is {waiting}",
            next_step="see `millpond quarantine list --all` for what is there",
        )
    return entries


def _told(context: Context, what: str, entries: Sequence[Entry], number: int) -> int:
    if context.json:
        for entry in entries:
            json_line({"id": entry.id, "model": str(entry.model), "rule": entry.rule, "status": what, "commit": number})
    elif not context.quiet:
        rules = Counter(f"{entry.rule} of {entry.model}" for entry in entries)
        shown = ", ".join(f"{count:,} of {rule}" if len(rules) > 1 else rule for rule, count in rules.items())
        line(f"{what} {counted(len(entries), 'record')} ({shown}) by commit {number}")
    return 0
