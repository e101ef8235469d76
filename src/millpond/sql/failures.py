"""How an expression can fail on a row, and the same expression made unable to.

What of an expression is reached on a row is told as the engine evaluates it, and hangs on the row alone:

- where its value is asked for, every part of an AND or OR is evaluated, whatever the others are;
- a condition of CASE or IF, and an OR in a filter, is read from left to right until it is decided; NULL is as false;
- the parts that a filter joins by AND are read in any order, as the engine's optimizer sets them in an order of its
  own: a row that one part throws out is out, whatever the others would have done.

Inside NOT, a comparison or a call a condition is a value again. See docs/decisions/0032.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from sqlglot import exp

from millpond.core.records import frozen
from millpond.sql.dialect import render
from millpond.sql.functions import called

_NESTED = (exp.DType.ARRAY, exp.DType.LIST, exp.DType.MAP, exp.DType.STRUCT, exp.DType.UNION, exp.DType.OBJECT)
_TIMES = exp.DataType.TEMPORAL_TYPES - {exp.DType.TIME, exp.DType.TIMETZ}
_SOFT_PARSERS = {"strptime": "try_strptime"}
_JSON_READERS = frozenset(
    {
        *("from_json", "json_array_length", "json_contains", "json_exists", "json_extract", "json_extract_path"),
        *(
            "json_extract_path_text",
            "json_extract_string",
            "json_keys",
            "json_structure",
            "json_transform",
            "json_type",
        ),
        "json_value",
    }
)
_JSON_OPERATORS = (exp.JSONExtract, exp.JSONExtractScalar)
_LAZY = (exp.Lambda, exp.Comprehension)


@frozen
class Failure:
    """One way to fail. `condition` is never NULL.

    `cast` is the failing node and `text` the value it got; a failure that a column knows of already has that
    column's name in `flag` instead.
    """

    condition: exp.Expr
    cast: exp.Expr | None = None
    text: exp.Expr | None = None
    flag: str = ""


Known = Mapping[str, Sequence[Failure]]
"""What is known of columns, by lower-case name."""

Use = Literal["value", "condition", "filter"]
"""What an expression is evaluated for: its value, whether a branch is taken, or whether a row is kept."""


def softened(expression: exp.Expr) -> exp.Expr:
    """A copy in which casts and parses that can fail give NULL instead."""
    holder = exp.Paren(this=expression.copy())
    for node in reversed(list(holder.find_all(exp.Cast, exp.Anonymous, *_JSON_OPERATORS))):
        if can_fail(node):
            node.replace(_try(node))
    result: exp.Expr = holder.this
    result.pop()
    return result


def can_fail(node: exp.Expr) -> bool:
    """Whether the node is a cast or parse of a row's value that stops the engine on a bad value."""
    if not _is_strict(node) or any(_accepts(ancestor) for ancestor in _ancestors(node)):
        return False
    return not any(isinstance(ancestor, _LAZY) for ancestor in _ancestors(node)) and any(
        isinstance(part, (exp.Column, exp.PositionalColumn)) or _dotted(part) for part in node.walk()
    )


def stays_strict(node: exp.Expr) -> bool:
    """Whether the node is a cast of an element inside a lambda or comprehension, which no column can report."""
    if not _is_strict(node) or any(_accepts(ancestor) for ancestor in _ancestors(node)):
        return False
    inside = any(isinstance(ancestor, _LAZY) for ancestor in _ancestors(node))
    return inside and any(isinstance(part, (exp.Identifier, exp.Column)) for part in node.walk())


def asked_type(cast: exp.Expr) -> str:
    """The type that a cast or parse asks for."""
    if isinstance(cast, exp.Cast):
        return render(cast.args["to"])
    return "TIMESTAMP" if called(cast) in _SOFT_PARSERS else "JSON"


def failures(node: exp.Expr, known: Known, *, use: Use = "value") -> list[Failure]:
    """Every way in which evaluating the node for this use can fail, each with the condition under which it does."""
    if isinstance(node, exp.DataType):
        return []
    if _accepts(node) or isinstance(node, _LAZY):
        return [failure for part in node.walk() for failure in _told(part, known)]
    if isinstance(node, exp.Case):
        return _case(node, known)
    if isinstance(node, exp.If):
        return _branches([(node.this, node.args["true"])], node.args.get("false"), known)
    if called(node) in ("coalesce", "ifnull"):
        return _coalesce(node.expressions, known)
    if use != "value" and isinstance(node, exp.Paren):
        return failures(node.this, known, use=use)
    if use == "filter" and isinstance(node, exp.And):
        return _in_any_order(node, known)
    if use != "value" and isinstance(node, (exp.And, exp.Or)):
        return _in_turn(node, known)
    found = _told(node, known)
    for child in node.iter_expressions():
        found += failures(child, known)
    if can_fail(node):
        operand = softened(node.expressions[0] if isinstance(node, exp.Anonymous) else node.this)
        failed = exp.and_(_is_null(softened(node)), _is_present(operand))
        if _json_source(node) is not None:
            valid = exp.Anonymous(this="json_valid", expressions=[operand.copy()])
            failed = exp.Is(this=_paren(valid), expression=exp.false())
        found.append(Failure(failed, node, exp.cast(operand.copy(), exp.DType.VARCHAR)))
    return found


