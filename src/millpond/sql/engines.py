"""A query in the SQL of the engines that read views, where it is known to mean the same."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from millpond.core.schema import Schema
from millpond.sql.lake import LAKE
from millpond.sql.parse import Query

OTHERS = ("spark", "trino")

_MOMENTS = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ, exp.DataType.Type.TIMESTAMPTZ)


def in_dialects(query: Query, columns: Schema) -> Mapping[str, str]:
    """The query by dialect: DuckDB's, and those of the others that it can be translated to.

    There each column is cast to its type of the view: engines compute other types, and Spark refuses a view that does.
    """
    found = {"duckdb": query.text()}
    for dialect in OTHERS:
        told = _translated(found["duckdb"], columns, dialect)
        if told is not None:
            found[dialect] = told
    return found


def _translated(sql: str, columns: Schema, dialect: str) -> str | None:
    """The SQL in another dialect; None where a function or a star is not known to mean the same there."""
    try:
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        if any(_own(node) for node in tree.walk()):
            return None
        kinds = [(column.name, exp.DataType.build(column.type, dialect="duckdb")) for column in columns]
        items = [exp.alias_(exp.cast(exp.column(name, quoted=True), kind), name, quoted=True) for name, kind in kinds]
        tree = exp.select(*items).from_(exp.Subquery(this=tree, alias=exp.TableAlias(this=exp.to_identifier("v"))))
        for kind in tree.find_all(exp.DataType) if dialect == "trino" else ():
            if kind.this in _MOMENTS and not kind.expressions:  # its own default drops what is below milliseconds
                kind.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(6))])
        for table in tree.find_all(exp.Table) if dialect == "trino" else ():
            if table.db:
                table.set("catalog", exp.to_identifier(LAKE))
        return tree.sql(dialect=dialect, comments=False, identify=True, unsupported_level=ErrorLevel.RAISE)
    except (SqlglotError, ValueError, RecursionError):
        return None


def _own(node: exp.Expr) -> bool:
    if isinstance(node, exp.Star):
        return any(node.args.get(part) for part in ("except_", "replace", "rename"))
    return isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc, exp.Command, exp.Columns))
