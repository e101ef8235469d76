"""From a model's text to a tree that knows where each word stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, SqlglotError, UnsupportedError

from millpond.core.errors import Location, ModelError
from millpond.core.names import closest
from millpond.core.records import frozen
from millpond.sql.dialect import Verbatim, render
from millpond.sql.written import Written, locate

_CAST_HEAD = re.compile(r"\b(?:try_)?cast\s*\(\s*\Z", re.IGNORECASE)
_CAST_TAIL = re.compile(r"[\s)]*\bas\s+[\w ]+(?:\([^()]*\))?\s*\)", re.IGNORECASE)
_COLONS_TAIL = re.compile(r"[\s)]*::\s*\w+(?:\([\d, ]+\))?(?:\[\d*\])*")
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(\w+)", re.DOTALL)
_BEGINNINGS = ("SELECT", "FROM", "WITH")
_STATEMENTS = (exp.Select, exp.SetOperation, exp.Subquery)


@frozen
class Query:
    """One SELECT. `tree` belongs to this folder alone and is never changed; `sql` is the text that it was read from.

    `written` knows where the author wrote each word of it; without, the text is a file's own.
    """

    tree: exp.Query
    path: Path
    sql: str
    written: Written | None = field(default=None, compare=False, repr=False)

    def text(self) -> str:
        """The query as DuckDB SQL."""
        return self._text

    @cached_property
    def _text(self) -> str:
        return render(self.tree)

    def with_tree(self, tree: exp.Query) -> Query:
        """The same model with a rewritten tree."""
        return replace(self, tree=tree)

    def place(self, node: exp.Expr) -> Location:
        """Where the author wrote the node; the whole file when no word of it is the author's."""
        parts = node.walk(prune=lambda part: isinstance(part, exp.DataType))
        spans = [span for part in parts if (span := _span(part)) is not None]
        if not spans:
            return Location(self.path)
        start = min(first for first, _ in spans)
        end = max(last for _, last in spans)
        if isinstance(node, exp.Cast):
            start, end = _whole_cast(self.sql, start, end)
        return self.located(start, end + 1 - start)

    def located(self, offset: int, length: int) -> Location:
        """Where a part of the text was written."""
        if self.written is not None:
            return self.written.place(offset, length)
        return locate(self.sql, self.path, offset, length)


def parse_written(written: Written, path: Path) -> Query:
    """`parse` of a text whose words stand elsewhere: errors and places are those of the author."""
    with authored(written):
        return replace(parse(written.sql, path), written=written)


@contextmanager
def authored(written: Written) -> Iterator[None]:
    """Errors of a text at the places where its words were written."""
    try:
        yield
    except ModelError as wrong:
        if wrong.finding.where is not None:
            wrong.finding = replace(wrong.finding, where=written.authored(wrong.finding.where))
        raise


def parse(sql: str, path: Path) -> Query:
    """Read the one SELECT of a model: CTEs, set operations and parentheses are fine.

    Raises ModelError MP-2001 where the text is no SQL, MP-2003 where it is not exactly one SELECT,
    MP-2008 where a part could not be written again as it was read.
    """
    return _whole(read(sql, path, Verbatim))


