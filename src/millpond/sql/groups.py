"""How a key is computed from the rows of one input, where a row bears on the groups of its key alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sqlglot import exp

from millpond.core.errors import ModelError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.sql.dialect import render
from millpond.sql.functions import is_aggregate
from millpond.sql.joins import JoinKey, equalities, not_narrowing
from millpond.sql.levels import Joined, Level, levels
from millpond.sql.parse import Query
from millpond.sql.references import table_name
from millpond.sql.trace import Trace, determined


@frozen
class GroupKey:
    """The key over the input's columns.

    `expressions` are SQL over one row of `input`, one for each key column. Running the query over only those input
    rows whose key is among given values gives exactly the groups with these values. `joins` are the other tables that
    are read, and how their rows find those of the input.
    """

    input: TableName
    expressions: tuple[str, ...]
    joins: tuple[JoinKey, ...] = ()


_FILTERABLE = frozenset(
    {"with_", "expressions", "from_", "joins", "where", "group", "having", "qualify", "order", "windows", "distinct"}
)


def group_expressions(query: Query, key: Sequence[str], columns: Collection[str] | None = None) -> GroupKey | str:
    """Trace the key columns to the one input table, or say why that cannot be proven, or that groups meet.

    `columns` are the input's columns where they are known: they tell an alias from a column of the same name.
    """
    if not key:
        return "it has no key"
    return proven(query, [(column, lambda traced: traced) for column in key], columns)


def proven(
    query: Query,
    wanted: Sequence[tuple[str, Callable[[exp.Expr], exp.Expr]]],
    columns: Collection[str] | None = None,
) -> GroupKey | str:
    """The groups by what is made of some of the query's columns, or why rows of different groups meet."""
    chain = levels(query.tree, joins=True)
    if isinstance(chain, str):
        return chain
    if has_subqueries(chain):
        return "a subquery in an expression may look at other rows"
    try:
        name = table_name(query, chain[0].table or exp.Table())
    except ModelError:
        return "its input is not a table of the lake"
    trace = Trace(chain, columns)
    found = []
    for column, made in wanted:
        traced = trace.output(len(chain) - 1, column)
        if traced is None:
            return f"{column} is not told to be made of one row of {name}"
        found.append(made(traced))
    if not all(keeps_groups(trace, index, level, found) for index, level in enumerate(chain)):
        return "rows of different keys meet in it"
    joins = _joins(query, name, trace, chain)
    if isinstance(joins, str):
        return joins
    return GroupKey(name, tuple(render(expression) for expression in found), joins)


def _joins(query: Query, name: TableName, trace: Trace, chain: Sequence[Level]) -> tuple[JoinKey, ...] | str:
    """How the rows of each joined table find those of the input, or why that is not told."""
    found = []
    for index, level in enumerate(chain):
        sources = [level.source.lower(), *(joined.chain[-1].source.lower() for joined in level.joins)]
        if len(set(sources)) < len(sources):
            return "two tables of a join go by one name"
        for joined in level.joins:
            reason = not_narrowing(joined)
            if reason:
                return reason
            try:
                table = table_name(query, joined.chain[0].table or exp.Table())
            except ModelError:
                return "what it joins is not a table of the lake"
            if table == name:
                return f"it joins {name} to itself"
            key = _join_key(table, joined, trace, index)
            if key is None:
                return f"what is joined of {table} is made of other tables too"
            found.append(key)
    return tuple(found)


def _join_key(table: TableName, joined: Joined, trace: Trace, index: int) -> JoinKey | None:
    """The equalities by which rows of a table find rows of the input; None where what is joined is not of it alone."""
    beneath = joined.chain[:-1]
    if any(level.joins for level in beneath) or has_subqueries(beneath):
        return None
    there = Trace(joined.chain)
    pairs = []
    for left, operator, right in equalities(joined, trace.level(index)):
        for ours, theirs in ((left, right), (right, left)):
            pair = trace.expression(index, ours), there.expression(len(beneath), theirs)
            if pair[0] is not None and pair[1] is not None and all(side.find(exp.Column) for side in pair if side):
                pairs.append((pair[0], operator, pair[1]))
    # All of them if rows that differ in one never meet beneath, else one of which that is so.
    for some in (pairs, *([pair] for pair in pairs)):
        by = [theirs for _, _, theirs in some]
        if some and all(keeps_groups(there, at, level, by) for at, level in enumerate(beneath)):
            return JoinKey(table, tuple((render(ours), operator, render(theirs)) for ours, operator, theirs in some))
    return JoinKey(table, ())


