"""`run`, `plan` and `runs`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from millpond.cli.edge import show_findings
from millpond.cli.output import counted, json_line, line, said, table
from millpond.pipeline.circuit import open_circuits
from millpond.pipeline.plan import BuildStep, LandStep, ReplayStep, Step
from millpond.pipeline.request import Request
from millpond.quality.review import finding, overdue

if TYPE_CHECKING:
    from millpond.cli.options import Context
    from millpond.core.errors import Finding
    from millpond.core.names import TableName
    from millpond.lakehouse import Lakehouse
    from millpond.pipeline.events import Event


def run(context: Context, request: Request, *, dry_run: bool) -> int:
    """Bring the selected tables up to date; 1 when a step failed, 3 when something waits too long for a person."""
    if dry_run:
        return plan(context, request)
    with context.open() as lake:
        printer = Printer(context)
        report = lake.runner.run(request, printer.listen)
        late = attention(lake)
    show_findings((*report.notes, *late), as_json=context.json)
    _tell_waiting(context, report.waiting)
    if not report.outcomes and not report.failures and not report.waiting and not context.quiet:
        _nothing(context)
    if not report.ok:
        return 1
    return 3 if late else 0


def plan(context: Context, request: Request) -> int:
    """Print the steps that a run would take; 3 when a circuit is open."""
    with context.open() as lake:
        planned = lake.runner.plan(request)
        circuits = _open(lake)
    show_findings((*planned.notes, *circuits), as_json=context.json)
    if context.json:
        for step in planned.steps:
            json_line(_step(step))
    elif planned.empty and not planned.waiting and not planned.open:
        _nothing(context)
    elif not planned.empty:
        rows = [(str(step.table), step.work, step.because, _detail(step)) for step in planned.steps]
        table(("table", "work", "because", "note"), rows)
    _tell_waiting(context, planned.waiting)
    return 3 if circuits else 0


def attention(lake: Lakehouse) -> tuple[Finding, ...]:
    """What somebody has to look at: records that are overdue, and open circuits."""
    now = lake.clock.now()
    return (*(finding(found) for found in overdue(lake.project, lake.catalog, now)), *_open(lake))


def _open(lake: Lakehouse) -> tuple[Finding, ...]:
    now = lake.clock.now()
    return tuple(found.finding(now) for found in open_circuits(lake.project.models, lake.catalog).values())


def runs(context: Context, run_id: str | None, limit: int) -> int:
    """Print past runs, or what happened in one."""
    with context.open() as lake:
        log = lake.runner.log
        if run_id is not None:
            for at, name, fields in log.events(run_id):
                if context.json:
                    json_line({"at": at, "event": name, **fields})
                else:
                    line(f"{at[:19]}  {name:<14} {_told(name, fields)}")
            return 0
        found = log.recent(limit)
    if context.json:
        for each in found:
            json_line({**vars(each)})
    elif not found:
        line("no runs yet: `millpond run` makes the first")
    else:
        rows = [(r.id, r.started[:19], r.status, r.steps, ", ".join(r.failed)) for r in found]
        table(("run", "started", "status", "steps", "failed"), rows)
    return 0


class Printer:
    """Prints events: JSON lines, or a line for each step, which on a terminal first says what is going on."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._width = _WIDTH

    def listen(self, event: Event) -> None:
        """Print an event."""
        if event.name == "run_started":
            fields: Any = event.fields
            self._width = max((_WIDTH, *map(len, fields["tables"])))
        if self._context.json:
            json_line({"event": event.name, "at": event.at.isoformat(), **event.fields})
        elif event.name == "step_failed":
            self._clear()
            said(f"  ✗ {_told(event.name, event.fields)}")
        elif not self._context.quiet:
            self._line(event)

    def _line(self, event: Event) -> None:
        if event.name == "step_started" and self._context.interactive:
            sys.stdout.write(f"  … {event.fields['table']}  {event.fields['work']}")
            sys.stdout.flush()
        elif event.name == "step_finished":
            self._clear()
            line(f"  {'✔' if event.fields['commit'] else '-'} {_told(event.name, event.fields, self._width)}")
        elif event.name == "step_skipped":
            line(f"  - {event.fields['table']}  skipped: a table that it reads failed")
        elif event.name == "note":
            line(f"  {event.fields['text']}")

    def _clear(self) -> None:
        if self._context.interactive:
            sys.stdout.write("\r\x1b[2K")


_WIDTH = 28
"""Room for the names of tables; more where one is longer."""


def _told(name: str, fields: Any, width: int = _WIDTH) -> str:
    if name == "step_finished":
        return f"{fields['table']:<{width}} {fields['work']:<10} {_counts(fields)}  {fields['seconds']:.1f} s"
    if name == "step_failed":
        place = f"  {fields['where']}" if fields.get("where") else ""
        meant = f' (did you mean "{fields["suggestion"]}"?)' if fields.get("suggestion") else ""
        return f"{fields['table']}  {fields['code']}: {fields['message']}{meant}{place}\n    fix: {fields['next_step']}"
    return ", ".join(f"{key}: {value}" for key, value in fields.items())


def _counts(fields: Any) -> str:
    ledger = fields.get("ledger")
    if not ledger:
        return fields.get("note") or ""
    read = ledger["read"] if ledger["read"] is not None else ledger["staged"]
    words = [f"{read:,} in", f"{ledger['inserted'] + ledger['updated']:,} out"]
    others = ("filtered", "unchanged", "stale", "deleted", "deduplicated", "quarantined")
    words += [f"{ledger[word]:,} {word}" for word in others if ledger.get(word)]
    if fields.get("rejected_files"):
        words.append(f"{counted(fields['rejected_files'], 'file')} quarantined")
    words += [f"warning {warning['rule']}: {warning['failed']:,}" for warning in fields.get("warnings", ())]
    return ", ".join(words)


def _nothing(context: Context) -> None:
    if not context.json:
        line("nothing to do: everything is up to date")


def _tell_waiting(context: Context, waiting: tuple[tuple[TableName, TableName], ...]) -> None:
    for model, absent in waiting:
        if context.json:
            json_line({"event": "waiting", "table": str(model), "absent": str(absent)})
        elif not context.quiet:
            line(f"  - {model} waits: {absent} has no table yet")


def _detail(step: Step) -> str:
    return step.note if isinstance(step, BuildStep) else ""


def _step(step: Step) -> dict[str, object]:
    shown: dict[str, object] = {"table": str(step.table), "work": step.work, "because": step.because}
    if isinstance(step, LandStep):
        shown |= {"source": step.source, "new": step.new, "changed": step.changed, "rejected": step.rejected}
        shown |= {"known": step.known}
    if isinstance(step, ReplayStep):
        shown |= {"source": step.source, "records": len(step.records), "files": len(step.files)}
    if isinstance(step, BuildStep):
        shown |= {"kind": step.kind, "note": step.note}
        shown["inputs"] = [{"table": str(given.table), "since": given.since} for given in step.inputs]
    return shown
