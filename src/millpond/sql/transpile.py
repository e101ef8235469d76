"""A model in another dialect becomes DuckDB's SQL, in which each name still knows where its author wrote it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError
from sqlglot.optimizer.annotate_types import annotate_types

from millpond.core.errors import Location, ModelError, ProjectError
from millpond.project.sql_file import SqlFile
from millpond.sql.parse import Query, authored, parse_written, read
from millpond.sql.written import Piece, Written

OWN = "duckdb"
"""The dialect that nothing has to be done for."""

_QUOTED, _BARE = re.compile(r'(?:[^"]|"")*'), re.compile(r"\w*")
_NEXT = re.compile(r'[,(]|"\Z')
# Letters of private use, which stand in no SQL: a mark goes before each name, and out again.
_MARK = re.compile("\ue000(\\d+)-(\\d+)\ue001")


def transpile(file: SqlFile, dialect: str) -> Written:
    """The query as DuckDB's SQL; unchanged where that is its dialect.

    Raises ModelError MP-2001 and MP-2003 for what is no query of the dialect, ProjectError MP-1311 for a part that
    DuckDB has nothing for.
    """
    written = Written.of(file)
    if dialect == OWN:
        return written
    with authored(written):
        query = replace(read(file.sql, file.path, dialect), written=written)
    annotate_types(query.tree, dialect=dialect)
    _refuse(query, dialect)
    _refuse_division(query, dialect)
    _refuse_otherwise(query, dialect)
    plain = _rendered(query.tree)
    marked = _rendered(_with_marks(query.tree))
    # A rewrite that compares names may see the marks: then only the file is known.
    known = _MARK.sub("", marked) == plain
    found = Written(tuple(_pieces(query, marked)) if known else (Piece(plain, at=Location(file.path)),))
    try:
        parse_written(found, file.path)
    except ModelError as wrong:
        raise _nothing_for(dialect, wrong.finding.message, wrong.finding.where) from None
    return found


def _refuse(query: Query, dialect: str) -> None:
    """Raise at the smallest part that cannot be written for DuckDB."""
    node: exp.Expr = query.tree
    reason = _lost(node)
    if reason is None:
        return
    inner: exp.Expr | None = node
    where = query.place(node)
    while inner is not None:
        node, where = inner, (query.place(inner) if query.place(inner).line else where)
        inner = next((child for child in node.iter_expressions() if _lost(child) is not None), None)
    raise _nothing_for(dialect, _lost(node) or reason, where)


def _refuse_division(query: Query, dialect: str) -> None:
    """Raise at a division of which the text does not tell whether it is one of whole numbers: there alone some
    dialects drop the rest, and DuckDB does not."""
    for node in query.tree.find_all(exp.Div):
        sides = (node.this, node.expression)
        whole = all(side.is_type(*exp.DataType.INTEGER_TYPES) for side in sides)
        if node.args.get("typed") and not whole and not any(_fractional(side) for side in sides):
            raise ProjectError(
                "MP-1311",
                f"a division of whole numbers drops the rest in {dialect}, and the types are not known here",
                next_step="cast one side, to an integer type or to another",
                where=query.place(node),
            )


_NUMBERED = frozenset({"dayofweek", "weekday", "dw", "w", "week", "wk", "ww"})
"""Parts of a date that each dialect counts in its own way: weeks and their days."""
_ISO = frozenset({"postgres", "redshift", "trino", "presto", "athena", "materialize", "risingwave"})
"""Dialects whose weeks are those of ISO 8601, as DuckDB's are."""


def _refuse_otherwise(query: Query, dialect: str) -> None:
    """Raise at what DuckDB has by the same name with another meaning: the number of a weekday or week, and a decimal
    without its digits."""
    for node in query.tree.walk():
        if isinstance(node, exp.DataType) and node.this == exp.DType.DECIMAL and not node.expressions:
            raise ProjectError(
                "MP-1311",
                f"a decimal without digits has others in {dialect} than in DuckDB, where it is DECIMAL(18, 3)",
                next_step="say how many digits, and how many of them after the point: DECIMAL(18, 2)",
                where=query.place(node.parent or node),
            )
        part = node.name.lower() if isinstance(node, exp.Anonymous) else ""
        part = node.name.lower() if isinstance(node, exp.Extract) else part
        counted = isinstance(node, (exp.DayOfWeek, exp.Week)) or part in _NUMBERED
        if counted and dialect not in _ISO:
            raise _nothing_for(dialect, "it counts weeks and their days in another way", query.place(node))


def _fractional(node: exp.Expr) -> bool:
    """Whether an operand is surely no whole number."""
    if node.is_type(*exp.DataType.REAL_TYPES, *exp.DataType.TEMPORAL_TYPES, exp.DataType.Type.INTERVAL):
        return True
    inner = (*node.iter_expressions(),) if isinstance(node, (exp.Binary, exp.Paren, exp.Neg)) else ()
    return any(_fractional(part) for part in inner)


def _nothing_for(dialect: str, reason: str, where: Location | None) -> ProjectError:
    return ProjectError(
        "MP-1311",
        f"DuckDB has nothing for this part of {dialect}'s SQL: {reason.strip().rstrip('.')}",
        next_step="write that part in another way, or the model in DuckDB's own dialect",
        where=where,
    )


def _lost(node: exp.Expr) -> str | None:
    """What of a part cannot be written, None where all of it can."""
    try:
        _rendered(node)
    except (UnsupportedError, ValueError) as lost:
        return str(lost)
    except RecursionError:
        return "it is nested too deeply"
    return None


def _rendered(node: exp.Expr) -> str:
    # Every name in quotes: the engine takes no heed of letter case there either, and a marked one needs no others.
    return node.sql(
        dialect=OWN, identify=True, comments=False, normalize_functions=False, unsupported_level=ErrorLevel.RAISE
    )


def _with_marks(tree: exp.Expr) -> exp.Expr:
    marked = tree.copy()
    for node in marked.find_all(exp.Identifier, exp.Anonymous):
        start, end = node.meta.get("start"), node.meta.get("end")
        if start is not None and end is not None and isinstance(node.this, str):
            node.set("this", f"\ue000{start}-{end + 1}\ue001{node.this}")
    return marked


def _pieces(query: Query, marked: str) -> Iterator[Piece]:
    """The text between marks: each name with its place, and with what stands around it up to a comma or bracket."""
    where, at = query.place(query.tree), 0
    for mark in _MARK.finditer(marked):
        between = marked[at : mark.start()]
        cut = found.start() if (found := _NEXT.search(between)) else len(between)
        if at and cut:
            yield Piece(between[:cut], at=where)
            between = between[cut:]
        start, end = int(mark[1]), int(mark[2])
        where = query.located(start, end - start)
        name = (_QUOTED if marked[mark.start() - 1] == '"' else _BARE).match(marked, mark.end())
        at = name.end() if name else mark.end()
        yield Piece(between + marked[mark.end() : at], at=where)
    yield Piece(marked[at:], at=where)
