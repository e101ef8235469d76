"""The files under `macros/`: `CREATE MACRO name(parameters) AS expression;`, read into what calls are replaced by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from millpond.core.errors import Finding, Location, MillpondError, ModelError, ProjectError, in_order
from millpond.core.names import closest, is_plain, quote
from millpond.core.records import frozen
from millpond.project.sql_file import SqlFile
from millpond.sql.dialect import Verbatim
from millpond.sql.expansion import BUILT_IN, Edit, Hole, Library, Macro, Parameter, expanded
from millpond.sql.parse import Query, parse, parse_written
from millpond.sql.written import Piece, Written

_FORM = "write: CREATE MACRO name(arguments) AS expression;"
_SELECT = "SELECT "

SYNTAX = frozenset(
    ["coalesce", "columns", "date", "exists", "grouping", "grouping_id", "ifnull", "interval", "try", "unpack"]
)
"""Functions that the engine has no entry for: it reads them itself."""


@frozen
class _Declared:
    """One CREATE MACRO, its body not read yet."""

    file: SqlFile
    name: str
    where: Location
    parameters: tuple[Parameter, ...]
    table: bool
    start: int
    end: int


def read_macros(files: Sequence[SqlFile], taken: Collection[str]) -> Library:
    """Read every macro. `taken` are the names of the engine's own functions, which no macro may hide.

    What is wrong is among the findings: MP-1304 another statement, MP-1305 a name twice, MP-1306 a name that is taken,
    MP-1307 a circle, MP-1308 a name that is no argument, MP-2001 no SQL, and MP-1309 for calls among macros.
    """
    reading = _Reading()
    for file in files:
        for statement in _statements(file, reading.findings):
            try:
                declared = _declared(file, statement)
            except ProjectError as wrong:
                reading.findings.append(wrong.finding)
            else:
                reading.declare(declared, taken)
    for name in tuple(reading.declared):
        reading.macro(name)
    return Library(reading.macros, reading.broken, in_order((*reading.findings, *reading.broken.values())))


class _Reading:
    """The macros of all files, each read after those that it calls."""

    def __init__(self) -> None:
        self.declared: dict[str, _Declared] = {}
        self.macros: dict[str, Macro] = {}
        self.broken: dict[str, Finding] = {}
        self.findings: list[Finding] = []
        self._path: list[str] = []

    def declare(self, declared: _Declared, taken: Collection[str]) -> None:
        """Take a macro in under its name, if that is free."""
        name, first = declared.name, self.declared.get(declared.name)
        if name in taken or name in SYNTAX or name in BUILT_IN or not _callable(name):
            whose = "of Millpond" if name in BUILT_IN else "of the engine"
            said = f"{name} is a function {whose}, which a macro must not hide"
            self.broken[name] = Finding("MP-1306", said, "give the macro another name", declared.where)
        elif first is not None:
            said = f"the macro {name} is made twice, first at {first.where.path.name}:{first.where.line}"
            self.findings.append(Finding("MP-1305", said, "rename or remove one of the two", declared.where))
        else:
            self.declared[name] = declared

    def macro(self, name: str) -> None:
        """Read a macro's body, and first those of the macros that it calls."""
        if name in self.macros or name in self.broken:
            return
        self._path.append(name)
        try:
            self.macros[name] = self._read(self.declared[name])
        except MillpondError as wrong:
            self.broken[name] = wrong.finding
        finally:
            self._path.pop()

    def _read(self, declared: _Declared) -> Macro:
        head = () if declared.table else (Piece(_SELECT, at=declared.where),)
        body = Piece(declared.file.sql, declared.file).cut(declared.start, declared.end)
        written = Written((*head, body))
        query = parse_written(written, declared.file.path)
        if not declared.table:
            _check_expression(query, declared)
        for node in query.tree.find_all(exp.Anonymous):
            called = str(node.name).lower()
            if called in self._path:
                raise self._circle(called, query.place(node))
            if called in self.declared:
                self.macro(called)
        library = Library(self.macros, self.broken)
        parts = expanded(written, query, library, (*_holes(query, declared), *_renamed(query, declared)))
        return Macro(declared.name, declared.parameters, declared.table, parts[len(head) :])

    def _circle(self, called: str, where: Location) -> ProjectError:
        circle = [*self._path[self._path.index(called) :], called]
        return ProjectError(
            "MP-1307",
            f"macros call each other in a circle: {' -> '.join(circle)}",
            next_step="take one of these calls out",
            where=where,
        )


