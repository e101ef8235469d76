"""Rewrites that keep a query's meaning: other relations for its inputs, more columns carried through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import exp

from millpond.core.errors import ModelError
from millpond.core.names import TableName
from millpond.sql.columns import is_star, item_name, star_of
from millpond.sql.dialect import Verbatim
from millpond.sql.levels import levels
from millpond.sql.parse import Query
from millpond.sql.references import base_tables, table_name


def replace_inputs(query: Query, relations: Mapping[TableName, str]) -> Query:
    """Read the named relations in place of tables. A relation is a plain name or a quoted path.

    Every table keeps the name by which the query's columns speak of it; tables not in the map stay as they are.
    """
    tree = query.tree.copy()
    named = [(table, table_name(query, table)) for table in base_tables(tree) if isinstance(table.this, exp.Identifier)]
    plain = {name for table, name in named if not _alias(table)}
    for table, name in named:
        if name in relations:
            # Where two layers have a table of this name, only its full name tells it from the other.
            alone = sum(other.name == name.name for other in plain) < 2
            _replace(table, name, relations[name], name.name if alone else str(name))
    return query.with_tree(tree)


def _replace(table: exp.Table, name: TableName, relation: str, shown: str) -> None:
    new = sqlglot.parse_one(relation, dialect=Verbatim, into=exp.Table)
    alias = table.args.get("alias")
    select = table.find_ancestor(exp.Select)
    if not _alias(table):
        if select is not None:
            _requalify(select, table, name, shown)
        alias = exp.TableAlias(this=exp.to_identifier(shown, quoted=True), columns=alias.columns if alias else [])
    for part in ("this", "db", "catalog"):
        table.set(part, new.args.get(part))
    table.set("alias", alias)


def _alias(table: exp.Table) -> str:
    """The name that the author gave a table, or none (a list of columns alone is no name)."""
    alias = table.args.get("alias")
    return str(alias.name) if alias is not None else ""


def _requalify(select: exp.Select, table: exp.Table, name: TableName, shown: str) -> None:
    """Columns that speak of the table by its name or full name speak of the alias from now on."""
    for column in select.find_all(exp.Column):
        if column.text("table").lower() != name.name:
            continue
        layer = column.text("db").lower()
        if layer == name.layer or (not layer and _nearest(column, name.name) is table):
            column.set("table", exp.to_identifier(shown, quoted=True))
            column.set("db", None)


def _nearest(column: exp.Column, name: str) -> exp.Expr | None:
    """The FROM item that a table's name means where a column stands: the innermost of that name."""
    select = column.find_ancestor(exp.Select)
    while select is not None:
        source = select.args.get("from_")
        items = [source.this] if source is not None else []
        items += [join.this for join in select.args.get("joins") or ()]
        items += [join.this for item in items for join in item.args.get("joins") or ()]
        for item in items:
            if item.alias_or_name.lower() == name:
                return item  # type: ignore[no-any-return]
        select = select.find_ancestor(exp.Select)
    return None


def add_columns(query: Query, columns: Sequence[str]) -> Query:
    """Pass these columns of the input through every projection, to the end of the outermost one.

    For row-preserving queries. A column that the author selects already under its own name stays where it is.
    Raises ModelError MP-2006 where another expression takes the name of one of them.
    """
    tree = query.tree.copy()
    chain = levels(tree)
    if isinstance(chain, str):
        raise ModelError(
            "MP-2007",
            f"columns cannot be carried through this query: {chain}",
            next_step="write it as a projection and filter over one table",
            where=query.place(query.tree),
        )
    for level in chain:
        carry(query, level.select, columns)
    return query.with_tree(tree)


def carry(query: Query, select: exp.Select, columns: Sequence[str]) -> None:
    """Change one SELECT in place so that its source's columns of these names come out last, once each."""
    carried = {column.lower() for column in columns}
    taken = set()
    for item in select.expressions:
        if is_star(item):
            for changed in (*_entries(star_of(item), "replace"), *_entries(star_of(item), "rename")):
                refuse_reserved(query, changed, carried)
            hide(star_of(item), columns)
            continue
        name = (item_name(item) or "").lower()
        value = item.unalias()
        if name in carried and isinstance(value, exp.Column) and value.name.lower() == name:
            taken.add(name)
        else:
            refuse_reserved(query, item, carried)
    missing = [column for column in columns if column.lower() not in taken]
    select.set("expressions", [*select.expressions, *(exp.column(column, quoted=True) for column in missing)])


def refuse_reserved(query: Query, item: exp.Expr, reserved: set[str]) -> None:
    """Raise ModelError MP-2006 when a select item takes a reserved name (lower case)."""
    if item_name(item) is not None and str(item_name(item)).lower() in reserved:
        raise ModelError(
            "MP-2006",
            f"the column name {item_name(item)!r} is reserved",
            next_step="give the column another name; names that begin with _ belong to the lakehouse",
            where=query.place(item),
        )


def hide(star: exp.Star, columns: Sequence[str]) -> None:
    """Change a star in place so that it leaves these columns out."""
    hidden = _entries(star, "except_")
    known = {item.name.lower() for item in (*hidden, *(item.this for item in _entries(star, "rename")))}
    hidden += [exp.column(column, quoted=True) for column in columns if column.lower() not in known]
    star.set("except_", hidden)


def _entries(star: exp.Star, part: str) -> list[exp.Expr]:
    return list(star.args.get(part) or ())
