"""What a column of a query is, written over the columns of its one input table."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from millpond.core.names import is_plain
from millpond.sql.columns import hides_names, is_star, item_name, star_of
from millpond.sql.dialect import render
from millpond.sql.functions import ROW_MAKERS, called, is_aggregate, is_volatile
from millpond.sql.levels import Level


class Trace:
    """Follows columns down a chain of SELECTs; None is said wherever two readings are possible.

    `columns` are the input's own columns where the caller knows them; they settle whether a name means a column of
    the input or an alias.
    """

    def __init__(self, chain: Sequence[Level], columns: Collection[str] | None = None) -> None:
        self._chain = chain
        self._columns = None if columns is None else frozenset(column.lower() for column in columns)

    def level(self, index: int) -> Level:
        """The SELECT number `index`."""
        return self._chain[index]

    def output(self, index: int, name: str) -> exp.Expr | None:
        """The output column `name` of the chain's SELECT number `index`, over the input's columns."""
        for item in self._chain[index].select.expressions:
            if is_star(item):
                through = self._through_star(index, item, name)
                if through is not _ABSENT:
                    return through
            elif hides_names(item):
                return None
            elif (item_name(item) or "").lower() == name.lower():
                return self.expression(index, item.unalias())
        return None

    def expression(self, index: int, node: exp.Expr, *, aliases_first: bool = False) -> exp.Expr | None:
        """An expression of the SELECT number `index`, over the input's columns; None unless it is one row's own."""
        if any(_not_of_a_row(part) for part in node.walk()):
            return None
        holder = exp.Paren(this=node.copy())
        for column in list(holder.find_all(exp.Column)):
            meant = self._column(index, column, node, aliases_first=aliases_first)
            if meant is None:
                return None
            whole = column.parent is holder or isinstance(meant, (exp.Column, exp.Anonymous))
            column.replace(meant if whole else _paren(meant))
        return holder.this.pop()  # type: ignore[no-any-return]

    def has(self, index: int, name: str) -> bool | None:
        """Whether the source that SELECT number `index` reads has a column of that name; None when unknown."""
        level = self._chain[index]
        if level.source_columns and name.lower() in {column.lower() for column in level.source_columns}:
            return True
        if index == 0:
            return None if self._columns is None else name.lower() in self._columns
        below = self._chain[index - 1].select
        unknown = False
        for item in below.expressions:
            if (item_name(item) or "").lower() == name.lower():
                return True
            if is_star(item):
                inner = self._star_has(index - 1, item, name)
                if inner:
                    return True
                unknown = unknown or inner is None
            elif hides_names(item):
                unknown = True
        return None if unknown else False

    def aliases(self, index: int, name: str) -> list[exp.Expr]:
        """Expressions that the SELECT itself names so, apart from a column that keeps its name."""
        items = [item for item in self._chain[index].select.expressions if isinstance(item, exp.Alias)]
        named = [item.this for item in items if item.alias.lower() == name.lower()]
        return [value for value in named if not (isinstance(value, exp.Column) and value.name.lower() == name.lower())]

    def _column(self, index: int, column: exp.Column, inside: exp.Expr, *, aliases_first: bool) -> exp.Expr | None:
        level = self._chain[index]
        parts = [part.name for part in column.parts]
        if len(parts) > 1 and parts[-2].lower() != level.source.lower():
            return None  # a field of a struct, or a name that this reading does not understand
        name = parts[-1]
        if len(parts) > 1 or (there := self._owns(index, name)):
            return self._source(index, column, name)
        named = self.aliases(index, name)
        own = any(part.name.lower() == name.lower() for value in named for part in value.find_all(exp.Column))
        if named and not own:
            certain = aliases_first or there is False
            if not certain or len(named) > 1 or any(value is inside for value in named):
                return None
            return self.expression(index, named[0])
        if level.alone:
            return self._source(index, column, name)
        # Grouped by a column that a source beside may have as well: the one that is selected by that name, or an error.
        kept = [item.unalias() for item in level.select.expressions if (item_name(item) or "").lower() == name.lower()]
        if not aliases_first or len(kept) != 1 or not isinstance(kept[0], exp.Column) or not kept[0].table:
            return None
        return self.expression(index, kept[0])

    def _owns(self, index: int, name: str) -> bool | None:
        """Whether a name without a table means a column of the level's source; None when unknown."""
        level = self._chain[index]
        if name.lower() in merged(level.select):
            return True if level.joins else None
        there = self.has(index, name)
        return there if there or level.alone else None

    def _source(self, index: int, column: exp.Column, name: str) -> exp.Expr | None:
        level = self._chain[index]
        renamed = {column.lower() for column in level.source_columns}
        if index == 0:
            return None if renamed else exp.column(column.this.copy())
        if not renamed:
            return self.output(index - 1, name)
        items = self._chain[index - 1].select.expressions
        if any(hides_names(item) for item in items):
            return None
        names = [*level.source_columns, *(item_name(item) for item in items[len(level.source_columns) :])]
        lowered = [str(known).lower() for known in names]
        if name.lower() not in lowered:
            return None
        return self.expression(index - 1, items[lowered.index(name.lower())].unalias())

    def _through_star(self, index: int, starred: exp.Expr, name: str) -> exp.Expr | None:
        star, level = star_of(starred), self._chain[index]
        renamed = name.lower() in (item.alias.lower() for item in star.args.get("rename") or ())
        if renamed and not level.alone and starred.text("table").lower() != level.source.lower():
            return None
        for item in star.args.get("replace") or ():
            if item.alias.lower() == name.lower():
                return self.expression(index, item.this)
        for item in star.args.get("rename") or ():
            if item.alias.lower() == name.lower():
                return self._source(index, _named(item.this.name), item.this.name)
        present = self._star_has(index, starred, name)
        if present is False:
            return _ABSENT
        if present is None and (self._named_too(index, name) or not self._all_of_it(index, starred)):
            return None
        return self._source(index, _named(name), name)

    def _all_of_it(self, index: int, starred: exp.Expr) -> bool:
        """Whether a star gives columns of the level's source alone, and no other star gives any."""
        level = self._chain[index]
        stars = [item for item in level.select.expressions if is_star(item)]
        return level.alone or (len(stars) == 1 and starred.text("table").lower() == level.source.lower())

    def _star_has(self, index: int, starred: exp.Expr, name: str) -> bool | None:
        level, star = self._chain[index], star_of(starred)
        of = starred.text("table").lower()
        if not level.alone and of and of != level.source.lower():
            return None
        gone = [item.name.lower() for item in star.args.get("except_") or ()]
        gone += [item.this.name.lower() for item in star.args.get("rename") or ()]
        if name.lower() in (item.alias.lower() for item in star.args.get("rename") or ()):
            return True
        if name.lower() in gone:
            return False
        there = self.has(index, name)
        return there if there or level.alone or of else None

    def _named_too(self, index: int, name: str) -> bool:
        items = self._chain[index].select.expressions
        return any((item_name(item) or "").lower() == name.lower() for item in items)


