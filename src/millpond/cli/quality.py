"""`quality`: scores, freshness with its causes, profiles, and the checks that a profile suggests."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from millpond.catalog.verdict_log import verdict_log
from millpond.cli.output import counted, json_line, line, said, table
from millpond.cli.reading import named
from millpond.core.names import TableName
from millpond.governance.moments import commit_number
from millpond.pipeline.freshness import Cause, Freshness, freshness
from millpond.project.check_text import check_lines
from millpond.quality.examination import Examination
from millpond.quality.profiles import Profiles
from millpond.quality.scores import CheckScore, TableScore, scores

if TYPE_CHECKING:
    from millpond.cli.options import Context
    from millpond.lakehouse import Lakehouse
    from millpond.quality.newest import Newest
    from millpond.quality.profile import ColumnProfile, Profile

_SIGNS = {"pass": ".", "warn": "w", "quarantine": "q", "stop": "s"}
_TOP = 3


def quality(context: Context, name: str | None, steps: int, at: str | None) -> int:
    """Print scores and freshness of all tables, or everything of one; 3 where somebody has to look at something."""
    with context.open() as lake:
        if name is not None:
            return _one(context, lake, named(lake, name, commit_number(lake.catalog, at)), steps, at)
        found = freshness(lake.project, lake.catalog, lake.runner, lake.clock.now())
        told = scores(verdict_log(lake.catalog, steps))
    if context.json:
        for each in found:
            json_line({"event": "table", **_freshness(each), **_score(told.get(each.table))})
    elif not found:
        line("the project has no sources and models yet")
    else:
        heads = ("table", "freshness", "changed (UTC)", "score", "last", "failing", "held back by")
        table(heads, [_row(each, told.get(each.table)) for each in found])
    return 3 if any(each.attention for each in found) else 0


def suggest(context: Context, name: str, at: str | None) -> int:
    """Print the checks that every row of a table passes, as lines of front matter."""
    with context.open() as lake:
        when = commit_number(lake.catalog, at)
        wanted = named(lake, name, when)
        found, suggested = _examination(lake).suggest(wanted, when)
        model = lake.project.model(wanted)
    if context.json:
        for one in suggested:
            json_line({"table": str(wanted), "commit": found.commit, "check": dict(one.entry), "because": one.because})
        return 0
    said(f"{wanted} as of commit {found.commit}, {counted(found.rows, 'row')}: what holds of every row that there is")
    if model is None:
        said(f"no model makes {wanted}: write the checks into a model that reads it")
    if not suggested:
        said("nothing to suggest that is not checked already")
        return 0
    line("checks:")
    for one in suggested:
        first, *others = check_lines(one.entry)
        for text in (f"{first}  # {one.because}", *others):
            line(text)
    return 0


def _examination(lake: Lakehouse) -> Examination:
    profiles = Profiles(lake.project.state / "profiles.db")
    return Examination(lake.project, lake.catalog, lake.gate, lake.principal, profiles)


def _one(context: Context, lake: Lakehouse, wanted: TableName, steps: int, at: str | None) -> int:
    when = commit_number(lake.catalog, at)
    now = lake.clock.now()
    fresh = next((each for each in _fresh(lake) if each.table == wanted), None) if at is None else None
    told = scores(verdict_log(lake.catalog, steps, wanted, when)).get(wanted)
    examination = _examination(lake)
    newest = examination.newest(wanted, when)
    found, earlier = examination.profile(wanted, when)
    if context.json:
        _one_as_json(wanted, fresh, told, newest, found)
    else:
        _show_freshness(wanted, fresh, now)
        _show_newest(newest, now)
        _show_checks(told)
        _show_profile(found, earlier)
    return 3 if fresh is not None and fresh.attention else 0


def _fresh(lake: Lakehouse) -> tuple[Freshness, ...]:
    return freshness(lake.project, lake.catalog, lake.runner, lake.clock.now())


def _one_as_json(
    wanted: TableName,
    fresh: Freshness | None,
    told: TableScore | None,
    newest: tuple[Newest, ...],
    found: Profile,
) -> None:
    known = _freshness(fresh) if fresh is not None else {"table": str(wanted)}
    json_line({"event": "table", **known, **_score(told)})
    for check in told.checks if told else ():
        points = [point.as_json() for point in check.points]
        last = check.last
        shown: dict[str, object] = {"event": "check", "table": str(wanted), "rule": check.rule, "outcome": last.outcome}
        json_line({**shown, "score": check.score, "last": last.score, "steps": points})
    for part in newest:
        shown = {"event": "newest", "table": str(wanted), "partition": dict(part.partition)}
        json_line({**shown, "rows": part.rows, "newest": part.newest})
    for column in found.columns:
        shown = {"event": "column", "table": str(wanted), "commit": found.commit, "rows": found.rows}
        quantiles = {str(portion): value for portion, value in column.quantiles}
        top = [{"value": value, "rows": rows} for value, rows in column.top]
        json_line({**shown, **vars(column), "quantiles": quantiles, "top": top})


def _freshness(each: Freshness) -> dict[str, object]:
    return {
        "table": str(each.table),
        "freshness": each.state,
        "commit": each.commit,
        "changed": each.changed,
        "since": each.since,
        "causes": [cause.as_json() for cause in each.causes],
    }


def _score(told: TableScore | None) -> dict[str, object]:
    if told is None:
        return {"score": None, "last": None, "checks": 0, "failing": []}
    return {"score": told.score, "last": told.last, "checks": len(told.checks), "failing": list(told.failing)}


def _row(each: Freshness, told: TableScore | None) -> tuple[object, ...]:
    changed = f"{each.changed:%Y-%m-%d %H:%M}" if each.changed else None
    first = _cause(each.causes[0], each.table) if each.causes else ""
    more = f" (and {len(each.causes) - 1} more)" if len(each.causes) > 1 else ""
    score, last = (_percent(told.score), _percent(told.last)) if told else (None, None)
    return (str(each.table), each.state, changed, score, last, ", ".join(told.failing) if told else "", first + more)


def _cause(cause: Cause, table: TableName) -> str:
    return cause.told if cause.table == table else f"{cause.table}: {cause.told}"


def _show_freshness(wanted: TableName, fresh: Freshness | None, now: datetime) -> None:
    if fresh is None:
        line(f"{wanted}")
        return
    changed = f", its rows changed {_age(now - fresh.changed)} ago (commit {fresh.commit})" if fresh.changed else ""
    line(f"{wanted} is {fresh.state}{changed}")
    for cause in fresh.causes:
        since = f" (since {cause.since:%Y-%m-%d %H:%M} UTC)" if cause.since else ""
        line(f"  {cause.kind}: {_cause(cause, wanted)}{since}")
        line(f"    {cause.next_step}")


def _show_newest(newest: tuple[Newest, ...], now: datetime) -> None:
    if not newest:
        return
    line()
    names = tuple(newest[0].partition)
    rows = [
        (*part.partition.values(), part.rows, part.newest and f"{part.newest:%Y-%m-%d %H:%M:%S}", _age(part.age(now)))
        for part in newest
    ]
    table((*names, "rows", "newest (UTC)", "old"), rows, indent="  ")


def _show_checks(told: TableScore | None) -> None:
    line()
    if told is None:
        line("  no check has judged it")
        return
    table(
        ("check", "score", "last", "failed", "judged", "steps"), [_check(check) for check in told.checks], indent="  "
    )
    line(f"  score {_percent(told.score)}; each step by its sign: . pass, w warn, q quarantine")


def _check(check: CheckScore) -> tuple[object, ...]:
    last = check.last
    signs = "".join(_SIGNS.get(point.outcome, "?") for point in check.points)
    return (check.rule, _percent(check.score), _percent(last.score), last.failed, last.judged, signs)


def _show_profile(found: Profile, earlier: tuple[Profile, ...]) -> None:
    line()
    heads = ("column", "type", "nulls", "distinct", "min", "max", "median", "top values")
    table(heads, [_column(column) for column in found.columns], indent="  ")
    told = f"  {counted(found.rows, 'row')} as of commit {found.commit}; ~ is an estimate"
    if earlier:
        told += "; profiles are kept of commits " + ", ".join(f"{one.commit} ({one.rows:,} rows)" for one in earlier)
    line(told)


def _column(column: ColumnProfile) -> tuple[object, ...]:
    distinct = None if column.distinct is None else f"{'' if column.exact else '~'}{column.distinct:,}"
    median = next((value for portion, value in column.quantiles if float(portion) == 0.5), None)
    top = ", ".join(f"{value} ({rows:,})" for value, rows in column.top[:_TOP])
    least, most = (column.least, column.most) if not column.hidden else ("hidden", "hidden")
    return (column.name, column.type, column.nulls, distinct, least, most, median, top)


def _percent(score: float | None) -> str | None:
    """100% is only what passed whole."""
    return None if score is None else f"{math.floor(score * 10_000) / 100:.10g}%"


def _age(age: timedelta | None) -> str | None:
    if age is None:
        return None
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"