def read(sql: str, path: Path, dialect: type[Dialect] | str) -> Query:
    """Read the one SELECT of a text in a dialect. Raises ModelError MP-2001 and MP-2003."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if not _empty(tree)]
    except SqlglotError as failure:
        raise _syntax(failure, sql, path) from None
    except RecursionError:
        raise ModelError(
            "MP-2001",
            "the SQL is nested too deeply to be read",
            next_step="split it into common table expressions (WITH) or into several models",
            where=Location(path),
        ) from None
    if len(trees) == 1 and isinstance(trees[0], _STATEMENTS):
        return Query(trees[0], path, sql)
    if len(trees) > 1:
        # A statement's own place is its first word after the semicolon; the second statement is the one too many.
        where = Query(exp.select("*"), path, sql).place(trees[1]) if trees[1] is not None else Location(path)
        found = f"{len(trees)} statements"
    else:
        where = Location(path, 1) if sql.strip() else Location(path)
        found = "no statement" if not trees or trees[0] is None else f"a {trees[0].key.upper()} statement"
    raise ModelError(
        "MP-2003", f"a model is one SELECT, but this is {found}", next_step="keep one SELECT in the file", where=where
    )


def _whole(query: Query) -> Query:
    """The query, if every part of it can be written again as it was read."""
    try:
        query.text()
    except (UnsupportedError, RecursionError) as lost:
        raise ModelError(
            "MP-2008",
            f"a part of the query is not understood: {lost}",
            next_step="write that part in another way",
            where=Location(query.path),
        ) from None
    for arrow in query.tree.find_all(exp.JSONExtract, exp.JSONExtractScalar):
        if _loose(arrow):
            raise ModelError(
                "MP-2008",
                "an arrow beside another operator reads otherwise in the engine than it looks",
                next_step="put parentheses round it: (document -> 'key')",
                where=query.place(arrow),
            )
    return query


def _loose(arrow: exp.Expr) -> bool:
    """Whether the engine reads on where the tree does not.

    DuckDB's `->` binds looser than operators on both sides, `->>` looser than comparisons and logic before it.
    """
    node = arrow
    while True:
        parent = node.parent
        if isinstance(parent, exp.Not):
            return True
        if isinstance(parent, (exp.In, exp.Between)):
            if parent.this is not node or not _scalar(arrow):
                return parent.this is node or isinstance(parent, exp.Between)
        elif isinstance(parent, exp.Binary) and not isinstance(
            parent, (exp.JSONExtract, exp.JSONExtractScalar, exp.Dot)
        ):
            last = parent.args.get("expression") is node
            if isinstance(parent, (exp.Predicate, exp.Connector)) and last:
                return True
            if not last and not _scalar(arrow):
                return True
        elif not isinstance(parent, exp.Binary):
            return False
        node = parent


def _scalar(arrow: exp.Expr) -> bool:
    return isinstance(arrow, exp.JSONExtractScalar)


def _whole_cast(sql: str, start: int, end: int) -> tuple[int, int]:
    """sqlglot places a cast's operand but not its keyword and type: the span with both, as far as they are plain."""
    head = _CAST_HEAD.search(sql, 0, start)
    tail = (_CAST_TAIL if head else _COLONS_TAIL).match(sql, end + 1)
    return (head.start() if head else start), (tail.end() - 1 if tail else end)


def _empty(tree: exp.Expr | None) -> bool:
    return tree is None or isinstance(tree, exp.Semicolon)


def _span(node: exp.Expr) -> tuple[int, int] | None:
    meta = node._meta  # noqa: SLF001 - reading `meta` would make an empty one on every node
    if not meta or "start" not in meta or "end" not in meta:
        return None
    return int(meta["start"]), int(meta["end"])


def _syntax(failure: SqlglotError, sql: str, path: Path) -> ModelError:
    first_word = _FIRST_WORD.match(sql)
    if (
        first_word
        and first_word.group(1).upper() not in _BEGINNINGS
        and (meant := closest(first_word.group(1), _BEGINNINGS))
    ):
        return ModelError(
            "MP-2001",
            f"{first_word.group(1)!r} does not begin a query",
            next_step="begin with SELECT, FROM or WITH",
            where=locate(sql, path, first_word.start(1), len(first_word.group(1))),
            suggestion=meant,
        )
    message, where = "the SQL cannot be read", Location(path)
    if isinstance(failure, ParseError) and failure.errors:
        first = failure.errors[0]
        word = first.get("highlight") or ""
        before = first.get("start_context") or ""
        message = _sentence(str(first.get("description") or ""), word)
        line, column = first.get("line"), first.get("col")
        if isinstance(line, int) and isinstance(column, int):
            # sqlglot counts to the word's last letter.
            offset = _offset(sql, line, column) - len(word) if word else _offset(sql, line, column) - 1
            where = locate(sql, path, max(0, min(offset, max(0, len(sql) - 1))), max(1, len(word)))
        elif before:
            where = locate(sql, path, max(0, len(sql) - 1))
    else:
        where = _unclosed(sql, path)
        message = "a quote or comment is opened and never closed"
    return ModelError("MP-2001", message, next_step="correct the SQL at the place shown", where=where)


def _sentence(description: str, word: str) -> str:
    if "Expecting" in description:
        return f"{description.replace('Expecting', 'expected').rstrip('.')} near {word!r}"
    if description.startswith("Required keyword"):
        return f"something is missing beside {word!r}"
    return f"{word!r} cannot stand here" if word else "the SQL ends too early"


def _offset(sql: str, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = sql.find("\n", start) + 1
    return start + column


def _unclosed(sql: str, path: Path) -> Location:
    """The last quote or comment that opens and has no end."""
    opened = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|(/\*|'|\")", re.DOTALL)
    for found in opened.finditer(sql):
        if found.group(1):
            return locate(sql, path, found.start())
    return Location(path)
