"""Views give way to their queries, in the text itself: whatever is read afterwards reads tables alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from millpond.core.errors import Location, ModelError
from millpond.core.names import TableName, quote
from millpond.sql.dialect import Verbatim
from millpond.sql.expansion import LARGEST
from millpond.sql.parse import Query, parse_written
from millpond.sql.references import Reference, base_tables
from millpond.sql.written import Piece, Written

QueryOf = Callable[[Reference], Written]
"""The query of a view, in which no other view is left, for the reader that names it there."""

_Edit = tuple[int, int, tuple[Piece, ...]]


def mentioned(sql: str, names: Collection[TableName]) -> bool:
    """Whether a text has a word that is the name of a view."""
    words = {word.lower() for word in re.findall(r"\w+", sql)} if names else set()
    return any(name.name in words for name in names)


def expand_views(
    written: Written, path: Path, names: Collection[TableName], query_of: QueryOf
) -> tuple[Written, tuple[Reference, ...]]:
    """The text with the query of each view in the place of its name, and where it names which.

    Raises ModelError MP-20xx for a text that is no query, MP-2110 where it becomes too long.
    """
    if not mentioned(written.sql, names):
        return written, ()
    query = parse_written(written, path)
    read = [
        (table, Reference(name, _place(query, table))) for table in base_tables(query.tree) if (name := _name(table))
    ]
    found = [(table, reference) for table, reference in read if reference.table in names]
    if not found:
        return written, ()
    plain = {reference.table for table, reference in read if not _alias(table)}
    edits: list[_Edit] = []
    for table, reference in found:
        alone = sum(other.name == reference.table.name for other in plain) < 2
        shown = reference.table.name if alone else str(reference.table)
        edits.append(_edit(table, reference, query_of(reference), "" if _alias(table) else f" AS {quote(shown)}"))
        if not _alias(table):
            edits += _qualified(query, reference.table, shown)
    whole = _edited(written, edits)
    if len(whole.sql) > LARGEST or len(whole.pieces) > LARGEST // 32:
        raise ModelError(
            "MP-2110",
            f"the query becomes more than {LARGEST // 1024} thousand characters with its views written out",
            next_step="make one of the views a model of kind replace or aggregate",
            where=found[0][1].where,
        )
    return whole, tuple(reference for _, reference in found)


def _name(table: exp.Table) -> TableName | None:
    if not isinstance(table.this, exp.Identifier) or not table.db or table.catalog:
        return None
    return TableName(table.db.lower(), table.name.lower())


def _place(query: Query, table: exp.Table) -> Location:
    """Where the name stands, without what is joined to it."""
    start, end = table.parts[0].meta["start"], table.parts[-1].meta["end"] + 1
    return query.located(start, end - start)


def _alias(table: exp.Table) -> str:
    alias = table.args.get("alias")
    return str(alias.name) if alias is not None else ""


def _edit(table: exp.Table, reference: Reference, view: Written, name: str) -> _Edit:
    first, last = table.parts[0].meta, table.parts[-1].meta
    where = reference.where
    inner = (replace(piece, via=where) for piece in _bare(view))
    return first["start"], last["end"] + 1, (Piece("(", at=where), *inner, Piece(")" + name, at=where))


def _bare(written: Written) -> tuple[Piece, ...]:
    """The words of a query, without what stands before and after them: a comment there would hide the bracket."""
    tokens = [token for token in Verbatim().tokenize(written.sql) if token.token_type is not TokenType.SEMICOLON]
    return written.cut(tokens[0].start, tokens[-1].end + 1)


def _qualified(query: Query, table: TableName, shown: str) -> Iterator[_Edit]:
    """Columns that speak of the view by its full name speak of the subquery's name from now on."""
    done: set[int] = set()
    for column in query.tree.find_all(exp.Column):
        parts = column.parts
        if len(parts) < 3 or (parts[0].name.lower(), parts[1].name.lower()) != (table.layer, table.name):
            continue
        start, end = parts[0].meta.get("start"), parts[1].meta.get("end")
        if start is not None and end is not None and start not in done:
            done.add(start)
            yield start, end + 1, (Piece(quote(shown), at=query.located(start, end + 1 - start)),)


def _edited(written: Written, edits: list[_Edit]) -> Written:
    parts: list[Piece] = []
    at = 0
    for start, end, pieces in sorted(dict.fromkeys(edits), key=lambda edit: edit[0]):
        if start >= at:
            parts += (*written.cut(at, start), *pieces)
            at = end
    return Written((*parts, *written.cut(at, len(written.sql))))


def in_circle(path: list[Reference], closing: Reference) -> ModelError:
    """The error of views that read each other, each of `path` read by the one before; the same wherever it is met."""
    first = next(index for index, step in enumerate(path) if step.table == closing.table)
    steps = [closing, *path[first + 1 :]]
    least = min(range(len(steps)), key=lambda index: steps[index].table)
    steps = [*steps[least:], *steps[:least]]
    names = [str(step.table) for step in (*steps, steps[0])]
    return ModelError(
        "MP-2020",
        f"models read each other in a circle: {' <- '.join(names)}",
        next_step="take one of these references out, or split a model in two",
        where=steps[0].where,
    )