def merged(select: exp.Select) -> frozenset[str]:
    """The columns that the first join of a SELECT says by USING: without a table, they are those of its left side."""
    first = next(iter(select.args.get("joins") or ()), None)
    using = (first.args.get("using") or ()) if first is not None else ()
    return frozenset(name.name.lower() for name in using)


def determined(wanted: exp.Expr, given: Sequence[exp.Expr]) -> bool:
    """Whether equal values of the given expressions mean an equal value of the wanted one."""
    texts = {folded(expression) for expression in given}

    def follows(node: exp.Expr) -> bool:
        if folded(node) in texts:
            return True
        if isinstance(node, (exp.Column, exp.Lambda, exp.Comprehension)):
            return False
        return all(follows(child) for child in node.iter_expressions() if not isinstance(child, exp.Identifier))

    return follows(wanted)


_ABSENT = exp.Null()


def _not_of_a_row(node: exp.Expr) -> bool:
    if isinstance(node, (exp.Window, exp.Query, exp.Exists, exp.Star, exp.PositionalColumn, exp.Dot)):
        return True
    return is_aggregate(node) or is_volatile(node) or called(node) in (*ROW_MAKERS, "columns") or isinstance(node, _ODD)


_ODD = (exp.Unnest, exp.UDTF, exp.Lambda, exp.Comprehension, exp.Placeholder, exp.Parameter)


def _named(name: str) -> exp.Column:
    reserved = name.lower() in DuckDB.Generator.RESERVED_KEYWORDS
    return exp.column(exp.to_identifier(name, quoted=reserved or not is_plain(name)))


def _paren(node: exp.Expr) -> exp.Expr:
    return node if isinstance(node, (exp.Literal, exp.Cast, exp.Paren)) else exp.Paren(this=node)


def folded(node: exp.Expr) -> str:
    """The expression as text in which names differ only where they mean different columns or functions."""
    copy = node.copy()
    for identifier in copy.find_all(exp.Identifier):
        identifier.set("this", identifier.name.lower())
        identifier.set("quoted", True)
    for call in copy.find_all(exp.Anonymous):
        call.set("this", call.name.lower())
    return render(copy)
