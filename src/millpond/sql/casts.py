"""Strict casts made soft: a value that cannot be cast becomes NULL, and the row says so in a column of its own.

Every cast that can fail gets an output column `_cast_<i>`: the text that could not be cast, NULL where nothing
failed. A failure counts only where the engine would have reached the cast: behind the conditions of CASE, IF and
COALESCE, and in the part of a condition or filter that it comes to (see `failures`). A filter keeps a row whose fate
hangs on a failed cast, so that the row can be quarantined instead of being lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlglot import exp

from millpond.core.errors import Location, ModelError
from millpond.core.records import frozen
from millpond.sql.columns import is_star, item_name, output_columns, star_of
from millpond.sql.failures import Failure, asked_type, failures, softened, stays_strict
from millpond.sql.levels import Level, levels
from millpond.sql.parse import Query
from millpond.sql.rewrite import carry, refuse_reserved
from millpond.sql.shape import shape

PREFIX = "_cast_"


@frozen
class SoftCast:
    """One softened cast.

    `output` is the flag column, `column` the output column that the cast feeds (empty when it only filters),
    `type` the type that was asked for.
    """

    output: str
    column: str
    type: str
    where: Location


@frozen
class Softened:
    """The query with soft casts, what was softened, and the places of casts that stay strict (inside lambdas)."""

    query: Query
    casts: tuple[SoftCast, ...]
    strict: tuple[Location, ...] = ()


@dataclass
class _Flagged:
    """What has been flagged so far, from the bottom of the chain outward.

    `feeds` tells for each column of the last level, by lower-case name, how it is written and which flags it
    depends on.
    """

    casts: list[exp.Expr] = field(default_factory=list)
    feeds: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        return [f"{PREFIX}{index}" for index in range(len(self.casts))]


def soften(query: Query) -> Softened:
    """Make every cast, strptime and reading of JSON text of a row-preserving query soft.

    Casts of constants, casts to text (which cannot fail) and the author's own TRY_CAST and TRY stay as they are.
    Raises ModelError MP-2007 when the query is not row-preserving, MP-2005 when a column has no name, MP-2006 when
    one is named like a flag.
    """
    proven = shape(query)
    tree = query.tree.copy()
    chain = levels(tree)
    if isinstance(chain, str) or not proven.row_preserving:
        raise ModelError(
            "MP-2007",
            f"this needs a query that keeps one row for each input row, but {proven.reason}",
            next_step="write it as a projection and filter over one table",
            where=query.place(query.tree),
        )
    output_columns(query)
    flagged = _Flagged()
    for level in chain:
        _soften_level(query, level, flagged)
    fed = [(name, flags) for name, flags in flagged.feeds.values()]
    casts = tuple(
        SoftCast(flag, next((name for name, flags in fed if flag in flags), ""), asked_type(cast), query.place(cast))
        for flag, cast in zip(flagged.names, flagged.casts, strict=True)
    )
    strict = tuple(query.place(node) for node in query.tree.walk() if stays_strict(node))
    return Softened(query.with_tree(tree), casts, strict)


def _soften_level(query: Query, level: Level, flagged: _Flagged) -> None:
    select = level.select
    for item in select.expressions:
        for value in _values(item):
            name = (item_name(value) or "").lower()
            refuse_reserved(query, value, {name} if name.startswith(PREFIX) else set())
    below = flagged.names
    known = _known(level, flagged)
    aliases: dict[str, list[Failure]] = {}
    feeds: dict[str, tuple[str, tuple[str, ...]]] = {}
    flags: list[exp.Expr] = []

    def take(found: list[Failure]) -> list[Failure]:
        """The failures, each with its flag: a new column of this level for those that have none."""
        taken = []
        for failure in found:
            if failure.cast is not None and failure.text is not None:
                flagged.casts.append(failure.cast)
                flag = flagged.names[-1]
                told = exp.Case(ifs=[exp.If(this=failure.condition.copy(), true=failure.text)])
                flags.append(exp.alias_(told, flag, quoted=True))
                taken.append(replace(failure, flag=flag, cast=None, text=None))
            else:
                taken.append(failure)
        return taken

    for item in select.expressions:
        if is_star(item):
            feeds.update(flagged.feeds)
        for value in _values(item):
            name = item_name(value) or ""
            found = take(failures(value.unalias(), {**aliases, **known}))
            feeds[name.lower()] = (name, tuple(dict.fromkeys(failure.flag for failure in found)))
            if not _speaks_of_itself(value, name):
                aliases[name.lower()] = _through_alias(found, name, value.unalias())
            _soften_in_place(value)
    where = select.args.get("where")
    if where is not None:
        found = take(failures(where.this, {**aliases, **known}, use="filter"))
        where.set("this", exp.or_(softened(where.this), *(failure.condition for failure in found)))
    order = select.args.get("order")
    if order is not None:
        select.set("order", softened(order))
    carry(query, select, below)
    select.set("expressions", [*select.expressions, *flags])
    flagged.feeds = feeds


def _known(level: Level, flagged: _Flagged) -> dict[str, list[Failure]]:
    """What is known of the columns that a level reads: they failed where their flags are set."""
    known = {name: [_set(flag) for flag in flags] for name, (_, flags) in flagged.feeds.items()}
    everything = [_set(flag) for flag in flagged.names]
    # A row as a whole depends on everything; so may columns that were renamed by position.
    for name in (level.source, *level.source_columns):
        known[name.lower()] = everything
    return known


def _set(flag: str) -> Failure:
    present = exp.not_(exp.Is(this=exp.column(flag, quoted=True), expression=exp.null()))
    return Failure(present, flag=flag)


def _values(item: exp.Expr) -> list[exp.Expr]:
    """The expressions of a select item: itself, or what a star's REPLACE says."""
    if not is_star(item):
        return [item]
    return list(star_of(item).args.get("replace") or ())


def _soften_in_place(value: exp.Expr) -> None:
    if isinstance(value, exp.Alias):
        value.set("this", softened(value.this))
    elif not isinstance(value, exp.Column):
        value.replace(softened(value))


def _speaks_of_itself(value: exp.Expr, name: str) -> bool:
    """Whether `x::INT AS x` shows that the source has an `x` too, which a filter then means."""
    return any(column.name.lower() == name.lower() for column in value.find_all(exp.Column))


def _through_alias(found: list[Failure], name: str, value: exp.Expr) -> list[Failure]:
    """What a filter on an alias hangs on. The source may have a column of that name: then it has another value."""
    same = exp.NullSafeEQ(
        this=exp.cast(exp.column(name, quoted=True), exp.DType.VARCHAR),
        expression=exp.cast(exp.Paren(this=softened(value)), exp.DType.VARCHAR),
    )
    return [replace(failure, condition=exp.and_(failure.condition, same.copy())) for failure in found]
