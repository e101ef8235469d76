"""The package's own source as values, for the tests that hold its architecture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "millpond"

FLOORS = (
    "core",
    "project",
    "sql",
    "catalog",
    "tables",
    "engines",
    "governance",
    "ingest",
    "quality",
    "pipeline",
    "cli",
)
"""The floors from the ground up; a floor imports itself and what stands before it."""

ROOF = ("millpond", "millpond.lakehouse", "millpond.testing", "millpond.__main__")
"""Modules that stand above every floor but `cli`: they wire, and floors below never import them."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One import statement's target: the dotted name, where it stands, and how."""

    target: str
    line: int
    typing_only: bool
    inside_function: bool


@dataclass(frozen=True)
class Module:
    """One Python file of the package."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def relative(self) -> str:
        """The path from the package's folder, with forward slashes."""
        return self.path.relative_to(PACKAGE).as_posix()

    @property
    def floor(self) -> str | None:
        """The floor that the module stands on; None for the roof."""
        first = self.path.relative_to(PACKAGE).parts[0]
        return first if (PACKAGE / first).is_dir() else None

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def classes(self) -> Iterator[ast.ClassDef]:
        """Every class, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))

    def imports(self) -> Iterator[Import]:
        """Every name that is imported, as an absolute dotted name."""
        guarded = {id(node) for block in _typing_blocks(self.tree) for node in ast.walk(block)}
        nested = {id(node) for function in self.functions() for node in ast.walk(function)}
        for node in ast.walk(self.tree):
            for target in _targets(node, self):
                yield Import(target, node.lineno, id(node) in guarded, id(node) in nested)  # type: ignore[attr-defined]


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package; project templates are data, not modules."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] == "templates":
            continue
        text = path.read_text(encoding="utf-8")
        dotted = ".".join(("millpond", *relative.with_suffix("").parts)).removesuffix(".__init__")
        found.append(Module(dotted, path, text, ast.parse(text, filename=str(path))))
    return tuple(found)


@cache
def module_names() -> frozenset[str]:
    """The dotted names of all modules."""
    return frozenset(module.name for module in modules())


def owner(target: str) -> str | None:
    """The module of ours that an imported dotted name belongs to, or None."""
    parts = target.split(".")
    for length in range(len(parts), 0, -1):
        candidate = ".".join(parts[:length])
        if candidate in module_names():
            return candidate
    return None


def _typing_blocks(tree: ast.Module) -> Iterator[ast.If]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            yield node


def _targets(node: ast.AST, module: Module) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            package = module.name.split(".")
            if module.path.name != "__init__.py":
                package = package[:-1]
            anchor = package[: len(package) - node.level + 1]
            base = ".".join((*anchor, base)).rstrip(".")
        yield from (f"{base}.{alias.name}" for alias in node.names)