def guarded(found: Iterable[Failure], *guards: exp.Expr) -> list[Failure]:
    """The same failures, counted only where every guard holds."""
    return [replace(failure, condition=exp.and_(*guards, failure.condition)) for failure in found]


def _is_strict(node: exp.Expr) -> bool:
    if type(node) is exp.Cast:
        return not node.to.is_type(*exp.DataType.TEXT_TYPES)
    return called(node) in _SOFT_PARSERS or _json_source(node) is not None


def _json_source(node: exp.Expr) -> exp.Expr | None:
    """The text that the node reads as JSON; None where it reads none, or what another reader made."""
    if isinstance(node, _JSON_OPERATORS):
        source = node.this
    elif called(node) in _JSON_READERS and node.expressions:
        source = node.expressions[0]
    else:
        return None
    inner = source.unnest()
    return None if isinstance(inner, _JSON_OPERATORS) or called(inner) in _JSON_READERS else source


def _try(node: exp.Expr) -> exp.Expr:
    if _json_source(node) is not None:
        return exp.Anonymous(this="try", expressions=[node.copy()])
    if isinstance(node, exp.Anonymous):
        return exp.Anonymous(this=_SOFT_PARSERS[node.name.lower()], expressions=node.expressions)
    target = node.args["to"]
    if target.is_type(*_NESTED):
        # TRY_CAST of a nested value only blanks the part that fails; the row is to know of it.
        return exp.Anonymous(this="try", expressions=[exp.Cast(this=node.this, to=target)])
    soft: exp.Expr = exp.TryCast(this=node.this, to=target)
    if target.is_type(*_TIMES):
        # The engine reads these words as times, and no table can hold them.
        for word in ("infinity", "-infinity"):
            end = exp.Cast(this=exp.Literal.string(word), to=target.copy())
            soft = exp.Anonymous(this="nullif", expressions=[soft, end])
    return soft


def _accepts(node: exp.Expr) -> bool:
    """Whether the author said that NULL is fine for whatever fails in here."""
    return called(node) == "try"


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    parent = node.parent
    while parent is not None and not isinstance(parent, exp.Query):
        yield parent
        parent = parent.parent


def _dotted(node: exp.Expr) -> bool:
    return isinstance(node, exp.Dot) and isinstance(node.this, exp.Identifier)


def _told(node: exp.Expr, known: Known) -> list[Failure]:
    """What is known of the column that the node names; `a.b` may be a field of the column `a`."""
    if isinstance(node, exp.Column):
        names = [part.name for part in node.parts]
    elif _dotted(node):
        names = [node.this.name]
    else:
        return []
    return [failure for name in names for failure in known.get(name.lower(), ())]


def _case(node: exp.Case, known: Known) -> list[Failure]:
    subject = node.this
    pairs = []
    for branch in node.args["ifs"]:
        when = exp.EQ(this=_paren(subject), expression=_paren(branch.this)) if subject is not None else branch.this
        pairs.append((when, branch.args["true"]))
    return _branches(pairs, node.args.get("default"), known)


def _branches(pairs: list[tuple[exp.Expr, exp.Expr]], default: exp.Expr | None, known: Known) -> list[Failure]:
    found: list[Failure] = []
    passed: list[exp.Expr] = []
    for when, then in pairs:
        found += guarded(failures(when, known, use="condition"), *passed)
        holds = _holds(when)
        found += guarded(failures(then, known), *passed, holds)
        passed.append(exp.not_(holds.copy()))
    if default is not None:
        found += guarded(failures(default, known), *passed)
    return found


def _coalesce(arguments: Sequence[exp.Expr], known: Known) -> list[Failure]:
    found: list[Failure] = []
    passed: list[exp.Expr] = []
    for argument in arguments:
        found += guarded(failures(argument, known), *passed)
        passed.append(_is_null(softened(argument)))
    return found


def _in_turn(node: exp.Connector, known: Known) -> list[Failure]:
    """A part is reached where those before it leave the condition undecided."""
    found: list[Failure] = []
    passed: list[exp.Expr] = []
    for part in node.flatten():
        found += guarded(failures(part, known, use="condition"), *passed)
        passed.append(_holds(part) if isinstance(node, exp.And) else exp.not_(_holds(part)))
    return found


def _in_any_order(node: exp.And, known: Known) -> list[Failure]:
    """A failure counts unless another part throws the row out without having failed itself."""
    parts = list(node.flatten())
    failing = [failures(part, known, use="filter") for part in parts]
    found: list[Failure] = []
    for index, mine in enumerate(failing):
        if not mine:
            continue
        others = [(part, theirs) for at, (part, theirs) in enumerate(zip(parts, failing, strict=True)) if at != index]
        guards = [exp.or_(_holds(part), *(failure.condition for failure in theirs)) for part, theirs in others]
        found += guarded(mine, *guards)
    return found


def _holds(node: exp.Expr) -> exp.Expr:
    """Whether the softened node is true, and neither false nor NULL."""
    return exp.Is(this=_paren(softened(node)), expression=exp.true())


def _paren(node: exp.Expr) -> exp.Paren:
    return exp.Paren(this=node.copy())


def _is_null(node: exp.Expr) -> exp.Expr:
    return exp.Is(this=_paren(node), expression=exp.null())


def _is_present(node: exp.Expr) -> exp.Expr:
    return exp.not_(_is_null(node))
