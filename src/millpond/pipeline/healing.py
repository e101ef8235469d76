"""Which quarantined records of a model a step judged anew, so that those it no longer rejects are healed."""

from __future__ import annotations

from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.plan import BuildStep
from millpond.sql.difference import GROUPS
from millpond.sql.quarantine import EVERYTHING, of_groups


def judged_scope(model: CompiledModel, step: BuildStep, *, filled: bool) -> str | None:
    """The condition of the records whose rows the step judged anew; None where it met new rows only."""
    if model.model.kind == "append" and model.shape.row_preserving and step.mode == "increment":
        return None
    if step.mode == "groups" and filled:
        return of_groups(GROUPS, model.model.key)
    return EVERYTHING
