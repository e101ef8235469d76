"""What the engine's refusal of a model's query says at the author's own place."""

from __future__ import annotations

import re
from collections.abc import Callable

from millpond.catalog.staging import Stage
from millpond.core.errors import EngineError, Finding, Location, ModelError
from millpond.core.names import TableName, closest
from millpond.core.schema import Schema
from millpond.engines.engine import Session
from millpond.governance.guard import allowed_functions
from millpond.pipeline.compiled import CompiledModel
from millpond.sql.columns import reading_place, word_place
from millpond.sql.references import calling_place

_NAMED = re.compile(r'^Column "([^"]+)" does not exist on')
_NO_FUNCTION = re.compile(r"\w+ Function with name (\w+) does not exist")
_CANDIDATE = re.compile(r'^Candidate \w+[: ]+"([^"]+)"')
_ITS_OWN = re.compile(r'Column "(.+)" referenced that exists in the SELECT clause')

Inputs = Callable[[TableName], Schema]
"""The columns of a table that a model reads."""


def refused(session: Session, stage: Stage, model: CompiledModel, failed: EngineError) -> ModelError:
    """The engine's error about a model's query, told at the place of the author's file."""
    told = refusal(model, _as_written(session, model) or failed, lambda table: stage.metadata(table).schema())
    return ModelError(told.code, told.message, next_step=told.next_step, where=told.where, suggestion=told.suggestion)


def _as_written(session: Session, model: CompiledModel) -> EngineError | None:
    """The same refusal of the text as it stands in the author's file: its positions are those of that text."""
    try:
        session.describe(model.query.sql)
    except EngineError as failed:
        return failed
    return None


def refusal(model: CompiledModel, wrong: EngineError, inputs: Inputs) -> Finding:
    """The engine's error about the text of a model's file, with its place and what may have been meant."""
    lines = wrong.finding.message.splitlines()
    message = lines[0]
    if own := _ITS_OWN.match(message):
        return _speaks_of_itself(model, own[1], inputs)
    if wrong.finding.code == "MP-4005":
        where = calling_place(model.query, message.partition("(")[0]) or Location(model.model.path)
        return Finding(wrong.finding.code, message, wrong.finding.next_step, where)
    where = Location(model.model.path)
    if wrong.position is not None and model.query.written is not None:
        where = model.query.written.place_of_byte(wrong.position - len("DESCRIBE "))
    elif named := _NAMED.search(message):
        where = word_place(model.query, named[1]) or where
    if where.path != model.model.path:
        message += f" (in the query of {model.table})"
    candidate = next((found for line in lines[1:] if (found := _CANDIDATE.search(line))), None)
    suggestion = candidate[1] if candidate else None
    if unknown := _NO_FUNCTION.match(message):
        suggestion = closest(unknown[1], allowed_functions()["row"])
    return Finding("MP-2011", message, "correct the query", where, suggestion)


def _speaks_of_itself(compiled: CompiledModel, name: str, inputs: Inputs) -> Finding:
    """`trim(city) AS city` where no input has a city: the engine takes the column for the one that is being made."""
    where = reading_place(compiled.query, name)
    read = ", ".join(map(str, compiled.inputs)) or "what it reads"
    return Finding(
        "MP-2011",
        f'there is no column "{name}" in {read}',
        "correct the name, or see that the source delivers the column",
        where or Location(compiled.model.path),
        closest(name, [column for table in compiled.inputs for column in inputs(table).names]),
    )
