"""Small enough to be read at one sitting: modules, functions, classes; all of it typed and described."""

from __future__ import annotations

import ast

from tests.architecture.source import Function, modules

MODULE_LINES = 500
FUNCTION_LINES = 60
PUBLIC_METHODS = 20


def test_modules_are_short() -> None:
    """A module that grows over its budget is split by noun."""
    over = {m.relative: m.text.count("\n") for m in modules() if m.text.count("\n") > MODULE_LINES}
    assert over == {}


def test_functions_are_short() -> None:
    """A function fits on a page."""
    over = [
        f"{module.relative}:{function.lineno} {function.name}: {_lines(function)} lines"
        for module in modules()
        for function in module.functions()
        if _lines(function) > FUNCTION_LINES
    ]
    assert over == []


def test_classes_have_few_public_methods() -> None:
    """A class is one thing; verbs that only use it live elsewhere."""
    over = [
        f"{module.relative}:{class_.lineno} {class_.name}"
        for module in modules()
        for class_ in module.classes()
        if sum(isinstance(m, Function) and not m.name.startswith("_") for m in class_.body) > PUBLIC_METHODS
    ]
    assert over == []


def test_every_function_is_typed() -> None:
    """Every parameter and every result has its type written down."""
    untyped = []
    for module in modules():
        methods = {id(item) for class_ in module.classes() for item in class_.body}
        for function in module.functions():
            spec = function.args
            parameters = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, *filter(None, (spec.vararg, spec.kwarg))]
            static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)
            if id(function) in methods and not static:
                parameters = parameters[1:]
            if function.returns is None or any(parameter.annotation is None for parameter in parameters):
                untyped.append(f"{module.relative}:{function.lineno} {function.name}")
    assert untyped == []


def test_everything_public_is_described() -> None:
    """Each module, public class and public function says what it means."""
    silent = [m.relative for m in modules() if not ast.get_docstring(m.tree)]
    for module in modules():
        for node in _public(module.tree):
            if not ast.get_docstring(node):
                silent.append(f"{module.relative}:{node.lineno} {node.name}")
    assert silent == []


def _public(parent: ast.Module | ast.ClassDef) -> list[Function | ast.ClassDef]:
    found: list[Function | ast.ClassDef] = []
    for node in parent.body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            found.append(node)
            if isinstance(node, ast.ClassDef):
                found.extend(_public(node))
    return found


def _lines(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
