"""`quarantine`: rejected records, and what is decided about them."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from millpond.catalog.commits import LifeStatus
from millpond.cli.edge import show_findings
from millpond.cli.output import counted, json_line, line, table
from millpond.cli.running import Printer
from millpond.core.clock import naive_utc
from millpond.core.encoding import shown
from millpond.core.errors import ProjectError, QualityError
from millpond.pipeline.quarantine import Selection
from millpond.quality.edits import assignments, edited
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


def show(context: Context, records: Records, at: str | None, *, raw: bool, as_csv: bool) -> int:
    """Print records whole; or, with `raw`, as they may be edited and given to `fix --from`."""
    chosen = _some(selection(records))
    with context.open() as lake:
        entries = decided(lake.quarantine.entries(chosen, at), chosen)
        if raw or as_csv:
            return _editable(lake.quarantine.records(entries), as_csv=as_csv)
    for number, entry in enumerate(entries):
        if context.json:
            json_line(entry.as_json())
            continue
        if number:
            line()
        for name, value in entry.as_json().items():
            if value not in (None, False):
                line(f"{name:<13} {value}")
    return 0


def _editable(found: Sequence[dict[str, Any]], *, as_csv: bool) -> int:
    if not as_csv:
        for record in found:
            json_line(record)
        return 0
    names = list(dict.fromkeys(name for record in found for name in record))
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    writer.writerows([shown(record.get(name)) for name in names] for record in found)
    return 0


def fix(
    context: Context,
    records: Records,
    set_to: Sequence[str],
    unset: Sequence[str],
    sql: Sequence[str],
    edited_in: Path | None,
) -> int:
    """Mend records: by columns set or computed, or from a file of edited records; a file by other bytes."""
    chosen = selection(records)
    if bool(set_to or unset or sql) == (edited_in is not None):
        raise _wrong("a fix needs either columns or a file", "say --set NAME=VALUE, --unset, --sql, or --from FILE")
    if edited_in is not None and not edited_in.is_file():
        raise _wrong(f"there is no file {edited_in}", "name the file that was edited")
    with context.open() as lake:
        quarantine = lake.quarantine
        if edited_in is None:
            entries = decided(quarantine.entries(_some(chosen)), chosen)
            mended = quarantine.assign(entries, assignments(set_to, unset, sql))
        elif records.ids:
            (entry, *others) = decided(quarantine.entries(chosen), chosen)
            if others:
                raise _wrong("one file cannot take the place of several", "name one id")
            mended = quarantine.replace_file(entry, edited_in)
        else:
            mended = quarantine.edit(edited(edited_in))
    if mended.number is None:
        if not context.json and not context.quiet:
            line("nothing changed: the records say already what they should")
        return 0
    _told(context, "fixed", mended.entries, mended.number)
    if mended.unchanged and not context.json and not context.quiet:
        line(f"{counted(len(mended.unchanged), 'record')} left as before")
    if not context.json and not context.quiet:
        line("`millpond quarantine replay` lands what is fixed")
    return 0


def replay(context: Context, records: Records) -> int:
    """Land what is mended and bring up to date what stands on it; as `run` does, 1 when a step failed."""
    chosen = selection(records)
    if not chosen.ids and chosen.statuses is None:
        chosen = replace(chosen, statuses=("fixed",))
    with context.open() as lake:
        entries = decided(lake.quarantine.entries(chosen), chosen)
        report = lake.quarantine.replay(entries, Printer(context).listen)
    show_findings(report.notes, as_json=context.json)
    if not report.ok:
        return 1
    return 3 if report.notes else 0


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
