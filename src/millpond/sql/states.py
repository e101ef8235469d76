"""The proof that an aggregate's groups can be kept as states, to which rows are added and from which rows are taken."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from sqlglot import exp

from millpond.core.errors import ModelError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.sql.columns import hides_names, item_name
from millpond.sql.dialect import render
from millpond.sql.functions import called, is_aggregate, is_volatile
from millpond.sql.groups import grouped
from millpond.sql.levels import Level, levels
from millpond.sql.parse import Query
from millpond.sql.references import table_name
from millpond.sql.shape import many_rows
from millpond.sql.trace import Trace, folded

MeasureKind = Literal["count", "distinct", "approx", "sum", "avg", "min", "max"]

GROUP = "_mp_g"
"""Columns of the groups' values, numbered in the order of the key."""
MEASURED = "_mp_a"
"""Columns of what the measures give, numbered."""


@frozen
class Measure:
    """One aggregate over the values that an expression has in the rows of a group; NULL does not count."""

    kind: MeasureKind
    argument: str


@frozen
class States:
    """A query as measures of groups.

    `groups` are the key's columns, and `conditions` what a row must meet, each over one row of `input`. `outputs` are
    the query's columns by name, and `having` the condition of the groups that are shown (or empty), over the columns
    GROUP and MEASURED.
    """

    input: TableName
    groups: tuple[str, ...]
    conditions: tuple[str, ...]
    measures: tuple[Measure, ...]
    outputs: tuple[tuple[str, str], ...]
    having: str


def find_states(query: Query, key: Sequence[str], columns: Collection[str]) -> States | None:
    """The states of a query's groups, one for each key; None where it cannot be proven that states give the same.

    `columns` are those of the one input. What a state can hold depends on types too, which are not known here.
    """
    chain = levels(query.tree)
    if isinstance(chain, str) or any(many_rows(level) for level in chain[:-1]):
        return None
    try:
        name = table_name(query, chain[0].table or exp.Table())
        return _Proof(chain, Trace(chain, columns)).states(name, key)
    except (_UnprovenError, ModelError):
        return None


class _UnprovenError(Exception):
    """There is a part of the query of which nothing can be said."""


_CLAUSES = frozenset({"with_", "expressions", "from_", "where", "group", "having", "order"})
_MEASURES: dict[str, MeasureKind] = {
    "count": "count",
    "sum": "sum",
    "avg": "avg",
    "mean": "avg",
    "min": "min",
    "max": "max",
    "approx_count_distinct": "approx",
}
_TRUTHS = frozenset({"bool_or", "bool_and", "count_if", "countif"})