def has_subqueries(chain: Sequence[Level]) -> bool:
    """Whether an expression of the chain holds a query of its own."""
    return any(isinstance(node, exp.Query) for level in chain for part in level_parts(level) for node in part.walk())


def keeps_groups(
    trace: Trace, index: int, level: Level, key: Sequence[exp.Expr], apart_from: Sequence[exp.Window] = ()
) -> bool:
    """Whether this SELECT never lets rows of different keys meet, but for those windows."""
    select = level.select
    if any(value for clause, value in select.args.items() if clause not in _FILTERABLE):
        return False
    windows = [node for part in level_parts(level) for node in part.find_all(exp.Window)]
    excused = {id(window) for window in apart_from}
    for window in windows:
        if id(window) in excused:
            continue
        partition = partition_of(window, select)
        if partition is None or not _determines(trace, index, partition, key):
            return False
    distinct = select.args.get("distinct")
    if distinct is not None and not _determines(trace, index, _told_apart(select, distinct), key, aliases_first=True):
        return False
    group = select.args.get("group")
    if group is None:
        return not any(aggregates(part) for part in level_parts(level))
    given = grouped(select, group)
    return given is not None and _determines(trace, index, given, key, aliases_first=True)


def _determines(
    trace: Trace, index: int, given: Sequence[exp.Expr], key: Sequence[exp.Expr], *, aliases_first: bool = False
) -> bool:
    traced = [trace.expression(index, node, aliases_first=aliases_first) for node in given]
    known = [node for node in traced if node is not None]
    return all(determined(wanted, known) for wanted in key)


def partition_of(window: exp.Window, select: exp.Select) -> list[exp.Expr] | None:
    """What a window partitions by, looked up where it is named; None when the name leads nowhere."""
    partition = list(window.args.get("partition_by") or ())
    name = window.args.get("alias")
    if name is None or partition:
        return partition
    for named in select.args.get("windows") or ():
        if named.this.name.lower() == name.name.lower():
            return partition_of(named, select)
    return None


def _told_apart(select: exp.Select, distinct: exp.Distinct) -> list[exp.Expr]:
    """What rows must differ in for DISTINCT to keep both of them."""
    on = distinct.args.get("on")
    return list(on.expressions) if on is not None else [item.unalias() for item in select.expressions]


def grouped(select: exp.Select, group: exp.Group) -> list[exp.Expr] | None:
    """The expressions that rows are grouped by; None for grouping sets, which mix groups."""
    if any(value for part, value in group.args.items() if part not in ("expressions", "all")):
        return None
    items = select.expressions
    if group.args.get("all"):
        return [item.unalias() for item in items if not aggregates(item)]
    found = []
    for node in group.expressions:
        if isinstance(node, (exp.Rollup, exp.Cube, exp.GroupingSets)):
            return None
        if isinstance(node, exp.Literal) and not node.is_string:
            position = int(node.name)
            node = items[position - 1].unalias() if 0 < position <= len(items) else node  # noqa: PLW2901
        found.append(node)
    return found


def aggregates(part: exp.Expr) -> bool:
    """Whether many rows become one here (a window keeps its rows)."""
    return any(is_aggregate(node) and not _windowed(node) for node in part.walk())


def _windowed(node: exp.Expr) -> bool:
    parent = node.parent
    while isinstance(parent, (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)):
        node, parent = parent, parent.parent
    return isinstance(parent, exp.Window) and parent.this is node


def level_parts(level: Level) -> list[exp.Expr]:
    """The clauses of a SELECT that hold expressions, without what it reads from."""
    clauses = [level.select.args.get(name) for name in ("where", "group", "having", "qualify", "order")]
    joined = [joined.join.args.get("on") for joined in level.joins]
    parts = [*level.select.expressions, *clauses, *(level.select.args.get("windows") or ()), *joined]
    return [part for part in parts if part is not None]
