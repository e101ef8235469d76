"""The project's own rule for names: a pattern for each layer, which the tables of the layer must follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from millpond.core.errors import Location
from millpond.core.names import TableName
from millpond.project.findings import Findings


def _sound(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as wrong:
        raise ValueError(f"a regular expression ({wrong.msg} at character {(wrong.pos or 0) + 1})") from wrong
    return pattern


NamePattern = Annotated[str, AfterValidator(_sound)]
"""A regular expression that a whole name must match."""


def broken(table: TableName, rules: Mapping[str, str]) -> str | None:
    """The pattern of the table's layer, where its name does not match it."""
    pattern = rules.get(table.layer)
    return pattern if pattern and not re.fullmatch(pattern, table.name) else None


def check_rule(
    table: TableName, where: Location, rules: Mapping[str, str], places: Mapping[str, Location], findings: Findings
) -> None:
    """Note a table whose name breaks the rule of its layer, which stands at its place, as MP-1130."""
    pattern = broken(table, rules)
    if pattern is None:
        return
    rule = places[table.layer]
    findings.add(
        "MP-1130",
        f"the name of {table} breaks the project's rule for {table.layer}: {pattern}",
        next_step=f"choose a name that the rule allows, or change the rule ({rule.path.name}:{rule.line})",
        where=where if where.line else Location(where.path, 1, 1),
    )
