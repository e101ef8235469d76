"""Calls of macros give way to what the macros say, in the text itself: whatever is read afterwards is plain SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from millpond.core.errors import Finding, Location, ModelError, ProjectError
from millpond.core.names import closest, quote
from millpond.core.records import frozen
from millpond.sql.dialect import Verbatim
from millpond.sql.keys import KEY_OF_TEXTS, SURROGATE_KEY, TEXT_OF_VALUE
from millpond.sql.parse import Query, parse_written
from millpond.sql.written import Piece, Written

LARGEST = 256 * 1024
"""Characters that a macro may become: calls in calls double what they put in."""

_OPEN = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE)
_CLOSE = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE)
_NAMED = (TokenType.COLON_EQ, TokenType.FARROW)
_PLAIN = (TokenType.VAR, TokenType.IDENTIFIER, TokenType.DOT, TokenType.NUMBER, TokenType.STRING)


@frozen
class Hole:
    """A place of a macro's body that takes an argument."""

    index: int


Part = Piece | Hole


@frozen
class Parameter:
    """What a call may give; with a default, it need not."""

    name: str
    default: tuple[Piece, ...] | None = None


@frozen
class Macro:
    """A name for an expression, or with `table` for a query, over parameters."""

    name: str
    parameters: tuple[Parameter, ...]
    table: bool
    body: tuple[Part, ...]
    each: tuple[Part, ...] = ()
    """For a macro of any number of values: what becomes of each. All of them, with commas, are what the body takes."""


BUILT_IN: Mapping[str, Macro] = {
    SURROGATE_KEY: Macro(
        SURROGATE_KEY,
        (Parameter("value"),),
        table=False,
        body=(Piece(KEY_OF_TEXTS[0]), Hole(0), Piece(KEY_OF_TEXTS[1])),
        each=(Piece(TEXT_OF_VALUE[0]), Hole(0), Piece(TEXT_OF_VALUE[1])),
    )
}
"""Functions of ours, which are there in every project and become what the engine has."""


@frozen
class Library:
    """The macros of a project by name, and what is wrong with those that cannot be used."""

    macros: Mapping[str, Macro] = field(default_factory=dict)
    broken: Mapping[str, Finding] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def known(self) -> Mapping[str, Macro]:
        """The project's macros, and the built-in ones."""
        return {**BUILT_IN, **self.macros}

    def mentioned(self, sql: str) -> bool:
        """Whether a text has a word that is the name of a macro."""
        words = {word.lower() for word in re.findall(r"\w+", sql)}
        return not words.isdisjoint(self.known.keys() | self.broken.keys())


NO_MACROS = Library()


@frozen
class _Argument:
    """What a call gives: `begin` is where that is said, the name included, `start` to `end` the value."""

    name: str | None
    begin: int
    start: int
    end: int
    plain: bool


@frozen
class _Call:
    macro: Macro
    start: int
    end: int
    where: Location
    arguments: tuple[_Argument, ...]
    node: exp.Anonymous


@frozen
class Edit:
    """A part of a body that something else takes the place of."""

    start: int
    end: int
    part: Part


def expand(written: Written, path: Path, library: Library, *, named: bool = False) -> Written:
    """The text with every call of a macro replaced by the macro's body. With `named`, a column that is one call is
    called what was written.

    Raises ModelError MP-20xx for a text that is no query, ProjectError MP-1309 for a call that does not fit its macro,
    MP-1310 where it becomes too long, and what is wrong with the macro itself.
    """
    if not library.mentioned(written.sql):
        return written
    query = parse_written(written, path)
    parts = expanded(written, query, library, named=named)
    return Written(tuple(part for part in parts if isinstance(part, Piece)))


def expand_text(text: str, where: Location, library: Library, *, query: bool) -> str:
    """A query, or an expression, that stands in YAML, without calls of macros; as it is where it cannot be read."""
    if not library.mentioned(text):
        return text
    return within(text, where, lambda written: expand(written, where.path, library), query=query)


def within(text: str, where: Location, change: Callable[[Written], Written], *, query: bool) -> str:
    """A query, or an expression, that stands in YAML, changed as a text; as it is where it cannot be read."""
    head = () if query else (Piece("SELECT ", at=where),)
    written = Written((*head, Piece(text, at=where)))
    try:
        told = change(written).sql
    except ModelError:
        return text
    return told if query else told.removeprefix("SELECT ")


