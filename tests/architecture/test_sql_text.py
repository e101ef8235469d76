"""SQL text is made in few places, by builders that quote."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatch

from tests.architecture.source import Module, modules

BUILDERS = (
    "sql/*",
    "tables/*",
    "catalog/*",
    "engines/duckdb.py",
    "governance/*",
    "ingest/*",
    "quality/*",
    "pipeline/*",
)
STATEMENT = re.compile(
    r"\s*(SELECT|INSERT\s+INTO|DELETE\s+FROM|UPDATE|CREATE|DROP|ALTER|MERGE\s+INTO|COPY|ATTACH|DETACH|TRUNCATE|WITH|SET)\s",
)


def formatted_statements(module: Module) -> list[ast.JoinedStr]:
    """Every f-string that begins like an SQL statement and has something filled in."""
    found = []
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.JoinedStr) and node.values):
            continue
        first = node.values[0]
        if (
            isinstance(first, ast.Constant)
            and STATEMENT.match(str(first.value))
            and any(isinstance(part, ast.FormattedValue) for part in node.values)
        ):
            found.append(node)
    return found


def test_the_upper_floors_write_no_sql() -> None:
    """The command line, the wiring and the project reader ask for what they want by name."""
    strays = [
        f"{module.relative}:{node.lineno}"
        for module in modules()
        if not any(fnmatch(module.relative, home) for home in BUILDERS)
        for node in formatted_statements(module)
    ]
    assert strays == []


def test_quotes_are_never_put_round_a_value_by_hand() -> None:
    """`'{value}'` and `"{name}"` in a statement break on the first quote inside; `literal` and `quote` do not."""
    by_hand = []
    for module in modules():
        for node in formatted_statements(module):
            for before, part, after in zip(node.values, node.values[1:], node.values[2:], strict=False):
                if not isinstance(part, ast.FormattedValue):
                    continue
                left = str(before.value)[-1:] if isinstance(before, ast.Constant) else ""
                right = str(after.value)[:1] if isinstance(after, ast.Constant) else ""
                if left == right and left in {"'", '"'}:
                    by_hand.append(f"{module.relative}:{node.lineno}")
    assert by_hand == []


def test_statements_are_not_glued_together() -> None:
    """`"SELECT " + name` and `"SELECT %s" % name` are f-strings in disguise."""
    glued = [
        f"{module.relative}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Add | ast.Mod)
        and isinstance(node.left, ast.Constant)
        and isinstance(node.left.value, str)
        and STATEMENT.match(node.left.value)
    ]
    assert glued == []
