"""Steps that compute rows anew: the groups or partitions that changed, a span of time, or everything."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.catalog.commits import Ledger, Verdict
from millpond.catalog.staging import Stage
from millpond.core.errors import ModelError
from millpond.core.schema import Schema
from millpond.engines.engine import Session
from millpond.pipeline.bounding import held_by
from millpond.pipeline.building import Building
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.merging import merge_states, state_all
from millpond.pipeline.staged import Judged, quarantine_rejected, stage_rows
from millpond.pipeline.target import ensure_quarantine, prepare_side
from millpond.pipeline.unique import contest, forget_replaced, prepare_aside, rejects_repeats, repeat_verdicts, settle
from millpond.pipeline.workbench import Workbench
from millpond.quality.rules import row_rules
from millpond.sql.difference import (
    GROUPS,
    Difference,
    all_rows,
    changed_rows,
    create_difference,
    create_groups,
    create_narrowed,
    delete_changed,
    difference_counts,
    group_keys,
    insert_rows,
    other_keys,
    repeated_key,
)
from millpond.sql.groups import GroupKey
from millpond.sql.lookback import (
    Lookback,
    changed_span,
    create_spanned,
    create_spanned_groups,
    span,
    spanned_output,
)
from millpond.sql.partitioned import (
    PartitionField,
    changed_partitions,
    count_replaced,
    delete_replaced,
    key_elsewhere,
    of_row,
)
from millpond.sql.rewrite import replace_inputs
from millpond.sql.staging import Staging

_NARROWED = "narrowed"


def recompute_groups(building: Building, groups: GroupKey) -> tuple[Ledger, tuple[Verdict, ...]]:
    """Bring the groups that changed rows bear on, or bore on, up to date, and apply what differs."""
    session, model, schema = building.session, building.model, building.schema
    _prepare_beside(building, filled=True)
    if building.merging is not None:
        (news,) = building.news
        query = merge_states(session, model, building.merging, news, schema)
    else:
        query = _narrowed(building, groups)
    forget_replaced(session, model.model, group_keys(model.model.key))
    judged = _stage(building.bench, session, building.stage, model, query, schema)
    difference = Difference(model.table, schema.names, model.model.key, grouped=True)
    return _apply(building.bench, session, building.stage, model, schema, judged, difference)


def recompute_span(building: Building, lookback: Lookback) -> tuple[Ledger, tuple[Verdict, ...]]:
    """Compute the rows of the times of changed rows again, and of the times that look back on them."""
    session, model, schema, (news,) = building.session, building.model, building.schema, building.news
    _prepare_beside(building, filled=True)
    within = span(lookback, session.rows(changed_span(lookback, news.queries()))[0])
    session.execute(create_spanned(_NARROWED, lookback.input, within))
    query = spanned_output(replace_inputs(model.query, {lookback.input: _NARROWED}).text(), within)
    judged = _stage(building.bench, session, building.stage, model, query, schema)
    session.execute(create_spanned_groups(model.table, model.model.key, within))
    forget_replaced(session, model.model, group_keys(model.model.key))
    difference = Difference(model.table, schema.names, model.model.key, grouped=False, among=within.compared)
    return _apply(building.bench, session, building.stage, model, schema, judged, difference)


def recompute_partitions(
    building: Building, groups: GroupKey, fields: tuple[PartitionField, ...]
) -> tuple[Ledger, tuple[Verdict, ...]]:
    """Compute the partitions of changed rows again and put them in the place of what was there."""
    session, model, schema = building.session, building.model, building.schema
    table, key = model.table, model.model.key
    judged = _stage(building.bench, session, building.stage, model, _narrowed(building, groups), schema)
    if key:
        _refuse_repeated_key(model, session.rows(key_elsewhere(table, fields, key)))
        within = changed_partitions(fields, of_row(fields, "p"))
        difference = Difference(table, schema.names, key, grouped=False, among=within)
        return _apply(building.bench, session, building.stage, model, schema, judged, difference)
    gone, came = int(session.rows(count_replaced(table, fields))[0][0]), judged.staged - judged.rejected
    if gone:
        session.execute(delete_replaced(table, fields))
    if came:
        session.execute(insert_rows(table, schema.names, all_rows(schema.names)))
    ledger = Ledger(judged.staged + gone, inserted=came, deleted=gone, quarantined=judged.rejected)
    return ledger, judged.verdicts


def recompute_whole(building: Building) -> tuple[Ledger, tuple[Verdict, ...]]:
    """Compute the query over all of its inputs; add everything to an empty table, or apply what differs."""
    session, model, schema = building.session, building.model, building.schema
    _prepare_beside(building, filled=False)
    query = model.query.text()
    if building.merging is not None:
        query = state_all(session, building.merging, schema)
    judged = _stage(building.bench, session, building.stage, model, query, schema)
    difference = Difference(model.table, schema.names, model.model.key, grouped=False) if building.filled else None
    return _apply(building.bench, session, building.stage, model, schema, judged, difference)


def _narrowed(building: Building, groups: GroupKey) -> str:
    """The query over the input's rows of the groups that changed rows bear on, or bore on; what it joins is whole."""
    session = building.session
    session.execute(create_groups(groups, {change.table: change.queries() for change in building.news}))
    within = held_by(session, GROUPS, groups.expressions, building.stage.metadata(groups.input).schema())
    session.execute(create_narrowed(_NARROWED, groups.input, groups.expressions, within))
    return replace_inputs(building.model.query, {groups.input: _NARROWED}).text()


