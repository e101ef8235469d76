"""Which quarantined records of a model a step judged anew, so that those it no longer rejects are healed."""

from __future__ import annotations

from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.plan import BuildStep
from millpond.pipeline.unique import repeat_rules
from millpond.sql.difference import GROUPS
from millpond.sql.quarantine import EVERYTHING, either, of_groups, of_rules


def judged_scope(model: CompiledModel, step: BuildStep, *, filled: bool) -> str | None:
    """The condition of the records whose rows the step judged anew; None where it met new rows only."""
    # What stands aside is judged anew by every step.
    rules = repeat_rules(model.model)
    repeats = of_rules(rules) if rules else None
    if model.model.kind == "append" and model.shape.row_preserving and step.mode == "increment":
        return repeats
    if step.mode == "groups" and filled:
        return either(of_groups(GROUPS, model.model.key), repeats)
    return EVERYTHING
