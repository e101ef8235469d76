"""From which input columns each output column was made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.core.schema import Schema
from millpond.sql.columns import hides_names, is_star, item_name, star_of
from millpond.sql.dialect import render
from millpond.sql.parse import Query
from millpond.sql.references import is_plain_name, table_name

Origins = frozenset[tuple[TableName, str]]
_NONE: Origins = frozenset()


@frozen
class _Relation:
    """Something in a FROM clause: its columns with their origins.

    `rest` is what a column not listed comes from: `*` of the tables behind a relation whose columns are not known;
    `table` names the base table itself, where a column of any name is that table's.
    """

    columns: tuple[tuple[str, Origins], ...]
    rest: Origins = _NONE
    table: TableName | None = None

    def get(self, name: str) -> Origins | None:
        for known, origins in self.columns:
            if known.lower() == name.lower():
                return origins
        if self.table is not None and not self.columns:
            return frozenset({(self.table, name)})
        return self.rest or None

    @property
    def whole(self) -> Origins:
        if self.table is not None:
            return frozenset({(self.table, "*")})
        tables = {table for _, origins in self.columns for table, _ in origins} | {table for table, _ in self.rest}
        return frozenset((table, "*") for table in tables)


@frozen
class _Scope:
    """Names in sight: common table expressions, and the FROM items of this SELECT and of those around it."""

    ctes: Mapping[str, _Relation]
    sources: tuple[tuple[str, _Relation], ...] = ()
    outer: _Scope | None = None


def lineage(query: Query, schemas: Mapping[TableName, Schema]) -> tuple[tuple[str, TableName, str], ...]:
    """Edges (output column, input table, input column); the input column `*` stands for whole rows.

    Tables missing from `schemas` are taken to have every column that the query asks of them.
    """
    relation = _Reader(query, schemas).relation(query.tree, _Scope({}))
    edges = [(name, table, column) for name, origins in relation.columns for table, column in sorted(origins)]
    edges += [("*", table, column) for table, column in sorted(relation.rest)]
    return tuple(dict.fromkeys(edges))


class _Reader:
    def __init__(self, query: Query, schemas: Mapping[TableName, Schema]) -> None:
        self._query = query
        self._schemas = schemas

    def relation(self, node: exp.Expr, scope: _Scope) -> _Relation:
        """What a query gives."""
        scope = self._with(node, scope)
        if isinstance(node, exp.Subquery):
            return self.relation(node.this, scope)
        if isinstance(node, exp.SetOperation):
            return _combined(node, self.relation(node.this, scope), self.relation(node.expression, scope))
        if isinstance(node, exp.Select):
            return self._select(node, scope)
        return _Relation(())

    def _with(self, node: exp.Expr, scope: _Scope) -> _Scope:
        clause = node.args.get("with_")
        if not isinstance(clause, exp.With):
            return scope
        ctes = dict(scope.ctes)
        for cte in clause.expressions:
            body = cte.this
            inner = _Scope(dict(ctes), scope.sources, scope.outer)
            if clause.recursive and isinstance(body, exp.SetOperation):
                # What the recursion starts from has every origin's name; a second look adds the step's own.
                start = _renamed(self.relation(body.this, inner), cte.args["alias"].columns)
                inner = _Scope({**ctes, cte.alias.lower(): start}, scope.sources, scope.outer)
            ctes[cte.alias.lower()] = _renamed(self.relation(body, inner), cte.args["alias"].columns)
        return _Scope(ctes, scope.sources, scope.outer)

    def _select(self, select: exp.Select, scope: _Scope) -> _Relation:
        inside = _Scope(scope.ctes, (), scope)
        source = select.args.get("from_")
        items = [source.this] if source is not None else []
        items += [join.this for join in select.args.get("joins") or ()]
        items += list(select.args.get("laterals") or ())
        for item in items:
            inside = _Scope(inside.ctes, inside.sources + self._source(item, inside), scope)
        outputs: list[tuple[str, Origins]] = []
        rest = _NONE
        for item in select.expressions:
            if is_star(item):
                columns, more = self._star(item, inside)
                outputs += columns
                rest |= more
            elif hides_names(item):
                every = [column for _, relation in inside.sources for column in relation.columns]
                outputs += every
                rest |= frozenset().union(*(relation.rest for _, relation in inside.sources))
            else:
                name = item_name(item) or render(item)
                outputs.append((name, self._origins(item.unalias(), inside, dict(_lowered(outputs)))))
        return _Relation(tuple(outputs), rest)

    def _source(self, item: exp.Expr, scope: _Scope) -> tuple[tuple[str, _Relation], ...]:
        alias = item.args.get("alias")
        relation = self._plain_source(item, scope)
        if item.args.get("pivots"):
            relation = _Relation((), relation.whole)
        renamed = _renamed(relation, alias.columns if isinstance(alias, exp.TableAlias) else [])
        found: tuple[tuple[str, _Relation], ...] = ((item.alias_or_name.lower(), renamed),)
        for join in item.args.get("joins") or ():
            found += self._source(join.this, scope)
        return found

    def _plain_source(self, item: exp.Expr, scope: _Scope) -> _Relation:
        if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            if is_plain_name(item) and item.name.lower() in scope.ctes:
                return scope.ctes[item.name.lower()]
            name = table_name(self._query, item)
            schema = self._schemas.get(name)
            columns = tuple((column, frozenset({(name, column)})) for column in schema.names) if schema else ()
            return _Relation(columns, table=name)
        if isinstance(item, exp.Subquery) and isinstance(item.this, exp.Query):
            return self.relation(item, _Scope(scope.ctes, (), scope))
        if isinstance(item, exp.Lateral) and isinstance(item.this, (exp.Subquery, exp.Query)):
            return self.relation(item.this, _Scope(scope.ctes, (), scope))
        return _Relation((), self._origins(item, scope, {}))

    def _star(self, item: exp.Expr, scope: _Scope) -> tuple[list[tuple[str, Origins]], Origins]:
        star = star_of(item)
        wanted = item.text("table").lower() if isinstance(item, exp.Column) else ""
        gone = {entry.name.lower() for entry in star.args.get("except_") or ()}
        renames = {entry.this.name.lower(): entry.alias for entry in star.args.get("rename") or ()}
        replaces = {entry.alias.lower(): entry.this for entry in star.args.get("replace") or ()}
        columns: list[tuple[str, Origins]] = []
        rest = _NONE
        for alias, relation in scope.sources:
            if wanted and alias != wanted:
                continue
            rest |= relation.rest if relation.columns or relation.table is None else relation.whole
            for name, origins in relation.columns:
                if name.lower() in gone:
                    continue
                value = replaces.get(name.lower())
                made = origins if value is None else self._origins(value, scope, {})
                columns.append((renames.get(name.lower(), name), made))
        return columns, rest

    def _origins(self, node: exp.Expr, scope: _Scope, aliases: Mapping[str, Origins]) -> Origins:
        """The origins of every column under an expression; a scalar subquery has those of what it gives."""
        if isinstance(node, exp.Query):
            inner = self.relation(node, _Scope(scope.ctes, (), scope))
            return inner.rest.union(*(origins for _, origins in inner.columns))
        if isinstance(node, exp.Star):
            return frozenset().union(*(relation.whole for _, relation in scope.sources))
        if isinstance(node, exp.Column):
            return self._column([part.name for part in node.parts], scope, aliases)
        if isinstance(node, exp.Dot) and isinstance(node.this, exp.Identifier):
            return self._column([node.this.name], scope, aliases) | self._origins(node.expression, scope, aliases)
        found = _NONE
        for child in node.iter_expressions():
            found |= self._origins(child, scope, aliases)
        return found

    def _column(self, parts: list[str], scope: _Scope | None, aliases: Mapping[str, Origins]) -> Origins:
        """Look a name up as the engine does: qualified, plain, whole row, alias, then in the queries around."""
        while scope is not None:
            for alias, relation in scope.sources:
                if len(parts) > 1 and alias in (part.lower() for part in parts[:-1]):
                    after = [part.lower() for part in parts].index(alias) + 1
                    found = relation.get(parts[after])
                    if found is not None:
                        return found
            found = _first(relation.get(parts[0]) for _, relation in _closed_first(scope.sources))
            if found is not None:
                return found
            if parts[0].lower() in aliases:
                return aliases[parts[0].lower()]
            whole = [relation.whole for alias, relation in scope.sources if alias == parts[0].lower()]
            if whole:
                return whole[0]
            scope, aliases = scope.outer, {}
        return _NONE


def _closed_first(sources: Iterable[tuple[str, _Relation]]) -> list[tuple[str, _Relation]]:
    """Relations whose columns are known are asked before those that would answer to any name."""
    return sorted(sources, key=lambda source: not source[1].columns or bool(source[1].rest))


def _first(answers: Iterable[Origins | None]) -> Origins | None:
    return next((answer for answer in answers if answer is not None), None)


def _lowered(columns: Iterable[tuple[str, Origins]]) -> list[tuple[str, Origins]]:
    return [(name.lower(), origins) for name, origins in columns]


def _renamed(relation: _Relation, names: list[exp.Identifier]) -> _Relation:
    if not names:
        return relation
    columns = [*relation.columns, *[("", relation.rest or relation.whole)] * (len(names) - len(relation.columns))]
    renamed = [(names[index].name if index < len(names) else name, made) for index, (name, made) in enumerate(columns)]
    return _Relation(tuple(renamed), relation.rest)


def _combined(node: exp.SetOperation, left: _Relation, right: _Relation) -> _Relation:
    rest = left.rest | right.rest
    if isinstance(node, exp.Except):
        return left
    if node.args.get("by_name"):
        named = {name.lower(): (name, origins) for name, origins in right.columns}
        merged = [(name, origins | named.pop(name.lower(), ("", _NONE))[1]) for name, origins in left.columns]
        return _Relation((*merged, *named.values()), rest)
    columns = tuple(
        (name, origins | (right.columns[index][1] if index < len(right.columns) else right.rest))
        for index, (name, origins) in enumerate(left.columns)
    )
    return _Relation(columns, rest)
