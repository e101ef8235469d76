"""What a query does to rows: proven from the tree, or declined."""

from __future__ import annotations

from sqlglot import exp

from millpond.core.errors import ModelError
from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.sql.columns import hides_names, is_star
from millpond.sql.functions import ROW_MAKERS, called, is_aggregate
from millpond.sql.levels import Level, levels
from millpond.sql.parse import Query
from millpond.sql.references import table_name


@frozen
class Shape:
    """Whether each row that comes out is one row that went in, and why not. `input` is the one table read."""

    row_preserving: bool
    reason: str
    input: TableName | None


_ROWWISE = frozenset({"with_", "expressions", "from_", "where", "order"})
_CLAUSES = {
    "distinct": "DISTINCT",
    "group": "GROUP BY",
    "having": "HAVING",
    "qualify": "QUALIFY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "sample": "a sample",
    "joins": "a join",
    "laterals": "a lateral join",
    "windows": "a window",
    "pivots": "a pivot",
}


def shape(query: Query) -> Shape:
    """Prove that the query is projection and filter over one table; anything not understood says it is not."""
    chain = levels(query.tree)
    if isinstance(chain, str):
        return Shape(False, chain, None)
    try:
        name = table_name(query, chain[0].table or exp.Table())
    except ModelError:
        return Shape(False, "its input is not a table of the lake", None)
    for level in chain:
        reason = many_rows(level)
        if reason:
            return Shape(False, reason, name)
    return Shape(True, "projection and filter over one table", name)


def many_rows(level: Level) -> str | None:
    """Why a SELECT of a chain does more than choose rows and compute from each; None where it does not."""
    for clause, value in level.select.args.items():
        if value and clause not in _ROWWISE:
            return f"{_CLAUSES.get(clause, clause)} looks at more than one row"
    if level.table is not None and level.source_columns:
        return "the input's columns are renamed by position"
    parts = [*level.select.expressions, level.select.args.get("where"), level.select.args.get("order")]
    for part in parts:
        if part is not None and (reason := _many_rows_in(part)):
            return reason
    if any(hides_names(item) and not is_star(item) for item in level.select.expressions):
        return "COLUMNS(...) or a star inside an expression hides which columns come out"
    return None


def _many_rows_in(part: exp.Expr) -> str | None:
    for node in part.walk():
        if isinstance(node, exp.Window):
            return "a window function looks at more than one row"
        if isinstance(node, (exp.Query, exp.Exists, exp.Table)):
            return "a subquery in an expression may look at other rows"
        if isinstance(node, (exp.Unnest, exp.UDTF)) or called(node) in ROW_MAKERS:
            return "unnest makes several rows of one"
        if is_aggregate(node):
            return f"{called(node) or 'an aggregate'}() looks at more than one row"
    return None
