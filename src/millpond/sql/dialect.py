"""DuckDB's SQL as Millpond reads and writes it: shapes are understood, functions are left as the author wrote them.

sqlglot knows many functions and writes some of them in another way than they were read. Nothing here depends on
what a function means, so every call is kept as a name and its arguments: what goes in comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ErrorLevel
from sqlglot.generator import Generator
from sqlglot.generators.duckdb import DuckDBGenerator
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

_LAMBDA_TAKERS = {
    "columns": 0,
    **dict.fromkeys(("apply", "array_apply", "array_filter", "array_reduce", "array_transform", "filter"), 1),
    **dict.fromkeys(("list_apply", "list_filter", "list_reduce", "list_transform", "reduce"), 1),
}
"""Functions that take a lambda, with the number of arguments before it; for all others `->` reads JSON."""

_SYNTAX = ("CAST", "EXTRACT", "OVERLAY", "POSITION", "SUBSTRING", "TRIM", "TRY_CAST")


class Verbatim(DuckDB):
    """DuckDB's grammar with no opinion on functions."""

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """A key such as 'a.b' of `->` is one key, not a path."""
        return path

    class Parser(DuckDBParser):
        """Functions with a syntax of their own are read as such, all others as plain calls."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., Any]]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Callable[..., Any]]] = {
            name: parser for name, parser in DuckDBParser.FUNCTION_PARSERS.items() if name in _SYNTAX
        }

        LAMBDAS: ClassVar[dict[TokenType, Callable[..., Any]]] = {
            **DuckDBParser.LAMBDAS,
            TokenType.ARROW: lambda self, names: self._parse_arrow(names),
        }
        _awaited: int | None = None
        """Arguments of the call being read that come before its lambda; None where it takes none."""
        _argument: int = 0
        """Where the argument being read begins."""

        def _parse_function_call(self, *args: Any, **options: Any) -> exp.Expr | None:
            outer = self._awaited
            self._awaited = _LAMBDA_TAKERS.get(self._curr.text.lower()) if self._curr else None
            try:
                return super()._parse_function_call(*args, **options)
            finally:
                self._awaited = outer

        def _parse_lambda(self, alias: bool = False) -> exp.Expr | None:
            self._argument = self._index
            awaited = self._awaited
            found = super()._parse_lambda(alias=alias)
            self._awaited = None if awaited is None else max(0, awaited - 1)
            return found

        def _parse_arrow(self, names: list[exp.Expr]) -> exp.Expr | None:
            """`x -> ...` is a lambda only where the function takes one."""
            if self._awaited == 0:
                read: exp.Expr = DuckDBParser.LAMBDAS[TokenType.ARROW](self, names)
                return read
            self._retreat(self._argument)
            argument = self._parse_order(self._parse_select_or_expression())
            return self._parse_respect_or_ignore_nulls(argument)

        def _parse_as_command(self, start: Token) -> exp.Command:
            """Statements that are only skimmed elsewhere are refused here."""
            self.raise_error("Invalid expression / Unexpected token", start)
            return exp.Command(this=start.text)

    class Generator(DuckDBGenerator):
        """Writes what was read."""

        def withingroup_sql(self, expression: exp.WithinGroup) -> str:
            """DuckDB takes WITHIN GROUP only in the standard's form."""
            return Generator.withingroup_sql(self, expression)

        def ignorenulls_sql(self, expression: exp.IgnoreNulls) -> str:
            """The author knows for which functions IGNORE NULLS means something."""
            return self._inside(expression, "IGNORE NULLS")

        def respectnulls_sql(self, expression: exp.RespectNulls) -> str:
            """Likewise RESPECT NULLS."""
            return self._inside(expression, "RESPECT NULLS")

        def _inside(self, expression: exp.Expr, words: str) -> str:
            """They stand after the last argument, or after the call: as they were read."""
            return f"{self.sql(expression, 'this')} {words}"


def render(tree: exp.Expr) -> str:
    """The tree as DuckDB SQL on one line, without comments.

    Raises sqlglot's UnsupportedError where something could not be written as it was read; `parse` asks once for all.
    """
    return tree.sql(dialect=Verbatim, comments=False, normalize_functions=False, unsupported_level=ErrorLevel.RAISE)
