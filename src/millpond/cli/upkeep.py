"""`maintain` and `doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from millpond.cli.edge import show_findings
from millpond.cli.output import json_line, line, said, table
from millpond.core.plugins import lookup

if TYPE_CHECKING:
    from millpond.catalog.commits import CommitRecord
    from millpond.catalog.giving_up import GivenUp
    from millpond.catalog.repair import Repair
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


def doctor(context: Context, repair: bool) -> int:
    """Say whether the lake is whole; 1 when it is not, or was not until `repair` put it back."""
    with context.open() as lake:
        found = lookup("millpond.pipeline.doctor:diagnose")(lake.project, lake.catalog, lake.engine)
        show_findings(found.findings, as_json=context.json)
        mend = lookup("millpond.pipeline.doctor:mend")
        done, lost = mend(lake.project, lake.catalog, lake.principal) if repair else ((), ())
    if context.json:
        json_line({"event": "examined", "sound": found.sound, **dict(found.facts)})
        for client in found.clients:
            json_line({"event": "client", **vars(client)})
    elif not context.quiet:
        for name, value in found.facts:
            line(f"  {name:<58} {value:,}" if isinstance(value, int) else f"  {name:<58} {value}")
        line()
        table(("client", "kind", "commits", "newest"), [tuple(vars(client).values()) for client in found.clients])
        line()
        line("the lake is whole" if found.sound else "the lake is damaged")
    for one in done:
        _tell_repair(context, one)
    for each in lost:
        _tell_given_up(context, each)
    return 0 if found.sound else 1


def _tell_repair(context: Context, done: Repair) -> None:
    if context.json:
        lost = [{"commit": one.number, "kind": one.kind, "ledger": _ledger(one)} for one in done.lost]
        shown = {"event": "repaired", "table": str(done.table), "commit": done.number, "damaged": done.damaged}
        readers = [str(name) for name in done.consumers]
        json_line({**shown, "back_to": done.whole, "lost": lost, "consumers": readers})
        return
    line(f"  ✔ {done.table} is what it was at commit {done.whole} (commit {done.number}); lost of it:")
    for one in done.lost:
        counts = ", ".join(f"{count} {word}" for word, count in _ledger(one).items() if count)
        counts = "no row: it only rewrote files" if one.kind == "maintain" else counts or "how many rows is not known"
        line(f"      commit {one.number} of {one.at:%Y-%m-%d %H:%M:%S}, {one.kind}: {counts}")
    for name in () if all(one.kind == "maintain" for one in done.lost) else done.consumers:
        line(f"    {name} has read them: `millpond run --rebuild {name}` makes it what its input says")


def _tell_given_up(context: Context, lost: GivenUp) -> None:
    readers = [str(name) for name in lost.readers]
    if context.json:
        shown = {"event": "given_up", "table": str(lost.table), "environment": lost.environment}
        told = {"reasons": list(lost.reasons), "tags": list(lost.tags), "readers": readers, "refs": list(lost.refs)}
        json_line({**shown, "commit": lost.commit, "until": lost.until, **told})
        return
    name = f"{lost.table} ({lost.environment})"
    if lost.refs:
        line(f"  ✗ {name} has no branch or tag {', '.join(lost.refs)} any more (commit {lost.commit}):")
    else:
        last = lost.commit if lost.until is None else lost.until - 1
        commits = f"commit {lost.commit}" if last == lost.commit else f"the commits {lost.commit} to {last}"
        line(f"  ✗ {name} cannot be read --at {commits} any more:")
    for reason in lost.reasons:
        line(f"      {reason}")
    for tag in lost.tags:
        line(f"    the tag {tag} names that state; `millpond tag --delete {tag}` takes it away")
    for reader in readers:
        line(f"    {reader} has read up to there: `millpond run --rebuild {reader}` if its next run asks for it")


def _ledger(commit: CommitRecord) -> dict[str, int]:
    words = ("inserted", "updated", "deleted")
    return {word: getattr(commit.ledger, word) for word in words} if commit.ledger else {}


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