def _callable(name: str) -> bool:
    """Whether a call of the name is read as one, and not as a syntax of its own."""
    try:
        tree = parse(f"SELECT {name}(1)", Path()).tree
    except ModelError:
        return False
    return [type(item) for item in tree.selects] == [exp.Anonymous]


def _statements(file: SqlFile, findings: list[Finding]) -> Iterator[Sequence[Token]]:
    try:
        tokens = Verbatim().tokenize(file.sql)
    except SqlglotError:
        try:
            parse_written(Written.of(file), file.path)
        except MillpondError as wrong:
            findings.append(wrong.finding)
        return
    statement: list[Token] = []
    for token in tokens:
        if token.token_type is not TokenType.SEMICOLON:
            statement.append(token)
        elif statement:
            yield statement
            statement = []
    if statement:
        yield statement


class _Tokens:
    """A statement's tokens, taken from the front."""

    def __init__(self, file: SqlFile, tokens: Sequence[Token]) -> None:
        self.file = file
        self.tokens = list(tokens)

    def peek(self, kind: TokenType) -> bool:
        """Whether such a token comes next."""
        return bool(self.tokens) and self.tokens[0].token_type is kind

    def take(self, *kinds: TokenType, what: str) -> Token:
        """The next token, which must be one of these kinds; of any, where none is given."""
        if not self.tokens or (kinds and self.tokens[0].token_type not in kinds):
            raise self.refused(f"{what} is expected here")
        self.last = self.tokens.pop(0)
        return self.last

    def refused(self, message: str, token: Token | None = None) -> ProjectError:
        """The error of a statement that goes on otherwise than it may."""
        at = token or (self.tokens[0] if self.tokens else self.last)
        return ProjectError("MP-1304", message, next_step=_FORM, where=self.place(at))

    def place(self, token: Token) -> Location:
        """Where a token stands."""
        return Written.of(self.file).place(token.start, token.end + 1 - token.start)


def _declared(file: SqlFile, statement: Sequence[Token]) -> _Declared:
    tokens = _Tokens(file, statement)
    tokens.take(TokenType.CREATE, what="CREATE MACRO")
    if tokens.peek(TokenType.OR):
        tokens.take(what="OR")
        tokens.take(TokenType.REPLACE, what="REPLACE")
    tokens.take(TokenType.FUNCTION, what="MACRO")
    named = tokens.take(what="the macro's name")
    name = _name(tokens, named, "macro")
    tokens.take(TokenType.L_PAREN, what="( and the macro's arguments")
    parameters = tuple(_parameters(tokens))
    tokens.take(TokenType.ALIAS, what="AS")
    table = tokens.peek(TokenType.TABLE)
    if table:
        tokens.take(what="TABLE")
    if not tokens.tokens:
        raise tokens.refused("the macro says nothing")
    start, end = tokens.tokens[0].start, tokens.tokens[-1].end + 1
    return _Declared(file, name, tokens.place(named), parameters, table, start, end)


def _name(tokens: _Tokens, token: Token, what: str) -> str:
    name = token.text.lower()
    if not is_plain(name):
        raise tokens.refused(f"{token.text!r} is no name of {what}s: letters, digits, underscores", token)
    return name


def _parameters(tokens: _Tokens) -> Iterator[Parameter]:
    names: list[str] = []
    while not tokens.peek(TokenType.R_PAREN):
        if names:
            tokens.take(TokenType.COMMA, what=", or )")
        token = tokens.take(what="an argument's name")
        name = _name(tokens, token, "argument")
        if name in names:
            raise tokens.refused(f"the argument {name} is there twice", token)
        names.append(name)
        yield Parameter(name, _default(tokens) if tokens.peek(TokenType.COLON_EQ) else None)
    tokens.take(TokenType.R_PAREN, what=")")


