"""Files and errors are named by what they are."""

from __future__ import annotations

import ast
import re

from tests.architecture.source import PACKAGE, modules

DRAWERS = {"util", "utils", "helper", "helpers", "common", "base", "manager", "managers", "misc", "shared", "stuff"}
HISTORY = re.compile(r"(^|_)(new|old|legacy|v\d+|impl|part\d+|fluent)($|_)")


def test_files_are_named_by_nouns() -> None:
    """A drawer collects what nobody placed; a name that speaks of history is wrong a year later."""
    bad = []
    for module in modules():
        parts = module.path.relative_to(PACKAGE).with_suffix("").parts
        if any(part.strip("_") in DRAWERS or HISTORY.search(part) for part in parts):
            bad.append(module.relative)
    assert bad == []


def test_errors_end_in_error() -> None:
    """One suffix for all that is raised, and one tree for all that a user sees."""
    outside = [
        f"{module.relative}:{class_.lineno} {class_.name}"
        for module in modules()
        for class_ in module.classes()
        if any(isinstance(b, ast.Name) and (b.id.endswith(("Error", "Exception"))) for b in class_.bases)
        and not class_.name.endswith("Error")
    ]
    assert outside == []


def test_the_error_tree_stands_in_one_place() -> None:
    """What a user may see, with its code, is defined in `core/errors.py` only."""
    tree = {"MillpondError"}
    for module in modules():
        if module.relative == "core/errors.py":
            tree |= {class_.name for class_ in module.classes() if class_.name.endswith("Error")}
    elsewhere = [
        f"{module.relative}:{class_.lineno} {class_.name}"
        for module in modules()
        if module.relative != "core/errors.py"
        for class_ in module.classes()
        if any(isinstance(b, ast.Name) and b.id in tree for b in class_.bases)
    ]
    assert elsewhere == []