def _prepare_beside(building: Building, *, filled: bool) -> None:
    """Make sure of the side table: for the states of groups, for rows that stand aside, or none."""
    if building.merging is not None:
        prepare_side(building.stage, building.model.model, building.merging.schema, filled=filled)
    else:
        prepare_aside(building.stage, building.model.model, building.schema, filled=filled)


def _stage(
    bench: Workbench, session: Session, stage: Stage, model: CompiledModel, query: str, schema: Schema
) -> Judged:
    rules = row_rules(model.model, (), schema)
    staging = Staging(query, schema.names, rules, identity=model.model.key)
    judged = stage_rows(session, model.model, staging)
    key = model.model.key
    _refuse_repeated_key(model, session.rows(repeated_key(key)) if key else [])
    if judged.rejected:
        known = ensure_quarantine(bench, stage)
        quarantine_rejected(bench, session, model.table, known=known)
    return judged


def _apply(
    bench: Workbench,
    session: Session,
    stage: Stage,
    model: CompiledModel,
    schema: Schema,
    judged: Judged,
    difference: Difference | None,
) -> tuple[Ledger, tuple[Verdict, ...]]:
    """Bring the table to what is staged; without a difference, it is empty."""
    new, other, same, gone = judged.staged - judged.rejected, 0, 0, 0
    if difference is not None:
        session.execute(create_difference(difference))
        new, other, same, gone = session.rows(difference_counts())[0]
    if difference is not None and (other or gone):
        session.execute(delete_changed(difference))
    ledger = Ledger(
        staged=judged.staged + gone,
        inserted=new,
        updated=other,
        unchanged=same,
        deleted=gone,
        quarantined=judged.rejected,
    )
    outputs = schema.names
    arriving = all_rows(outputs) if difference is None else changed_rows(difference)
    settled = None
    if rejects_repeats(model.model):
        keys = "" if difference is None else other_keys(difference)
        settled = settle(bench, session, stage, model.model, contest(model.model, outputs, arriving, keys))
    if settled is not None:
        ledger = settled.ledger(ledger)
    elif new or other:
        session.execute(insert_rows(model.table, outputs, arriving))
    return ledger, judged.verdicts + repeat_verdicts(model.model, settled, judged.staged)


def _refuse_repeated_key(model: CompiledModel, found: Sequence[tuple[object, ...]]) -> None:
    if found:
        shown = ", ".join(f"{name} = {given}" for name, given in zip(model.model.key, found[0], strict=True))
        raise ModelError(
            "MP-2030",
            f"the key of {model.table} stands for several rows ({shown})",
            next_step="group by the key alone, or add the columns that tell the rows apart to the key",
            where=model.model.place("key"),
        )
