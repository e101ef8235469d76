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
    for table in list(base_tables(tree)):
        if not isinstance(table.this, exp.Identifier):
            continue
        name = table_name(query, table)
        if name in relations:
            _replace(table, name, relations[name])
    return query.with_tree(tree)


def _replace(table: exp.Table, name: TableName, relation: str) -> None:
    new = sqlglot.parse_one(relation, dialect=Verbatim, into=exp.Table)
    alias = table.args.get("alias")
    select = table.find_ancestor(exp.Select)
    if (alias is None or not alias.name) and select is not None:
        shown = table.name if _alone(table, select) else str(name)
        columns = alias.columns if alias is not None else []
        alias = exp.TableAlias(this=exp.to_identifier(shown, quoted=True), columns=columns)
        _requalify(select, name, shown)
    for part in ("this", "db", "catalog"):
        table.set(part, new.args.get(part))
    table.set("alias", alias)


def _alone(table: exp.Table, select: exp.Select) -> bool:
    """Whether no other unaliased table of the SELECT has the same last name."""
    return not any(
        other is not table and not other.alias and other.name.lower() == table.name.lower()
        for other in select.find_all(exp.Table)
        if other.find_ancestor(exp.Select) is select and other.db
    )


def _requalify(select: exp.Select, name: TableName, shown: str) -> None:
    """Columns written `layer.name.column` speak of the alias from now on."""
    for column in select.find_all(exp.Column):
        if column.text("db").lower() == name.layer and column.text("table").lower() == name.name:
            column.set("table", exp.to_identifier(shown, quoted=True))
            column.set("db", None)


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
