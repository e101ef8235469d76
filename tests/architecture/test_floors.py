"""Imports only go down, and never in a circle."""

from __future__ import annotations

from tests.architecture.source import FLOORS, PACKAGE, ROOF, module_names, modules, owner


def test_every_folder_is_a_floor() -> None:
    """A folder of code that is no floor has no place in the house."""
    folders = {path.parent.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*/*.py")} - {"templates"}
    assert folders <= set(FLOORS)


def test_modules_outside_the_floors_only_wire() -> None:
    """Beside the floors stand the package itself, the wiring and the test kit."""
    assert {module.name for module in modules() if module.floor is None} <= set(ROOF)


def test_imports_go_down() -> None:
    """A module imports its own floor and those below it."""
    climbing = []
    for module in modules():
        if module.floor is None:
            continue
        below = set(FLOORS[: FLOORS.index(module.floor) + 1])
        for imported in module.imports():
            target = owner(imported.target)
            if target is None:
                continue
            if target in ROOF:
                if module.floor != "cli" and target != "millpond":
                    climbing.append(f"{module.relative}:{imported.line} imports {target}")
            elif target.split(".")[1] not in below:
                climbing.append(f"{module.relative}:{imported.line} imports {target}")
    assert climbing == []


def test_a_kind_of_source_is_known_only_by_its_protocol() -> None:
    """Steps look and land through `SourceReader`, so that another kind of source is a folder more and nothing else."""
    known = [
        f"{module.relative}:{imported.line} {imported.target}"
        for module in modules()
        if module.floor != "ingest"
        for imported in module.imports()
        if imported.target.startswith("millpond.ingest.files")
    ]
    assert known == []


def test_the_ground_floor_imports_nothing_of_ours() -> None:
    """`core` stands on the standard library alone."""
    outside = [
        f"{module.relative}:{imported.line} {imported.target}"
        for module in modules()
        if module.floor == "core"
        for imported in module.imports()
        if imported.target.startswith("millpond.") and not imported.target.startswith("millpond.core.")
    ]
    assert outside == []


def test_the_wiring_is_short_and_has_no_logic() -> None:
    """`lakehouse.py` only puts the parts together: at most 200 lines."""
    path = PACKAGE / "lakehouse.py"
    assert not path.exists() or path.read_text(encoding="utf-8").count("\n") <= 200


def test_no_import_goes_round() -> None:
    """The modules' imports form no cycle, however long."""
    edges: dict[str, set[str]] = {name: set() for name in module_names()}
    for module in modules():
        for imported in module.imports():
            target = owner(imported.target)
            if target not in (None, module.name) and not imported.typing_only:
                edges[module.name].add(target)  # type: ignore[arg-type]
    # Leaves fall away until only what hangs together in circles is left.
    while leaves := {name for name, targets in edges.items() if not targets}:
        edges = {name: targets - leaves for name, targets in edges.items() if name not in leaves}
    assert edges == {}, "modules in or above a cycle"
