"""The expression of a check on rows, made unable to stop the step: what it cannot judge breaks it."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from millpond.core.names import TableName
from millpond.sql.dialect import Verbatim, render
from millpond.sql.failures import can_fail, failures, softened
from millpond.sql.references import base_tables


def broken(text: str) -> str:
    """The condition of a row that breaks an expression: it is false there, or a cast or parse fails that it comes to.

    The condition is NULL where the expression is. Text that is no expression comes back in brackets, for the engine
    to say what is wrong with it.
    """
    tree = _read(text)
    if tree is None or not any(can_fail(node) for node in tree.walk()):
        return f"NOT ({text}\n)"
    judged = exp.Case().when(tree.copy(), exp.true())  # a condition is read from left to right until it is decided
    fails = [f"({render(failure.condition)})" for failure in failures(judged, {})]
    return " OR ".join([f"NOT ({render(softened(tree))})", *fails])


def tables_of(text: str) -> tuple[TableName, ...]:
    """The tables, written `layer.name`, that an expression or a query reads, each once."""
    tree = _read(text)
    found = []
    for table in base_tables(tree) if tree is not None else ():
        if isinstance(table.this, exp.Identifier) and table.db and not table.catalog:
            try:
                found.append(TableName.parse(f"{table.db}.{table.name}"))
            except ValueError:
                continue
    return tuple(dict.fromkeys(found))


def _read(text: str) -> exp.Expr | None:
    try:
        tree = sqlglot.parse_one(text, dialect=Verbatim)
    except (SqlglotError, RecursionError):
        return None
    return tree if isinstance(tree, exp.Expr) else None
