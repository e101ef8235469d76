"""Doing one ReplayStep: mended records into bronze, in the place of what they mend, with their lives in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from millpond.catalog.commits import Commit, Ledger, LifeEvent, SeenFile
from millpond.catalog.lives import Life, lives, opened_by
from millpond.catalog.staging import Stage
from millpond.core.clock import naive_utc
from millpond.core.encoding import decoded
from millpond.core.errors import Finding
from millpond.engines.engine import Session
from millpond.engines.scratch import scratch_folder
from millpond.ingest.quarantine import origin_of
from millpond.ingest.source import Kept, Load
from millpond.pipeline.mending import text_of
from millpond.pipeline.outcome import Outcome
from millpond.pipeline.plan import ReplayStep
from millpond.pipeline.tracing import record_columns
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Source
from millpond.sql.mending import (
    REVISION_SCHEMA,
    REVISIONS,
    absent_places,
    create_replaced,
    delete_replaced,
    insert_mended,
    select_revisions,
)
from millpond.sql.quarantine import files_by_id, steps_by_id

Row = dict[str, Any]


def replay(bench: Workbench, source: Source, step: ReplayStep) -> Outcome:
    """Land what is mended and not landed yet, and publish it. Raises ConflictError when another commit came first.

    Whether it is landed is asked at the commit that the step builds on, and said in the commit that lands it.
    """
    key = bench.step_key(f"{step.table}/replay")
    done = bench.catalog.published(key)
    if done is not None:
        return Outcome(done, bench.catalog.ledger(done), note="was published before")
    stage = bench.catalog.begin(key)
    try:
        ready = _ready(bench, step, stage.base)
        with bench.engine.session(bench.endpoint, stage.token) as session:
            landed, ledger, findings = _land_records(bench, session, stage, step, ready, key)
            files, seen, of_files = _land_files(bench, session, stage, source, step, ready, key)
            events = _events(bench, session, step, ready, (*landed, *files))
        if not events:
            return Outcome(None, note="nothing to replay", findings=findings)
        commit = Commit(
            step_key=key,
            kind="replay",
            principal=bench.principal,
            run=bench.run,
            table=step.table,
            files=seen,
            ledger=_sum(ledger, of_files),
            lives=events,
        )
        return Outcome(stage.publish(commit).number, commit.ledger, findings=findings)
    finally:
        stage.discard()


def _ready(bench: Workbench, step: ReplayStep, base: int) -> dict[str, Life]:
    """The lives of the entries that may be landed: mended ones; files also as they came."""
    known = lives(bench.catalog, (*step.records, *step.files), base)
    ready = {identity: life for identity, life in known.items() if life.status == "fixed"}
    for identity in step.files:
        life = known.get(identity, Life(identity))
        if life.status == "open":
            ready[identity] = life
    return ready


def _land_records(
    bench: Workbench, session: Session, stage: Stage, step: ReplayStep, ready: dict[str, Life], key: str
) -> tuple[tuple[str, ...], Ledger, tuple[Finding, ...]]:
    """Stage the mended rows, and take away those that they mend."""
    wanted = [identity for identity in step.records if identity in ready]
    if not wanted or stage.find(REVISIONS) is None:
        return (), Ledger(0), ()
    rows = _revisions(session, wanted, ready)
    rows, findings = _one_for_each_place(session, stage, step, rows)
    if not rows:
        return (), Ledger(0), findings
    columns = record_columns(stage, step.table)
    with session.transaction():
        places = _replaced(rows)
        session.execute(create_replaced(), places)
        deleted = session.execute(delete_replaced(step.table)) if places[0] else 0
        at = naive_utc(bench.clock.now())
        inserted = session.execute(insert_mended(step.table, columns, key, at), _lists(rows, columns))
    landed = tuple(dict.fromkeys(row["id"] for row in rows))
    return landed, Ledger(staged=inserted + deleted, inserted=inserted, deleted=deleted), findings


def _revisions(session: Session, wanted: Sequence[str], ready: dict[str, Life]) -> list[Row]:
    told = [list(wanted), [ready[identity].revision for identity in wanted]]
    names = REVISION_SCHEMA.names[:-3]
    return [dict(zip(names, row, strict=True)) for row in session.rows(select_revisions(), told)]


def _replaced(rows: Sequence[Row]) -> list[list[Any]]:
    places = [row for row in rows if row["load"] is not None]
    return [[row[name] for row in places] for name in ("origin", "position", "load")]


def _one_for_each_place(
    session: Session, stage: Stage, step: ReplayStep, rows: Sequence[Row]
) -> tuple[list[Row], tuple[Finding, ...]]:
    """The rows without entries whose bronze row is gone, and without all but one of those that mend the same."""
    session.execute(create_replaced(), _replaced(rows))
    gone = {tuple(row) for row in session.rows(absent_places(step.table))} if stage.find(step.table) else set()
    taken: dict[tuple[Any, ...], str] = {}
    left: dict[str, str] = {}
    for row in rows:
        place = (row["origin"], row["position"])
        if row["load"] is not None and place in gone:
            left[row["id"]] = "what it mends is no longer in bronze"
        elif taken.setdefault((*place, row["load"]), row["id"]) != row["id"]:
            left[row["id"]] = f"the same record is mended by {taken[*place, row['load']][:8]}"
    findings = tuple(
        Finding(
            "MP-6127",
            f"the record {identity[:8]} was not replayed: {why}",
            "it heals when its table is brought up to date; else look at it again",
            severity="warning",
        )
        for identity, why in left.items()
    )
    return [row for row in rows if row["id"] not in left], findings


def _lists(rows: Sequence[Row], columns: Sequence[Any]) -> list[list[Any]]:
    """What `insert_mended` takes."""
    records = [decoded(row["raw"]) for row in rows]
    rescued = [text_of(record.get("_rescued")) for record in records]
    origins = [origin_of(row["id"], row["revision"]) for row in rows]
    fields = [[text_of(record.get(column.name)) for record in records] for column in columns]
    return [origins, [row["part"] for row in rows], rescued, *fields]


def _land_files(
    bench: Workbench,
    session: Session,
    stage: Stage,
    source: Source,
    step: ReplayStep,
    ready: dict[str, Life],
    key: str,
) -> tuple[tuple[str, ...], tuple[SeenFile, ...], Ledger]:
    """Stage the records of kept files. Raises QualityError MP-6125 for one that still cannot be read."""
    wanted = [identity for identity in step.files if identity in ready]
    if not wanted:
        return (), (), Ledger(0)
    mended = {}
    if stage.find(REVISIONS) is not None:
        told = [identity for identity in wanted if ready[identity].revision is not None]
        mended = {row["id"]: row["content_path"] for row in _revisions(session, told, ready)} if told else {}
    files = tuple(
        Kept(origin_of(identity, ready[identity].revision or 0), origin, Path(mended.get(identity, content)))
        for identity, origin, content in session.rows(files_by_id(), [wanted])
    )
    load = Load(session, bench.catalog, stage, key, bench.clock.now())
    with scratch_folder(bench.project.state / "scratch", "replay-") as folder:
        landed = bench.reader(source).again(files, bench.catalog, stage.base, folder).land(load)
    for file in landed.files:
        if file.outcome != "loaded":
            kept = next(kept for kept in files if kept.origin == file.path)
            raise kept.unread("not one record of it can be read")
    return tuple(wanted), landed.files, landed.ledger


def _events(
    bench: Workbench, session: Session, step: ReplayStep, ready: dict[str, Life], landed: Sequence[str]
) -> tuple[LifeEvent, ...]:
    if not landed:
        return ()
    steps = dict(session.rows(steps_by_id(), [list(landed)]))
    opened = opened_by(bench.catalog, set(steps.values()))
    known = (replace(ready[identity], opened=opened.get(steps.get(identity, ""), 0)) for identity in landed)
    return tuple(life.becomes("replayed", step.table, revision=life.revision) for life in known)


def _sum(one: Ledger, other: Ledger) -> Ledger:
    staged = one.staged + other.staged
    parts = {name: getattr(one, name) + getattr(other, name) for name in ("inserted", "deleted", "quarantined")}
    return Ledger(staged, **parts)