def expanded(
    written: Written, query: Query, library: Library, edits: Iterable[Edit] = (), *, named: bool = False
) -> tuple[Part, ...]:
    """The text's parts, with calls of macros and `edits` replaced."""
    return _Expanding(written, query, library, tuple(edits), named).between(0, len(written.sql))


class _Expanding:
    """One text on its way."""

    def __init__(self, written: Written, query: Query, library: Library, edits: Sequence[Edit], named: bool) -> None:
        self._written = written
        self._named = named
        self._tokens = Verbatim().tokenize(written.sql)
        self._holes = {edit.start for edit in edits if isinstance(edit.part, Hole)}
        calls = self._calls(query, library)
        self._events: list[_Call | Edit] = sorted([*calls, *edits], key=lambda event: event.start)

    def between(self, start: int, end: int) -> tuple[Part, ...]:
        """The parts of a part of the text."""
        found: list[Part] = []
        at = start
        for event in self._events:
            if at <= event.start < end:
                found += self._written.cut(at, event.start) if at < event.start else ()
                found += self._put(event) if isinstance(event, _Call) else (event.part,)
                at = event.end
        found += self._written.cut(at, end) if at < end else ()
        return tuple(found)

    def _calls(self, query: Query, library: Library) -> list[_Call]:
        places = {token.start: index for index, token in enumerate(self._tokens)}
        found: dict[int, _Call] = {}
        known = library.known
        for node in query.tree.find_all(exp.Anonymous):
            name = str(node.name).lower()
            start = node.meta.get("start")
            if start not in places or (name not in known and name not in library.broken):
                continue
            token = self._tokens[places[start]]
            where = self._written.place(start, token.end + 1 - start)
            if name in library.broken:
                raise told(library.broken[name])
            end, arguments = self._arguments(places[start] + 1)
            call = _Call(known[name], start, end, where, arguments, node)
            self._check(call)
            found[start] = call
        return list(found.values())

    def _arguments(self, index: int) -> tuple[int, tuple[_Argument, ...]]:
        """The arguments of a call whose bracket opens at a token, and where it ends."""
        depth, begun, groups = 0, index + 1, []
        for at in range(index, len(self._tokens)):
            kind = self._tokens[at].token_type
            depth += (kind in _OPEN) - (kind in _CLOSE)
            if (kind is TokenType.COMMA and depth == 1) or depth == 0:
                groups.append(self._tokens[begun:at])
                begun = at + 1
            if depth == 0:
                break
        return self._tokens[at].end + 1, tuple(_argument(group) for group in groups if group)

    def _check(self, call: _Call) -> None:
        """Refuse a call that stands where its macro cannot."""
        parent = call.node.parent
        name = call.macro.name
        if isinstance(parent, exp.Dot):
            raise _unfit(call.where, f"{name} is a macro, which follows no dot", f"write {name}(...)")
        if call.macro.table and not isinstance(parent, exp.Table):
            raise _unfit(call.where, f"{name} is a macro that gives a table", f"write FROM {name}(...)")
        if isinstance(parent, exp.Table) and not call.macro.table:
            raise _unfit(call.where, f"{name} is a macro that gives a value, not a table", "use it in an expression")
        for column in call.node.find_all(exp.Column) if call.macro.table else ():
            start = column.parts[0].meta.get("start")
            if start not in self._holes:
                told_of = f"an argument of {name}, which gives a table, is a column of another"
                raise _unfit(self._place(start, call), told_of, "give it a value, and join the tables")

    def _place(self, start: int | None, call: _Call) -> Location:
        return self._written.place(start) if start is not None else call.where

    def _put(self, call: _Call) -> list[Part]:
        bound = self._bound(call)
        found: list[Part] = [Piece("(", at=call.where)]
        for part in call.macro.body:
            found += bound[part.index] if isinstance(part, Hole) else (_called(part, call),)
        found.append(Piece(")" + self._name(call), at=call.where))
        size = sum(len(part.text) for part in found if isinstance(part, Piece))
        if size > LARGEST or len(found) > LARGEST // 32:
            raise ProjectError(
                "MP-1310",
                f"{call.macro.name} becomes more than {LARGEST // 1024} thousand characters here",
                next_step="name inner results by WITH, or make a model of them",
                where=call.where,
            )
        return found

    def _name(self, call: _Call) -> str:
        """What a call is followed by, so that the table or column has the name that the author sees."""
        parent = call.node.parent
        if call.macro.table and parent is not None and not parent.args.get("alias"):
            return f" AS {quote(call.macro.name)}"
        if self._named and isinstance(parent, exp.Select) and call.node.arg_key == "expressions":
            return f" AS {quote(self._written.sql[call.start : call.end])}"
        return ""

    def _bound(self, call: _Call) -> list[tuple[Part, ...]]:
        """What each parameter of a macro stands for in a call."""
        if call.macro.each:
            return [self._each(call)]
        macro, given = call.macro, {}
        known = {parameter.name: index for index, parameter in enumerate(macro.parameters)}
        for position, argument in enumerate(call.arguments):
            where = self._written.place(argument.begin, argument.end - argument.begin)
            index = position if argument.name is None else known.get(argument.name)
            if index is None:
                said = f"{macro.name} has no argument {argument.name}"
                raise _unfit(where, said, _form(macro), closest(str(argument.name), known))
            if index >= len(known) or index in given:
                raise _unfit(where, f"this argument is one too many for {macro.name}", _form(macro))
            given[index] = self._argument(argument, where)
        for index, parameter in enumerate(macro.parameters):
            if index not in given and parameter.default is None:
                raise _unfit(call.where, f"{macro.name} needs the argument {parameter.name}", _form(macro))
            if index not in given and parameter.default is not None:
                given[index] = tuple(replace(piece, via=call.where) for piece in parameter.default)
        return [given[index] for index in range(len(known))]

    def _each(self, call: _Call) -> tuple[Part, ...]:
        """What a macro of any number of values makes of those that a call gives."""
        if not call.arguments:
            raise _unfit(call.where, f"{call.macro.name} needs a value", _form(call.macro))
        found: list[Part] = []
        for argument in call.arguments:
            where = self._written.place(argument.begin, argument.end - argument.begin)
            if argument.name is not None:
                raise _unfit(where, f"{call.macro.name} has no argument {argument.name}", _form(call.macro))
            value = self._argument(argument, where)
            found += (Piece(", ", at=call.where),) if found else ()
            for part in call.macro.each:
                found += value if isinstance(part, Hole) else (_called(part, call),)
        return tuple(found)

    def _argument(self, argument: _Argument, where: Location) -> tuple[Part, ...]:
        inner = [token for token in self._tokens if argument.start <= token.start < argument.end]
        if any(token.token_type is TokenType.PLACEHOLDER for token in inner):
            raise _unfit(where, "a macro may put ? in several places", "write $1, $2 ... for values given beside")
        parts = self.between(argument.start, argument.end)
        return parts if argument.plain else (Piece("(", at=where), *parts, Piece(")", at=where))


