"""What became of a query's columns since its table was built, where nothing else of the query changed."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from millpond.core.errors import ModelError
from millpond.core.records import frozen
from millpond.sql.columns import hides_names, item_name
from millpond.sql.dialect import Verbatim
from millpond.sql.parse import Query, parse


@frozen
class Evolution:
    """Columns as (old name, new name), new ones, and those whose outermost cast asks for another type."""

    renamed: tuple[tuple[str, str], ...] = ()
    added: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()


UNCHANGED = Evolution()


def evolution(
    before: str, after: Query, renames: Mapping[str, str], inputs: Mapping[str, str] | None = None
) -> Evolution | None:
    """How the outermost select list changed; None where anything else did, so that rows may be other ones.

    `renames` are the old names of columns that the author renamed, by the new ones; `inputs` likewise of columns of
    the tables that the query reads.
    """
    try:
        old = parse(before, after.path).tree.copy()
    except ModelError:
        return None
    new = after.tree
    if not (isinstance(old, exp.Select) and isinstance(new, exp.Select)):
        return UNCHANGED if _text(old) == _text(new) else None
    names = list(_items(old))
    _rename_columns(old, inputs or {})
    if _rest(old) != _rest(new):
        return None
    items, now = _items(old), _items(new)
    # A column that is read by its new name may keep the name that it has here: `total AS amount`.
    kept = _compared(dict(zip(names, items.values(), strict=True)), now, renames) if len(names) == len(items) else None
    return kept or _compared(items, now, renames)


def _compared(old: dict[str, exp.Expr], new: dict[str, exp.Expr], renames: Mapping[str, str]) -> Evolution | None:
    renamed, added, retyped, met = [], [], [], []
    for name, item in new.items():
        was = name if name in old else renames.get(name, "")
        if was not in old or was in met:
            added.append(name)
            continue
        met.append(was)
        if was != name:
            renamed.append((was, name))
        if _text(item) != _text(old[was]):
            if not _recast(old[was], item):
                return None
            retyped.append(name)
    if met != list(old):
        return None
    return Evolution(tuple(renamed), tuple(added), tuple(retyped))


def _items(select: exp.Select) -> dict[str, exp.Expr]:
    """What each column is computed by; a star goes by its own text."""
    found = {}
    for item in select.expressions:
        name = _text(item) if hides_names(item) else (item_name(item) or _text(item))
        found[name] = item.unalias()
    return found


def _recast(old: exp.Expr, new: exp.Expr) -> bool:
    return isinstance(old, exp.Cast) and type(old) is type(new) and _text(old.this) == _text(new.this)


def _rest(select: exp.Select) -> str:
    """All of a query but its outermost select list."""
    bare = select.copy()
    bare.set("expressions", [])
    return _text(bare)


def _rename_columns(tree: exp.Expr, names: Mapping[str, str]) -> None:
    """Speak of renamed columns by their new names, where no other column has one of them."""
    old = {was: name for name, was in names.items()}
    spoken = {column.name for column in tree.find_all(exp.Column)}
    for column in list(tree.find_all(exp.Column)):
        name = old.get(column.name)
        if name is not None and name not in spoken:
            column.set("this", exp.to_identifier(name, quoted=column.this.quoted))


def _text(node: exp.Expr) -> str:
    return node.sql(dialect=Verbatim, comments=False, normalize_functions="lower")
