"""Aggregates whose groups are kept as states in the side table, so that a step reads changed rows and nothing else."""

from __future__ import annotations

import re

from millpond.catalog.staging import Stage
from millpond.catalog.types import storable
from millpond.core.errors import CatalogError
from millpond.core.names import side_table
from millpond.core.schema import Schema
from millpond.engines.engine import Session
from millpond.pipeline.bounding import held_by
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.inputs import InputChanges
from millpond.pipeline.unique import rejects_repeats
from millpond.sql.merging import (
    WORN,
    Merging,
    count_odd,
    create_all,
    create_changed,
    create_merged,
    create_state_groups,
    create_values,
    create_worn,
    finished,
    input_rows,
    keep_all,
    keep_merged,
    renew_worn,
)
from millpond.sql.statements import every_row
from millpond.sql.states import find_states
from millpond.tables.reading import deleted_sql, inserted_sql


def merging_of(session: Session, model: CompiledModel) -> Merging | None:
    """How the groups of a model are kept as states; None where they are not, and groups are computed from their rows.

    They are not where that cannot be proven, where adding and taking away would not be exact, and where the side table
    has rows of its own that stand aside.
    """
    if model.model.kind != "aggregate" or isinstance(model.groups, str) or rejects_repeats(model.model):
        return None
    columns = session.describe(every_row(model.groups.input)).names
    states = find_states(model.query, model.model.key, columns)
    if states is None:
        return None
    types = tuple(column.type for column in session.describe(input_rows(states)))
    groups, arguments = types[: len(states.groups)], types[len(states.groups) :]
    stored = tuple(storable(kind) for kind in types)
    (version,) = session.rows("SELECT version()")[0]
    engine = re.sub(r"\W", "_", str(version))
    merging = Merging(states, side_table(model.table), groups, arguments, stored, engine)
    return merging if merging.exact else None


def has_states(stage: Stage, merging: Merging) -> bool:
    """Whether the side table is there and holds such states."""
    return stage.find(merging.side) is not None and stage.metadata(merging.side).schema().names == merging.schema.names


def state_all(session: Session, merging: Merging, schema: Schema) -> str:
    """Make the states of all groups and keep them in the empty side table; the query that gives the model's rows."""
    session.execute(create_all(merging))
    for statement in keep_all(merging):
        session.execute(statement)
    return finished(merging, schema)


def merge_states(session: Session, model: CompiledModel, merging: Merging, news: InputChanges, schema: Schema) -> str:
    """Bring the states up to date with the changed rows; the query that gives the model's rows of their groups.

    Raises CatalogError MP-3103 where more rows went from a group than it had.
    """
    columns = news.changes.schema.names
    came = (inserted_sql(news.changes, columns),) if news.inserted else ()
    went = (deleted_sql(news.changes, columns),) if news.deleted else ()
    session.execute(create_changed(merging, came, went))
    if merging.singly:
        session.execute(create_values(merging))
    for statement in create_merged(merging):
        session.execute(statement)
    odd, worn = session.rows(count_odd())[0]
    if odd:
        raise CatalogError(
            "MP-3103",
            f"the side table of {model.table} counts fewer rows in {odd:,} groups than went from them",
            next_step=f"`millpond run --rebuild {model.table}` makes both anew from the inputs",
        )
    if worn:
        session.execute(create_worn(merging))
        within = held_by(session, WORN, merging.states.groups, news.changes.schema)
        for statement in renew_worn(merging, within):
            session.execute(statement)
    session.execute(create_state_groups(merging))
    for statement in keep_merged(merging):
        session.execute(statement)
    return finished(merging, schema)
