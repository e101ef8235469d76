"""`history`, `diff`, `restore` and `tag`: the lake as it was, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer

from millpond.catalog.commits import EXTERNAL
from millpond.catalog.counting import counted as counted_rows
from millpond.catalog.restoring import Restore, plan_restore
from millpond.cli.output import counted, json_line, line, said, table
from millpond.cli.reading import named
from millpond.core.encoding import shown
from millpond.core.errors import ProjectError
from millpond.core.names import STATE, TableName
from millpond.governance.moments import commit_number

if TYPE_CHECKING:
    import pyarrow as pa

    from millpond.catalog.catalog import Catalog
    from millpond.catalog.commits import CommitRecord
    from millpond.cli.options import Context
    from millpond.lakehouse import Lakehouse


def history(context: Context, name: str | None, limit: int) -> int:
    """Print the newest commits."""
    with context.open(settings_only=True) as lake:
        wanted = _moved(lake, name) if name is not None else None
        commits = lake.catalog.history(wanted, limit)
        tags: dict[int, list[str]] = {}
        for tag in lake.tags.all():
            tags.setdefault(tag.number, []).append(tag.name)
        rows = {commit.number: _rows(lake.catalog, commit) for commit in commits}
    if context.json:
        for commit in commits:
            json_line(_commit(commit, tags.get(commit.number, []), rows[commit.number]))
    elif not commits:
        line("no commits yet: `millpond run` makes the first")
    else:
        heads = ("commit", "time (UTC)", "who", "what", "tables", "in", "out", "gone", "")
        table(heads, [_row(commit, tags.get(commit.number, []), rows[commit.number]) for commit in commits])
    return 0


def _moved(lake: Lakehouse, name: str) -> TableName:
    """The table or view that a name means. A whole name may be that of one which was dropped or renamed since."""
    parts = name.split(".")
    whole = (TableName(".".join(parts[:n]), ".".join(parts[n:])) for n in range(1, len(parts)))
    known = next((one for one in whole if lake.catalog.history(one, 1)), None)
    return named(lake, name, views=True) if known is None else known


_Rows = tuple[int | None, int | None, int | None]
"""How many rows a commit read, inserted or changed, and deleted; None where that is not known."""


def _rows(catalog: Catalog, commit: CommitRecord) -> _Rows:
    ledger = commit.ledger
    if ledger is not None:
        read = ledger.staged if ledger.read is None else ledger.read
        return read, ledger.inserted + ledger.updated, ledger.deleted
    counts = counted_rows(catalog, commit) if commit.kind == EXTERNAL else None
    return (None, None, None) if counts is None else (counts.added, counts.added, counts.deleted)


def _commit(commit: CommitRecord, tags: list[str], rows: _Rows) -> dict[str, object]:
    ledger = commit.ledger
    return {
        "number": commit.number,
        "at": commit.at,
        "who": commit.principal,
        "client": commit.client,
        "kind": commit.kind,
        "step": commit.step_key,
        "run": commit.run,
        "table": str(commit.table) if commit.table else None,
        "tables": [str(moved) for moved in commit.tables],
        "restored": commit.restored,
        "tags": tags,
        "rows_in": rows[0],
        "rows_out": rows[1],
        "rows_gone": rows[2],
        "ledger": dict(vars(ledger)) if ledger else None,
    }


def _row(commit: CommitRecord, tags: list[str], rows: _Rows) -> tuple[object, ...]:
    what = commit.kind if commit.restored is None else f"{commit.kind} to {commit.restored}"
    who = commit.principal if commit.client == "millpond" else f"{commit.principal} ({commit.client.split('/')[0]})"
    moved = ", ".join(str(name) for name in commit.tables if name.layer != STATE) or (
        f"({commit.table})" if commit.table else ""
    )
    return (
        commit.number,
        f"{commit.at:%Y-%m-%d %H:%M:%S}",
        who,
        what,
        moved,
        *rows,
        ", ".join(tags),
    )


def restore(context: Context, name: str | None, to: str, *, every: bool, dry_run: bool) -> int:
    """Make a table, or all, what they were at a moment, after asking."""
    if (name is None) != every:
        raise ProjectError(
            "MP-1094", "restore needs either a table or --all", next_step="say one: `millpond restore --all --to 12`"
        )
    with context.open() as lake:
        number = commit_number(lake.catalog, to)
        wanted = None if name is None else named(lake, name, number)
        planned = plan_restore(lake.catalog, number, wanted)
        moving = [item for item in planned.tables if item.work != "keep" and item.table.layer != STATE]
        if not context.quiet and not context.json:
            _show(planned)
        if dry_run:
            done = None
        else:
            _confirm(context, f"{counted(len(moving), 'table')} to commit {number}")
            done = lake.restore(number, wanted)
    if context.json:
        for item in moving:
            json_line({"table": str(item.table), "work": item.work, "to": number})
        json_line({"commit": done, "restored": number})
    elif done is not None and not context.quiet:
        line(f"done by commit {done}; `millpond run` goes on from there, `millpond history` shows both")
    return 0


def _show(planned: Restore) -> None:
    rows = [
        (str(item.table), item.work, item.now.commit if item.now else None, item.then.commit if item.then else None)
        for item in planned.tables
        if item.table.layer != STATE  # side tables go along with their tables
    ]
    if rows:
        table(("table", "work", "is of commit", "will be of"), rows)
    else:
        line("no tables then, and none now")


def _confirm(context: Context, told: str) -> None:
    """Ask. Raises ProjectError MP-1095 where nobody can answer, or the answer is no."""
    if context.yes:
        return
    if not sys.stdin.isatty() or not typer.confirm(f"Restore {told}?", err=True):
        raise ProjectError("MP-1095", "nothing was restored: nobody said yes", next_step="say --yes to restore")


def tag(context: Context, name: str | None, at: str | None, *, listed: bool, delete: str | None) -> int:
    """Name a commit, list the names, or take one away."""
    if sum((name is not None, listed, delete is not None)) > 1 or (at is not None and name is None):
        raise ProjectError(
            "MP-1097",
            "tags are given, listed and taken away one at a time",
            next_step="say one: `millpond tag NAME --at 12`, `millpond tag --list` or `millpond tag --delete NAME`",
        )
    with context.open(settings_only=True) as lake:
        if delete is not None:
            lake.tags.delete(delete)
            return 0
        if name is None or listed:
            tags = lake.tags.all()
        else:
            made = lake.tags.add(name, commit_number(lake.catalog, at), lake.principal)
            if context.json:
                json_line(dict(vars(made)))
            elif not context.quiet:
                line(f"{made.name} names commit {made.number}")
            return 0
    if context.json:
        for each in tags:
            json_line(dict(vars(each)))
    elif not tags:
        line("no tags yet: `millpond tag NAME` names the newest commit")
    else:
        table(
            ("tag", "commit", "given (UTC)", "by"),
            [(t.name, t.number, f"{t.at:%Y-%m-%d %H:%M:%S}", t.principal) for t in tags],
        )
    return 0


def diff(context: Context, name: str, at: str, to: str | None, limit: int | None) -> int:
    """Print what came, went and changed in a table between two moments."""
    with context.open() as lake:
        before = commit_number(lake.catalog, at)
        wanted = named(lake, name, before)
        model = lake.project.model(wanted)
        key = model.row_key if model is not None else ()
        with lake.gate.difference(wanted, before, to, lake.principal, key) as answer:
            rows = list(islice(_changes(answer.reader), _SHOWN if limit is None and not context.json else limit))
            counts, commits, columns = answer.counts, answer.commits, answer.schema.names
    if context.json:
        for change, old, new in rows:
            json_line({"change": change, "before": old, "after": new})
        return 0
    if rows:
        table(("", *columns), [(_MARKS[change], *_cells(old, new, columns)) for change, old, new in rows])
    told = [f"{counts[change]:,} {change}" for change in _MARKS if counts.get(change)]
    line(f"{', '.join(told) or 'no difference'} in {wanted} between commits {commits[0]} and {commits[1]}")
    if sum(counts.values()) > len(rows):
        said(f"only the first {counted(len(rows), 'row')} are shown: --limit shows more")
    return 0


_SHOWN = 20
"""Rows of a difference that a terminal is given when nothing else is asked for."""

_MARKS = {"inserted": "+", "deleted": "-", "changed": "~"}

_Change = tuple[str, dict[str, Any] | None, dict[str, Any] | None]


def _changes(reader: pa.RecordBatchReader) -> Iterator[_Change]:
    for batch in reader:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _cells(old: dict[str, Any] | None, new: dict[str, Any] | None, columns: Sequence[str]) -> list[object]:
    """A row's values; of one that changed, the old ones too where they differ."""
    if old is None or new is None:
        present = new or old or {}
        return [present.get(name) for name in columns]
    return [
        new[name] if shown(old[name]) == shown(new[name]) else f"{shown(old[name])} -> {shown(new[name])}"
        for name in columns
    ]
