"""Pieces of statements about keys: lists of columns, and the conditions by which rows are paired and ordered."""

from __future__ import annotations

from collections.abc import Sequence

from millpond.core.names import quote

SURROGATE_KEY = "surrogate_key"
"""The function that models and statements call for a key made of values: `md5` of their texts, told apart by `|`."""
KEY_OF_TEXTS = ("md5(concat_ws('|', ", "))")
TEXT_OF_VALUE = ("coalesce(replace(replace(CAST(", r" AS VARCHAR), '\', '\\'), '|', '\|'), '\N')")


def names(columns: Sequence[str], of: str = "") -> str:
    """The columns as a list, each quoted; `of` is the relation that they are taken from."""
    prefix = f"{of}." if of else ""
    return ", ".join(prefix + quote(name) for name in columns)


def same(left: str, right: str, columns: Sequence[str]) -> str:
    """The condition that two rows have one key. Keys have no NULL; IS NOT DISTINCT FROM finds NaN where `=` is cut
    short by the bounds of files."""
    return " AND ".join(f"{left}.{quote(name)} IS NOT DISTINCT FROM {right}.{quote(name)}" for name in columns)


def equal(left: str, right: str, columns: Sequence[str]) -> str:
    """The condition that two rows, none of them with a NULL there, are equal in some columns."""
    return " AND ".join(f"{left}.{quote(name)} = {right}.{quote(name)}" for name in columns)


def after(left: str, right: str, columns: Sequence[str]) -> str:
    """The condition that one row comes after another by the columns, compared from the first on; none has a NULL."""
    first, *rest = columns
    greater = f"{left}.{quote(first)} > {right}.{quote(first)}"
    if not rest:
        return greater
    return f"({greater} OR ({equal(left, right, (first,))} AND {after(left, right, rest)}))"


def by_content(columns: Sequence[str]) -> str:
    """The order among rows that differ in these columns only: the least value first, NULL last."""
    return ", ".join(f"{quote(name)} NULLS LAST" for name in columns)