class _Proof:
    """Walks through the outermost SELECT once and collects its measures."""

    def __init__(self, chain: Sequence[Level], trace: Trace) -> None:
        self._chain = chain
        self._trace = trace
        self._top = len(chain) - 1
        self._select = chain[-1].select
        self._groups: list[str] = []
        self._measures: list[Measure] = []

    def states(self, name: TableName, key: Sequence[str]) -> States:
        select, group = self._select, self._select.args.get("group")
        if group is None or any(value for clause, value in select.args.items() if clause not in _CLAUSES):
            raise _UnprovenError
        given = [self._traced(node, aliases_first=True) for node in grouped(select, group) or ()]
        outputs = [self._trace.output(self._top, column) for column in key]
        keys = [output for output in outputs if output is not None]
        self._groups = [folded(output) for output in keys]
        if len(keys) < len(outputs) or {folded(node) for node in given} != set(self._groups):
            raise _UnprovenError
        columns = [(item_name(item), item) for item in select.expressions]
        if any(column is None or hides_names(item) for column, item in columns):
            raise _UnprovenError
        having = select.args.get("having")
        return States(
            name,
            tuple(render(output) for output in keys),
            tuple(self._conditions()),
            outputs=tuple((str(column), render(self._over(item.unalias(), item))) for column, item in columns),
            having="" if having is None else render(self._over(having.this, having.this)),
            measures=tuple(self._measures),
        )

    def _conditions(self) -> list[str]:
        found = []
        for index, level in enumerate(self._chain):
            where = level.select.args.get("where")
            if where is not None:
                traced = self._trace.expression(index, where.this)
                if traced is None:
                    raise _UnprovenError
                found.append(render(traced))
        return found

    def _traced(self, node: exp.Expr, *, aliases_first: bool = False) -> exp.Expr:
        traced = self._trace.expression(self._top, node, aliases_first=aliases_first)
        if traced is None:
            raise _UnprovenError
        return traced

    def _over(self, node: exp.Expr, item: exp.Expr) -> exp.Expr:
        """A part of the select list or of HAVING, over groups and measures; `item` is what it stands in."""
        measured = self._measured(node)
        if measured is not None:
            return measured
        if is_aggregate(node) or is_volatile(node) or isinstance(node, _ODD):
            raise _UnprovenError
        traced = self._trace.expression(self._top, node)
        if traced is not None and folded(traced) in self._groups:
            return exp.column(f"{GROUP}{self._groups.index(folded(traced))}")
        if isinstance(node, exp.Column):
            return self._alias(node, item)
        copy = node.copy()
        for part, twin in list(zip(node.iter_expressions(), copy.iter_expressions(), strict=True)):
            if not isinstance(part, (exp.Identifier, exp.DataType)):
                twin.replace(_whole(self._over(part, item)))
        return copy

    def _alias(self, column: exp.Column, item: exp.Expr) -> exp.Expr:
        """What a name means that is no column of what is read: the column of the select list that bears it."""
        named = self._trace.aliases(self._top, column.name)
        alone = len(column.parts) == 1 and len(named) == 1 and named[0] is not item.unalias()
        if not alone or self._trace.has(self._top, column.name) is not False:
            raise _UnprovenError
        return _whole(self._over(named[0], named[0]))

    def _measured(self, node: exp.Expr) -> exp.Expr | None:
        """The measure that a call is, else None."""
        call = node.this if isinstance(node, exp.Filter) else node
        name = called(call)
        if name not in _MEASURES and name not in _TRUTHS:
            return None
        condition = self._traced(node.expression.this) if isinstance(node, exp.Filter) else None
        arguments = list(call.expressions)
        distinct = len(arguments) == 1 and isinstance(arguments[0], exp.Distinct)
        if distinct:
            arguments = list(arguments[0].expressions)
        if name == "count" and not distinct and (not arguments or isinstance(arguments[0], exp.Star)):
            arguments = [exp.true()]
        if (
            len(arguments) != 1
            or isinstance(arguments[0], exp.Order)
            or (distinct and name in ("sum", "avg", "mean", "approx_count_distinct"))
            or name is None
        ):
            raise _UnprovenError
        value = self._traced(arguments[0])
        if name in _TRUTHS:
            return self._truth(name, value, condition)
        kind: MeasureKind = "distinct" if distinct and name == "count" else _MEASURES[name]
        return self._measure(kind, value, condition)

    def _measure(self, kind: MeasureKind, value: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
        if condition is not None:
            value = exp.Case(ifs=[exp.If(this=condition.copy(), true=value.copy())])
        measure = Measure(kind, render(value))
        if measure not in self._measures:
            self._measures.append(measure)
        return exp.column(f"{MEASURED}{self._measures.index(measure)}")

    def _truth(self, name: str, value: exp.Expr, condition: exp.Expr | None) -> exp.Expr:
        """A count of what is true or false, and what is said of it."""
        holds = exp.Paren(this=exp.Not(this=exp.Paren(this=value.copy()))) if name == "bool_and" else value
        one = exp.Case(ifs=[exp.If(this=holds.copy(), true=exp.true())])
        counted = self._measure("count", one, condition)
        said: exp.Expr = counted
        if name in ("bool_or", "bool_and"):
            said = (exp.EQ if name == "bool_and" else exp.GT)(this=counted, expression=exp.Literal.number(0))
        some = exp.GT(this=self._measure("count", value, condition), expression=exp.Literal.number(0))
        return exp.Case(ifs=[exp.If(this=some, true=said)])


_ODD = (
    *(exp.Window, exp.Query, exp.Exists, exp.Star, exp.Unnest, exp.UDTF, exp.Lambda, exp.Comprehension),
    *(exp.Placeholder, exp.IgnoreNulls, exp.RespectNulls),
)


def _whole(node: exp.Expr) -> exp.Expr:
    """The same where it stands among operators."""
    operates = isinstance(node, exp.Condition) and not isinstance(node, _ALONE)
    return exp.Paren(this=node) if operates else node


_ALONE = (exp.Column, exp.Literal, exp.Paren, exp.Cast, exp.Anonymous, exp.Case, exp.If, exp.Boolean, exp.Null)
