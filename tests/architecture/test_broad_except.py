"""Broad handlers stand at the edges only: the runner, the server, the command line."""

from __future__ import annotations

import ast

from tests.architecture.source import modules

EDGES = {"pipeline", "catalog", "cli"}
"""One file on each of these floors may catch everything: what goes on, what answers, what prints."""


def broad_handlers() -> list[tuple[str, str, int]]:
    """Floor, file and line of every handler that would keep any error from going on."""
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler):
                continue
            if isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None:
                continue  # tidies up and passes the error on as it is
            caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            names = {name.id if isinstance(name, ast.Name) else None if name is None else "" for name in caught}
            if names & {None, "Exception", "BaseException"}:
                found.append((module.floor or "", module.relative, node.lineno))
    return found


def test_everything_is_caught_at_three_edges_at_most() -> None:
    """Below the edges an error is either understood or passed on."""
    files = {(floor, file) for floor, file, _ in broad_handlers()}
    assert {floor for floor, _ in files} <= EDGES, sorted(files)
    assert len(files) <= len(EDGES), sorted(files)


def test_bare_exceptions_are_never_raised() -> None:
    """What is raised has a class that says what it is."""
    bare = [
        f"{module.relative}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id in {"Exception", "BaseException"}
    ]
    assert bare == []
