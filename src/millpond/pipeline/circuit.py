"""Circuits of models in a run: which are open, what a step does to its own, and how much a trial takes in."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from millpond.catalog.catalog import Catalog
from millpond.catalog.commits import Circuit, Commit, Ledger
from millpond.catalog.lives import circuit_states, next_change
from millpond.core.errors import QualityError
from millpond.core.names import TableName
from millpond.pipeline.compiled import CompiledModel
from millpond.pipeline.plan import BuildStep
from millpond.pipeline.workbench import Workbench
from millpond.project.model import Model
from millpond.quality.breaker import OpenCircuit, after_step, open_circuit


def open_circuits(models: Iterable[Model], catalog: Catalog, at: int | None = None) -> dict[TableName, OpenCircuit]:
    """The models that take no new input, now or as of a commit."""
    guarded = {model.table: model.breaker for model in models if model.breaker is not None}
    if not guarded:
        return {}
    states = circuit_states(catalog, at)
    found = (open_circuit(breaker, states.get(table)) for table, breaker in guarded.items())
    return {circuit.table: circuit for circuit in found if circuit is not None}


def circuit_after(
    bench: Workbench, model: CompiledModel, step: BuildStep, ledger: Ledger, base: int
) -> tuple[Circuit, ...]:
    """What a step's commit says of the model's circuit. A table that is built anew begins with a closed one."""
    breaker = model.model.breaker
    if breaker is None:
        return ()
    anew = step.mode in ("create", "rebuild")
    known = None if anew else circuit_states(bench.catalog, base).get(model.table)
    after = after_step(breaker, known, model.table, ledger, bench.clock.now())
    return () if after is None else (after,)


def stop(bench: Workbench, model: CompiledModel, failed: QualityError) -> None:
    """Open the circuit of a model whose step a check stopped, in a commit of its own: nothing else is published."""
    if model.model.breaker is None or failed.code != "MP-6001":
        return
    now = bench.clock.now()
    circuit = Circuit(model.table, "open", 0, 0, now, failed.finding.message)
    key = f"{bench.step_key(model.table)}/circuit/{secrets.token_hex(4)}"
    stage = bench.catalog.begin(key)
    try:
        stage.publish(Commit(key, "circuit", bench.principal, bench.run, model.table, circuits=(circuit,)))
    finally:
        stage.discard()


def taken_until(bench: Workbench, model: CompiledModel, step: BuildStep, base: int) -> int:
    """The commit up to which a step takes its input in: a trial takes in the oldest change that it has not seen."""
    if not step.trial or step.mode != "increment" or len(step.inputs) != 1 or not model.shape.row_preserving:
        return base
    given = step.inputs[0]
    return next_change(bench.catalog, given.table, given.since or 0, base) or base
