"""Joins that find rows by equalities: which they are, and which rows of the input a row of the other table bears on."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from millpond.core.names import TableName
from millpond.core.records import frozen
from millpond.sql.levels import Joined, Level
from millpond.sql.trace import merged


@frozen
class JoinKey:
    """Rows of `table` are joined to rows of the input only where all `pairs` hold.

    A pair is SQL over one row of the input, an operator, and SQL over one row of the table. Without pairs each row of
    the table bears on every row of the input.
    """

    table: TableName
    pairs: tuple[tuple[str, str, str], ...]


_METHODS = ("", "ASOF")
_SIDES = ("", "LEFT")
_KINDS = ("", "INNER", "OUTER", "SEMI", "ANTI")
_PARTS = frozenset({"this", "method", "side", "kind", "on", "using"})


def not_narrowing(joined: Joined) -> str:
    """Why rows of a join may be none of its left side's, or be found otherwise than by its condition; or nothing."""
    join = joined.join
    said = {part: str(join.args.get(part) or "").upper() for part in ("method", "side", "kind")}
    known = said["method"] in _METHODS and said["side"] in _SIDES and said["kind"] in _KINDS
    if known and not any(value for part, value in join.args.items() if part not in _PARTS):
        return ""
    return f"a {' '.join(word for word in said.values() if word)} join gives other rows than those it finds by a key"


def equalities(joined: Joined, left: Level) -> Iterator[tuple[exp.Expr, str, exp.Expr]]:
    """The equalities that must hold for two rows to be joined. `left` is the SELECT that joins."""
    using = list(joined.join.args.get("using") or ())
    # The last column of an ASOF join is the one that need not be equal.
    for name in using[:-1] if joined.join.args.get("method") else using:
        if name.name.lower() in merged(left.select):
            sides = (left.source, joined.chain[-1].source)
            ours, theirs = (exp.column(name.copy(), table=exp.to_identifier(source, quoted=True)) for source in sides)
            yield ours, "=", theirs
    condition = joined.join.args.get("on")
    waiting = [condition] if condition is not None else []
    while waiting:
        part = waiting.pop(0).unnest()
        if isinstance(part, exp.And):
            waiting[:0] = [part.this, part.expression]
        elif isinstance(part, (exp.EQ, exp.NullSafeEQ)):
            yield part.this, "=" if isinstance(part, exp.EQ) else "IS NOT DISTINCT FROM", part.expression
