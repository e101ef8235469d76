"""`maintain` and `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millpond.cli.output import json_line, line, said, table

if TYPE_CHECKING:
    from millpond.cli.options import Context
    from millpond.core.names import TableName
    from millpond.pipeline.events import Event


def maintain(context: Context, select: tuple[str, ...], dry_run: bool) -> int:
    """Keep the lake small and fast; 1 when a step failed."""
    if dry_run:
        return _plan(context, select)
    with context.open() as lake:
        report = lake.upkeep.run(select, lambda event: _tell(context, event))
    _tell_left(context, report.left)
    if not report.done and not report.failures and not context.json and not context.quiet:
        line("nothing to do: the lake is in order")
    return 0 if report.ok else 1


def _plan(context: Context, select: tuple[str, ...]) -> int:
    with context.open() as lake:
        planned = lake.upkeep.plan(select)
    if context.json:
        for step in planned.steps:
            shown = {"work": step.work, "table": str(step.table) if step.table else None, "because": step.because}
            json_line({**shown, "files": step.files, "bytes": step.size})
    elif planned.steps:
        rows = [(str(s.table or "lake"), s.work, s.because, s.files or None, s.size or None) for s in planned.steps]
        table(("table", "work", "because", "files", "bytes"), rows)
    else:
        line("nothing to do: the lake is in order")
    _tell_left(context, planned.left)
    return 0


def _tell(context: Context, event: Event) -> None:
    if context.json:
        json_line({"event": event.name, "at": event.at.isoformat(), **event.fields})
    elif event.name == "step_failed":
        fields = event.fields
        said(f"  ✗ {fields['table']}  {fields['work']}  {fields['code']}: {fields['message']}")
        said(f"    fix: {fields['next_step']}")
    elif event.name == "step_finished" and not context.quiet:
        fields = event.fields
        mark = "✔" if fields["commits"] else "-"
        line(f"  {mark} {fields['table']!s:<28} {fields['work']:<8} {fields['note']}  {fields['seconds']:.1f} s")


def _tell_left(context: Context, left: tuple[tuple[TableName, str], ...]) -> None:
    for name, reason in left:
        if context.json:
            json_line({"event": "left", "table": str(name), "reason": reason})
        elif not context.quiet:
            line(f"  - {name} is not rewritten: {reason}")
