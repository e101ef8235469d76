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
from sqlglot.tokenizer_core import Token

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
