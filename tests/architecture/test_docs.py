"""Every error code has its page, every page its error, and every page keeps to one form."""

from __future__ import annotations

import ast
import re

from tests.architecture.source import ROOT, Module, modules

PAGES = ROOT / "docs" / "errors"
CODE = re.compile(r"MP-\d{4}\Z")
FAMILIES = {
    "ProjectError": "1",
    "ModelError": "2",
    "CatalogError": "3",
    "ConflictError": "3",
    "EngineError": "4",
    "IngestError": "5",
    "QualityError": "6",
    "RunError": "7",
    "RequestError": "7",
    "AccessError": "8",
    "HostError": "9",
}


def codes_in(module: Module) -> set[str]:
    """Every error code that a module's code (not its prose) names."""
    return {
        node.value
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.match(node.value)
    }


def codes() -> set[str]:
    """Every error code that the package can raise."""
    return {code for module in modules() for code in codes_in(module)}


def test_every_code_has_a_page() -> None:
    """Who meets an error finds why it happened and what to do."""
    assert sorted(codes() - {page.stem for page in PAGES.glob("*.md")}) == []


def test_every_page_has_a_code() -> None:
    """A page for what is never raised leads astray."""
    assert sorted({page.stem for page in PAGES.glob("MP-*.md")} - codes()) == []


def test_pages_keep_to_one_form() -> None:
    """Each page has the code and a short title on top, and 8 to 20 lines in all."""
    odd = []
    for page in sorted(PAGES.glob("*.md")):
        lines = page.read_text(encoding="utf-8").rstrip("\n").split("\n")
        if not (CODE.match(page.stem) and re.match(rf"# {page.stem}: \S", lines[0]) and 8 <= len(lines) <= 20):
            odd.append(f"{page.name}: {len(lines)} lines, {lines[0]!r}")
    assert odd == []


def test_a_code_belongs_to_its_family() -> None:
    """The first digit says which kind of error it is."""
    wrong = []
    for module in modules():
        for node in ast.walk(module.tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAMILIES):
                continue
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and not str(first.value).startswith(f"MP-{FAMILIES[node.func.id]}"):
                wrong.append(f"{module.relative}:{node.lineno} {node.func.id} {first.value}")
    assert wrong == []


def test_links_in_the_docs_lead_somewhere() -> None:
    """A relative link names a file that exists."""
    dead = []
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target}")
    assert dead == []
