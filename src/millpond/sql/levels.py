"""A query over one table as a chain of SELECTs, each reading the one before it, and perhaps others beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp

from millpond.core.records import frozen
from millpond.sql.references import is_plain_name


@frozen
class Level:
    """One SELECT of the chain, as a node of the query's own tree.

    `table` is the base table at the bottom, None above it; `source` the name that its FROM item goes by;
    `source_columns` the names of a column alias list, which rename by position. `joins` is what it joins to that.
    """

    select: exp.Select
    table: exp.Table | None
    source: str
    source_columns: tuple[str, ...]
    joins: tuple[Joined, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether a name without a table before it can mean a column of this source only."""
        return not self.select.args.get("joins")


@frozen
class Joined:
    """A JOIN of a SELECT. `chain` is what it reads: its last level is the SELECT itself, seen from that source."""

    join: exp.Join
    chain: tuple[Level, ...]


@frozen
class _Defined:
    cte: exp.CTE
    scope: Mapping[str, _Defined]


def levels(tree: exp.Expr, *, joins: bool = False) -> tuple[Level, ...] | str:
    """The chain from the base table outward, or the reason why the query is none.

    With `joins`, the base table is the first of each FROM, and the SELECTs may join others to it.
    """
    return _descend(tree, {}, joins=joins)


def _descend(node: exp.Expr, outer: Mapping[str, _Defined], *, joins: bool) -> tuple[Level, ...] | str:
    scope = dict(outer)
    clause = node.args.get("with_")
    if isinstance(clause, exp.With):
        if clause.recursive:
            return "it is recursive"
        for cte in clause.expressions:
            scope[cte.alias.lower()] = _Defined(cte, dict(scope))
    if isinstance(node, exp.Subquery):
        if any(value for name, value in node.args.items() if name not in ("this", "alias", "with_")):
            return "a clause after the parentheses looks at more than one row"
        return _descend(node.this, scope, joins=joins)
    if not isinstance(node, exp.Select):
        return "it combines several queries"
    beside = node.args.get("joins") or ()
    if (beside and not joins) or node.args.get("laterals"):
        return "a join looks at more than one row"
    source = node.args.get("from_")
    if source is None:
        return "it reads no table"
    chain = _read(node, source.this, scope, joins=joins)
    if isinstance(chain, str) or not beside:
        return chain
    joined = []
    for join in beside:
        read = _read(node, join.this, scope, joins=joins)
        if isinstance(read, str):
            return read
        joined.append(Joined(join, read))
    return (*chain[:-1], replace(chain[-1], joins=tuple(joined)))


def _read(select: exp.Select, item: exp.Expr, scope: Mapping[str, _Defined], *, joins: bool) -> tuple[Level, ...] | str:
    extra = [name for name, value in item.args.items() if value and name not in _PLAIN_ITEM]
    if extra or not isinstance(item, (exp.Table, exp.Subquery)):
        return f"its FROM is not one plain table ({(extra or [item.key])[0]})"
    columns = tuple(name.name for name in item.args["alias"].columns) if item.args.get("alias") else ()
    source = item.alias_or_name
    if isinstance(item, exp.Subquery):
        below = _descend(item, scope, joins=joins)
    elif is_plain_name(item) and item.name.lower() in scope:
        defined = scope[item.name.lower()]
        renamed = tuple(name.name for name in defined.cte.args["alias"].columns)
        columns = columns + renamed[len(columns) :]
        below = _descend(defined.cte.this, defined.scope, joins=joins)
    else:
        return (Level(select, item, source, columns),)
    return below if isinstance(below, str) else (*below, Level(select, None, source, columns))


_PLAIN_ITEM = frozenset({"this", "db", "catalog", "alias", "with_"})
