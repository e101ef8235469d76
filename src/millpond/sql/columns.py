"""Which columns a query gives, by name."""

from __future__ import annotations

import re

from sqlglot import exp

from millpond.core.errors import Location, ModelError
from millpond.sql.functions import called
from millpond.sql.parse import Query


def output_columns(query: Query) -> tuple[str, ...] | None:
    """The names of the outermost select list, None where a star, COLUMNS(...) or BY NAME hides them.

    Raises ModelError MP-2005 for an expression without a name: every engine would invent another one.
    """
    select = _first_select(query.tree)
    if select is None:
        return None
    hidden = any(hides_names(item) for item in select.expressions)
    names = []
    for item in select.expressions:
        name = item_name(item)
        if name is None and not hides_names(item):
            raise ModelError(
                "MP-2005", "this column has no name", next_step="write: expression AS name", where=query.place(item)
            )
        names.append(name or "")
    return None if hidden else tuple(names)


def column_place(query: Query, name: str) -> Location | None:
    """Where the outermost select list computes a column, None where a star hides it."""
    select = _first_select(query.tree)
    for item in select.expressions if select is not None else ():
        if (item_name(item) or "").lower() == name.lower():
            return query.place(item)
    return None


def reading_place(query: Query, name: str) -> Location | None:
    """Where a column of this name is first read, None where only the engine sees it."""
    read = (column for column in query.tree.find_all(exp.Column) if column.name.lower() == name.lower())
    places = [query.place(column) for column in read]
    return min(places, key=lambda where: (where.line, where.column), default=None)


def word_place(query: Query, name: str) -> Location | None:
    """Where a word first stands, None where it does not: for names that are no columns yet, as those in USING."""
    found = re.search(rf"\b{re.escape(name)}\b", query.sql, re.IGNORECASE)
    return query.located(found.start(), len(found.group())) if found else None


def item_name(item: exp.Expr) -> str | None:
    """The name that a select item gives its column; None for a star or an unnamed expression."""
    if isinstance(item, exp.Alias):
        return item.alias
    if isinstance(item, exp.Column) and not isinstance(item.this, exp.Star):
        return item.name
    if isinstance(item, exp.Dot) and isinstance(item.expression, exp.Identifier):
        return item.expression.name
    return None


def is_star(item: exp.Expr) -> bool:
    """Whether a select item is `*` or `t.*`."""
    return isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star))


def star_of(item: exp.Expr) -> exp.Star:
    """The star node of an item that is one."""
    star = item if isinstance(item, exp.Star) else item.this
    assert isinstance(star, exp.Star)  # noqa: S101 - callers ask is_star first
    return star


def hides_names(item: exp.Expr) -> bool:
    """Whether a select item gives columns that only the engine can name."""
    if is_star(item):
        return True
    for node in item.walk():
        if called(node) in ("columns", "unpack"):
            return True
        if isinstance(node, exp.Star) and called(node.parent or node) != "count":
            return True
    return False


def _first_select(tree: exp.Expr) -> exp.Select | None:
    while not isinstance(tree, exp.Select):
        if isinstance(tree, exp.SetOperation) and tree.args.get("by_name"):
            return None
        if not isinstance(tree, (exp.SetOperation, exp.Subquery)):
            return None
        tree = tree.this
    return tree
