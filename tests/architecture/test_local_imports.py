"""Imports stand at the top of a file; what must load late goes through `core.plugins`."""

from __future__ import annotations

import ast

from tests.architecture.source import modules


def test_no_function_imports() -> None:
    """An import inside a function hides a dependency."""
    local = [f"{m.relative}:{i.line} {i.target}" for m in modules() for i in m.imports() if i.inside_function]
    assert local == []


def test_only_the_registry_imports_by_name() -> None:
    """`importlib` and `__import__` are used by the one late loader alone."""
    strays = [
        f"{module.relative}:{imported.line}"
        for module in modules()
        for imported in module.imports()
        if imported.target.startswith("importlib.import_module") or imported.target == "importlib"
        if module.relative != "core/plugins.py"
    ]
    strays += [
        f"{module.relative}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Name) and node.id == "__import__"
    ]
    assert strays == []


DEFINING = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def test_nothing_happens_at_import() -> None:
    """A module's body defines, and at most puts together what it defined."""
    acting = []
    for module in modules():
        made = {name.id for node in module.tree.body if isinstance(node, ast.Assign) for name in _names(node)}
        for node in module.tree.body:
            if isinstance(node, DEFINING) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                continue
            if isinstance(node, ast.If) and any(word in ast.dump(node.test) for word in ("TYPE_CHECKING", "__main__")):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                called = node.value.func
                if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id in made:
                    continue
            acting.append(f"{module.relative}:{node.lineno}")
    assert acting == []


def _names(node: ast.Assign) -> list[ast.Name]:
    return [target for target in node.targets if isinstance(target, ast.Name)]
