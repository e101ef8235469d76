"""What became of a model since its table was built: what its table can follow as it is, and what needs a rebuild."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from millpond.catalog.commits import ModelState
from millpond.core.records import frozen
from millpond.pipeline.compiled import OF_SOME_KINDS, CompiledModel, nothing_said
from millpond.pipeline.contract import renames
from millpond.sql.evolution import UNCHANGED, Evolution, evolution

Definition = Mapping[str, Any]

_REMEMBERING = ("upsert", "scd2", "snapshot")


@frozen
class Change:
    """What changed. `rebuild` are the parts of the definition that the table cannot follow.

    `added` are new columns of a table whose rows are there, `others` are parts that only say something.
    """

    rebuild: tuple[str, ...] = ()
    partition: bool = False
    columns: Evolution = UNCHANGED
    others: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether anything changed that the table can follow."""
        return bool(self.partition or self.columns != UNCHANGED or self.others)

    def told(self) -> str:
        """What changed, in words."""
        words = [f"{old} is renamed to {new}" for old, new in self.columns.renamed]
        words += [f"{name} is new" for name in self.columns.added]
        words += [f"{name} has a wider type" for name in self.columns.retyped]
        words += ["its partitioning changed"] if self.partition else []
        words += [f"its {part} changed" for part in self.others]
        return ", ".join(words)


def change(built: ModelState, model: CompiledModel, inputs: Mapping[str, str] | None = None) -> Change:
    """How a model differs from the definition that its table was built by.

    `inputs` are old names, by new ones, of columns that its inputs renamed.
    """
    state = model.state
    if built.fingerprint == state.fingerprint:
        return Change()
    before, after = json.loads(built.definition), json.loads(state.definition)
    columns = _columns(before, model, inputs or {})
    names = dict(columns.renamed) if columns is not None else {}
    differs = [part for part in ("kind", "key", *OF_SOME_KINDS) if _renamed(before.get(part), names) != after.get(part)]
    differs += ["sql"] if columns is None else []
    differs += ["function"] if before.get("function") != after.get("function") else []
    differs += ["time_zone"] if before.get("zone") != after.get("zone") else []
    was, now = _checks(before, names), _checks(after, {})
    differs += ["checks"] if [*filter(_rejects, was)] != [*filter(_rejects, now)] else []
    others = ["checks"] if was != now and "checks" not in differs else []
    others += ["description"] if before.get("about", nothing_said()) != after.get("about", nothing_said()) else []
    partition = _partition(before, names) != after["partition"]
    differs += ["partition"] if differs and partition else []
    return Change(tuple(differs), partition, columns or UNCHANGED, tuple(others))


def _columns(before: Definition, model: CompiledModel, inputs: Mapping[str, str]) -> Evolution | None:
    found = evolution(str(before.get("sql", "")), model.query, renames(model.model), inputs)
    if found is None:
        return None
    if found.added and model.model.kind == "append" and not model.incremental:
        # Its rows are all read again, and would meet themselves without the new column.
        return None
    moved = {new for _, new in found.renamed} | set(found.retyped)
    roles = (*model.model.key, *model.model.order, model.model.event_time)
    if model.model.kind in _REMEMBERING and moved.intersection(roles):
        # What it remembers beside its table has these columns too.
        return None
    return found


def _renamed(part: Any, names: Mapping[str, str]) -> Any:
    return [names.get(name, name) for name in part] if isinstance(part, list) else part


def _partition(before: Definition, names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{**part, "column": names.get(part["column"], part["column"])} for part in before.get("partition") or ()]


def _checks(definition: Definition, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The checks with their columns' new names; what they are called does not matter."""
    checks = definition.get("checks") or ()
    return [{**check, "rule": "", "columns": _renamed(check["columns"], names)} for check in checks]


def _rejects(check: Mapping[str, Any]) -> bool:
    """Whether a check decides which rows the table holds."""
    return bool(check["severity"] == "quarantine")