def _called(piece: Piece, call: _Call) -> Piece:
    """A piece of a macro where it is called; one that no file has is the call's own."""
    return replace(piece, at=call.where) if piece.file is None and piece.at is None else replace(piece, via=call.where)


def _argument(tokens: Sequence[Token]) -> _Argument:
    name, begin = None, tokens[0].start
    if len(tokens) > 2 and tokens[1].token_type in _NAMED:
        name, tokens = tokens[0].text.lower(), tokens[2:]
    plain = all(token.token_type in _PLAIN for token in tokens)
    return _Argument(name, begin, tokens[0].start, tokens[-1].end + 1, plain)


def _form(macro: Macro) -> str:
    if macro.each:
        return f"call it as {macro.name}(a, b)"
    names = [f"{part.name} := ..." if part.default is not None else part.name for part in macro.parameters]
    return f"call it as {macro.name}({', '.join(names)})"


def _unfit(where: Location, message: str, step: str, suggestion: str | None = None) -> ProjectError:
    return ProjectError("MP-1309", message, next_step=step, where=where, suggestion=suggestion)


def told(finding: Finding) -> ProjectError:
    """A finding as an error."""
    return ProjectError(
        finding.code, finding.message, next_step=finding.next_step, where=finding.where, suggestion=finding.suggestion
    )
