"""The tables a query reads, with common table expressions scoped out exactly as the engine does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from millpond.core.errors import Location, ModelError
from millpond.core.names import LAYERS, QUARANTINE, TableName, closest
from millpond.core.records import frozen
from millpond.sql.functions import called, is_volatile
from millpond.sql.parse import Query

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})


@frozen
class Reference:
    """A table that a query reads, and where it says so."""

    table: TableName
    where: Location


def inputs(query: Query) -> tuple[Reference, ...]:
    """Every mention of a table, in the order of the text.

    Raises ModelError MP-2002 for names that are not `layer.name`, MP-2004 for files and functions in FROM.
    """
    references = []
    for table in base_tables(query.tree):
        if isinstance(table.this, exp.Identifier):
            references.append(Reference(table_name(query, table), query.place(table)))
        else:
            _refuse_function(query, table)
    return tuple(sorted(references, key=lambda reference: (reference.where.line, reference.where.column)))


def table_name(query: Query, table: exp.Table) -> TableName:
    """The name of a base table. Raises ModelError MP-2002 when it is not `layer.name`."""
    written = ".".join(part.name for part in table.parts)
    layers = (*LAYERS, QUARANTINE)
    suggestion = None
    if not table.catalog and table.db:
        try:
            name = TableName.parse(f"{table.db}.{table.name}")
        except ValueError:
            name = None
        if name is not None and name.layer in layers:
            return name
        near = closest(table.db, layers)
        suggestion = f"{near}.{table.name}" if near else None
    elif table.catalog and table.db.lower() in layers:
        suggestion = f"{table.db}.{table.name}"
    raise ModelError(
        "MP-2002",
        f"{written!r} is not a table name of the form layer.name",
        next_step=f"name a table as layer.name, the layer being one of {', '.join(layers)}",
        where=query.place(table),
        suggestion=suggestion,
    )


def named_inputs(query: Query) -> Iterator[tuple[str, TableName]]:
    """The name, in lower case, by which the query's columns speak of each table that it reads."""
    for table in base_tables(query.tree):
        if isinstance(table.this, exp.Identifier):
            yield table.alias_or_name.lower(), table_name(query, table)


def volatile(query: Query) -> tuple[tuple[str, Location], ...]:
    """Calls such as random() or now(): rebuilding the model from the same data gives another answer."""
    found = [(called(node) or "", _called_at(query, node)) for node in query.tree.walk() if is_volatile(node)]
    return tuple(sorted(found, key=lambda item: (item[1].line, item[1].column)))


def calling_place(query: Query, name: str) -> Location | None:
    """Where a function is first called, by its lower-case name; None where only the engine sees it."""
    calls = [query.place(node) for node in query.tree.walk() if called(node) == name]
    return min(calls, key=lambda where: (where.line, where.column), default=None)


def _called_at(query: Query, node: exp.Expr) -> Location:
    """Where a call stands; those written as a bare keyword carry no place of their own."""
    where = query.place(node)
    word = re.search(rf"\b{called(node)}\b", query.sql, re.IGNORECASE) if not where.line else None
    return query.located(word.start(), len(word.group())) if word else where


def base_tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """Every table node that is no common table expression, table functions among them."""
    yield from _visit(tree, frozenset())


def _visit(node: exp.Expr, scope: frozenset[str]) -> Iterator[exp.Table]:
    clause = node.args.get("with_")
    if isinstance(clause, exp.With):
        for cte in clause.expressions:
            name = cte.alias.lower()
            # Only a recursive expression sees itself; what is written later is seen by none.
            yield from _visit(cte, scope | {name} if clause.recursive else scope)
            scope = scope | {name}
    if isinstance(node, exp.Table) and not (is_plain_name(node) and node.name.lower() in scope):
        yield node
    for child in node.iter_expressions():
        if child is not clause:
            yield from _visit(child, scope)


def is_plain_name(table: exp.Table) -> bool:
    """Whether the table is written as one bare name, as common table expressions are."""
    return isinstance(table.this, exp.Identifier) and not table.db and not table.catalog


def _refuse_function(query: Query, table: exp.Table) -> None:
    name = table.this.name.lower() if table.this is not None else ""
    if name in _TABLE_FUNCTIONS:
        return
    raise ModelError(
        "MP-2004",
        f"a model reads tables, and {name or 'this'}() is not one",
        next_step="declare the files as a source under sources/ and read its bronze table",
        where=query.place(table),
    )
