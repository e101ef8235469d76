"""Each pass turns the queries of its golden file into what stands beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from millpond.core.errors import ModelError
from millpond.core.names import TableName
from millpond.sql.casts import soften
from millpond.sql.columns import output_columns
from millpond.sql.fingerprint import canonical
from millpond.sql.groups import group_expressions
from millpond.sql.parse import Query, parse
from millpond.sql.references import inputs
from millpond.sql.rewrite import add_columns, replace_inputs
from tests.golden.pairs import pairs, refused

MODEL = Path("models/silver/m.sql")
RELATIONS = {
    TableName("silver", "positions"): "changed_positions",
    TableName("silver", "trips"): '"lake"."silver"."trips"',
    TableName("gold", "trips"): "t2",
}


def grouped(query: Query) -> str:
    """The group key as the golden file writes it; the key is the first column."""
    key = (output_columns(query) or ("k",))[0]
    found = group_expressions(query, [key])
    if isinstance(found, str):
        return "unknown"
    joined = [f"{j.table}: {' and '.join(f'{a} {b} {c}' for a, b, c in j.pairs) or 'any row'}" for j in found.joins]
    return " | ".join([", ".join(found.expressions), *joined])


PASSES: dict[str, Callable[[Query], object]] = {
    "parse": lambda query: query.text(),
    "references": inputs,
    "output_columns": output_columns,
    "soften": lambda query: soften(query).query.text(),
    "replace_inputs": lambda query: replace_inputs(query, RELATIONS).text(),
    "add_columns": lambda query: add_columns(query, ["_origin", "_position"]).text(),
    "canonical": canonical,
    "groups": grouped,
}
PAIRS = [
    pytest.param(name, sql, expected, id=f"{name}-{index}")
    for name in ("soften", "replace_inputs", "add_columns", "canonical", "groups")
    for index, (sql, expected) in enumerate(pairs(name))
]
REFUSED = [
    pytest.param(name, sql, code, place, id=f"{name}-{index}")
    for name in ("parse", "references", "output_columns", "soften", "add_columns")
    for index, (sql, code, place) in enumerate(refused(name))
]


@pytest.mark.parametrize(("name", "sql", "expected"), PAIRS)
def test_a_pass_gives_what_its_golden_file_says(name: str, sql: str, expected: str) -> None:
    """The rewritten text is exactly the one that was reviewed."""
    assert PASSES[name](parse(sql, MODEL)) == expected


@pytest.mark.parametrize(("name", "sql", "code", "place"), REFUSED)
def test_a_pass_refuses_with_a_code_and_the_authors_place(name: str, sql: str, code: str, place: str) -> None:
    """The error has its stable code, the place in the author's text, and a next step."""
    with pytest.raises(ModelError) as caught:
        PASSES[name](parse(sql, MODEL))
    assert (caught.value.code, str(caught.value.finding.where)) == (code, f"{MODEL}:{place}")
    assert caught.value.finding.next_step


@pytest.mark.parametrize("sql", [sql for name in ("soften", "replace_inputs", "add_columns") for sql, _ in pairs(name)])
def test_passes_never_change_the_query_they_are_given(sql: str) -> None:
    """A rewrite is a new value; the old tree stays as it was."""
    query = parse(sql, MODEL)
    before = query.text()
    for name in ("soften", "replace_inputs", "add_columns", "canonical", "groups"):
        try:
            PASSES[name](query)
        except ModelError:
            continue
    assert query.text() == before
