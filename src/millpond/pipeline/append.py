"""An `append` step: new rows judged, duplicates dropped, conflicts decided by content, the rest added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from millpond.catalog.commits import Ledger, Verdict
from millpond.catalog.staging import Stage
from millpond.core.names import side_table
from millpond.core.schema import Column, Schema
from millpond.engines.engine import Session
from millpond.pipeline.bounding import all_apart, ordered_key, scattered, searched, whole_key
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.inputs import InputChanges
from millpond.pipeline.known_keys import KnownKeys
from millpond.pipeline.staged import Judged, quarantine_losers, quarantine_rejected, stage_rows
from millpond.pipeline.target import ensure_quarantine
from millpond.pipeline.unique import (
    contest,
    forget_replaced,
    prepare_aside,
    rejects_repeats,
    repeat_verdicts,
    settle,
)
from millpond.pipeline.workbench import Workbench
from millpond.quality.rules import row_rules
from millpond.sql.append import (
    DOUBLED,
    Append,
    beaten_aside,
    contested_counts,
    create_contested,
    create_doubled,
    delete_losers,
    insert_new,
    new_rows,
    replaced,
)
from millpond.sql.casts import SoftCast, soften
from millpond.sql.marks import widened
from millpond.sql.rewrite import add_columns, replace_inputs
from millpond.sql.staging import CARRIED, ROW, Staging
from millpond.sql.statements import count_rows


def append_rows(
    bench: Workbench,
    session: Session,
    stage: Stage,
    model: CompiledModel,
    news: tuple[InputChanges, ...],
    schema: Schema,
    *,
    filled: bool,
    other: Sequence[Column] = (),
) -> tuple[Ledger, tuple[Verdict, ...]]:
    """Add what is new to the model's table. `filled` says that the table may hold rows; `other` see `staging_of`."""
    traced = model.shape.row_preserving
    read = _open_input(session, news[0]) if traced else None
    staging = staging_of(model, schema, filled=filled, other=other)
    judged = stage_rows(session, model.model, staging)
    prepare_aside(stage, model.model, schema, filled=filled)
    append = _append(session, model, schema, filled)
    if append.aside is None and scattered(session, append.key, schema, kept=filled):
        index, good = KnownKeys(bench, session, stage, append), judged.staged - judged.rejected
        if filled:
            append = replace(append, known=index.find(good))
        else:
            index.begin(good)
    session.execute(create_doubled(append))
    ledger, verdicts = _change(bench, session, stage, model, append, judged)
    if read is not None:
        filtered = read - judged.staged
        ledger = replace(ledger, read=ledger.staged + filtered, filtered=filtered)
    return ledger, judged.verdicts + verdicts


def _open_input(session: Session, news: InputChanges) -> int:
    session.execute(news.view(_view(news)))
    return int(session.rows(count_rows(_view(news)))[0][0])


def _view(news: InputChanges) -> str:
    return f"new_{news.table.name}"


def staging_of(model: CompiledModel, schema: Schema, *, filled: bool, other: Sequence[Column] = ()) -> Staging:
    """How the model's rows are made and judged, from the temp view of its input's rows where it is row-preserving.

    `other` are the columns to which the query itself gives another type than the table: rows are compared as it keeps
    them.
    """
    query, traced = model.query, model.shape.row_preserving
    casts: tuple[SoftCast, ...] = ()
    if traced:
        softened = soften(query)
        casts = softened.casts
        query = add_columns(softened.query, (*CARRIED, ROW))
        query = replace_inputs(query, {model.inputs[0]: f"new_{model.inputs[0].name}"})
    return Staging(
        widened(query.text(), [(column.name, column.type) for column in other]),
        schema.names,
        row_rules(model.model, casts, schema),
        model.model.key,
        traced=traced,
        carried=rejects_repeats(model.model) or bool(set(schema.names) - set(model.model.key)),
        again=traced and not rejects_repeats(model.model),
        kept=ordered_key(model.model.key, schema) if filled else (),
        whole=whole_key(model.model.key, schema),
        raw_of=str(model.inputs[0]) if traced else "",
    )


def _append(session: Session, model: CompiledModel, schema: Schema, filled: bool) -> Append:
    history = searched(session, ordered_key(model.model.key, schema)) if filled else ""
    payload = set(schema.names) - set(model.model.key)
    whole = whole_key(model.model.key, schema)
    return Append(
        model.table,
        schema.names,
        model.model.key,
        filled,
        history,
        carried=CARRIED if payload or rejects_repeats(model.model) else (),
        whole=whole,
        apart=whole and all_apart(session),
        aside=side_table(model.table) if rejects_repeats(model.model) else None,
    )


def _change(
    bench: Workbench, session: Session, stage: Stage, model: CompiledModel, append: Append, judged: Judged
) -> tuple[Ledger, tuple[Verdict, ...]]:
    contested = session.rows(count_rows(DOUBLED))[0][0] > 0
    went = copies = lost = outdone = 0
    if contested:
        session.execute(create_contested(append))
        _, went, copies, lost = session.rows(contested_counts())[0]
        outdone = forget_replaced(session, model.model, beaten_aside(append))
    known = ensure_quarantine(bench, stage) if judged.rejected or lost or went or outdone else False
    if judged.rejected:
        quarantine_rejected(bench, session, model.table, known=known)
    if lost or went or outdone:
        quarantine_losers(bench, session, model.model, append.outputs, known=known)
    if went:
        session.execute(delete_losers(append))
    ledger = Ledger(staged=judged.staged, updated=went, deduplicated=copies, quarantined=judged.rejected + lost)
    settled = None
    if append.aside is not None:
        columns = (*append.outputs, *append.carried)
        arriving = new_rows(columns, contested=contested)
        keys = replaced(append) if contested else ""
        over = contest(model.model, append.outputs, arriving, keys, append.carried)
        settled = settle(bench, session, stage, model.model, over)
    if settled is not None:
        ledger = settled.ledger(ledger)
    else:
        added = session.execute(insert_new(append, contested=contested))
        ledger = replace(ledger, inserted=added - went)
    return ledger, repeat_verdicts(model.model, settled, judged.staged)
