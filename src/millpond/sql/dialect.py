"""DuckDB's SQL as Millpond reads and writes it: shapes are understood, functions are left as the author wrote them.

sqlglot knows many functions and writes some of them in another way than they were read. Nothing here depends on
what a function means, so every call is kept as a name and its arguments: what goes in comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generator import Generator
from sqlglot.generators.duckdb import DuckDBGenerator
from sqlglot.parsers.duckdb import DuckDBParser

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

    class Generator(DuckDBGenerator):
        """Writes what was read."""

        def withingroup_sql(self, expression: exp.WithinGroup) -> str:
            """DuckDB takes WITHIN GROUP only in the standard's form."""
            return Generator.withingroup_sql(self, expression)


def render(tree: exp.Expr) -> str:
    """The tree as DuckDB SQL on one line, without comments."""
    return tree.sql(dialect=Verbatim, comments=False, normalize_functions=False)