def _default(tokens: _Tokens) -> tuple[Piece, ...]:
    """The value that an argument has where a call gives none."""
    tokens.take(what=":=")
    value: list[Token] = []
    depth = 0
    while tokens.tokens and (depth or not (tokens.peek(TokenType.COMMA) or tokens.peek(TokenType.R_PAREN))):
        depth += (tokens.peek(TokenType.L_PAREN) or tokens.peek(TokenType.L_BRACKET)) - (
            tokens.peek(TokenType.R_PAREN) or tokens.peek(TokenType.R_BRACKET)
        )
        value.append(tokens.take(what="a value"))
    if not value:
        raise tokens.refused("a value is expected here")
    text = Piece(tokens.file.sql, tokens.file).cut(value[0].start, value[-1].end + 1)
    where = tokens.place(value[0])
    query = parse_written(Written((Piece(_SELECT, at=where), text)), tokens.file.path)
    if query.tree.find(exp.Column, exp.Star, exp.Table):
        raise tokens.refused("the value of an argument that is not given is no constant", value[0])
    return (text,) if len(value) == 1 else (Piece("(", at=where), text, Piece(")", at=where))


def _check_expression(query: Query, declared: _Declared) -> None:
    """Refuse what is not one expression over the arguments."""
    tree = query.tree
    clauses = [name for name, value in tree.args.items() if value and name != "expressions"]
    (item, *more) = tree.expressions if isinstance(tree, exp.Select) else (tree,)
    inner = next(iter(item.find_all(exp.Query, exp.Table)), None)
    if more or clauses or isinstance(item, (exp.Alias, exp.Star)) or inner is not None:
        raise ProjectError(
            "MP-1308",
            f"the macro {declared.name} is more than one expression over its arguments",
            next_step="write CREATE MACRO name(arguments) AS TABLE SELECT ... for a query, and read it in FROM",
            where=declared.where,
        )
    names = [parameter.name for parameter in declared.parameters]
    for column in item.find_all(exp.Column):
        first = column.parts[0]
        if first.name.lower() not in names:
            raise ProjectError(
                "MP-1308",
                f"{first.name} is no argument of the macro {declared.name}",
                next_step="add it to the arguments, so that every call says what it means",
                where=query.place(first),
                suggestion=closest(first.name, names),
            )


def _holes(query: Query, declared: _Declared) -> Iterator[Edit]:
    """Where the body names its arguments. In a query, a name with a table before it is a column."""
    names = {parameter.name: index for index, parameter in enumerate(declared.parameters)}
    for column in query.tree.find_all(exp.Column):
        first = column.parts[0]
        index = names.get(first.name.lower())
        if index is not None and (len(column.parts) == 1 or not declared.table):
            yield Edit(first.meta["start"], first.meta["end"] + 1, Hole(index))


def _renamed(query: Query, declared: _Declared) -> Iterator[Edit]:
    """The names of lambdas' own arguments, changed so that what a call gives is never taken for them."""
    found: dict[int, Edit] = {}
    for function in query.tree.find_all(exp.Lambda):
        names = {name.name for name in function.expressions}
        for node in function.find_all(exp.Identifier):
            if node.name in names and _means_itself(node):
                start, end = node.meta["start"], node.meta["end"] + 1
                text = quote(f"{node.name}_of_{declared.name}")
                found[start] = Edit(start, end, Piece(text, at=query.located(start, end - start)))
    yield from found.values()


def _means_itself(node: exp.Identifier) -> bool:
    """Whether an identifier is a name of its own, and no field, key or alias."""
    if isinstance(node.parent, exp.Dot):
        return node.arg_key == "this"
    if isinstance(node.parent, exp.PropertyEQ):
        return node.arg_key == "expression"
    return not isinstance(node.parent, (exp.Column, exp.Alias, exp.TableAlias))
