"""Counts that the engine gives as 128-bit integers, which no table holds: as columns they are BIGINT."""

from __future__ import annotations

from sqlglot import exp

from millpond.sql.functions import called
from millpond.sql.parse import Query

_COUNTS = frozenset({"count_if", "countif"})


def with_plain_counts(query: Query) -> Query:
    """The query, its columns that are a `count_if(...)` alone cast to BIGINT, as `count(*)` is.

    A sum may be larger than that, so it keeps the engine's type, and its author says which one it has in the table.
    """
    if not any(_counts(item.unalias()) for select in _selects(query.tree) for item in select.expressions):
        return query
    tree = query.tree.copy()
    for select in _selects(tree):
        for item in select.expressions:
            value = item.unalias()
            if _counts(value):
                value.replace(exp.cast(value.copy(), exp.DType.BIGINT))
    return query.with_tree(tree)


def _selects(tree: exp.Expr) -> list[exp.Select]:
    """The select lists that give the query's columns: several where it is a set operation."""
    if isinstance(tree, exp.Select):
        return [tree]
    if isinstance(tree, exp.SetOperation):
        return [*_selects(tree.this), *_selects(tree.expression)]
    return _selects(tree.this) if isinstance(tree, exp.Subquery) else []


def _counts(value: exp.Expr) -> bool:
    while isinstance(value, exp.Paren | exp.Filter | exp.Window):
        value = value.this
    return isinstance(value, exp.CountIf) or called(value) in _COUNTS
