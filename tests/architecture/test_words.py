"""The tree speaks of what is, in the words of the glossary."""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.source import ROOT

UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
WORKSHOP = re.compile(
    r"(\b(ai|coding|sub)[- ]?agents?\b|\bllm\b|\bissue \d|/work/|\bworking contract\b|\bhelper [a-f]\b)", re.IGNORECASE
)
PROSE = ("src/**/*", "docs/**/*.md", "bench/**/*.py", "scripts/*", "*.md", "Makefile")
WORDS = (
    *("project", "layer", "source", "record", "origin", "model", "table", "catalog", "environment", "commit"),
    *("cursor", "changes", "ledger", "check", "verdict", "quarantine", "plan", "step", "run", "principal", "role"),
    *("grant", "row filter", "mask", "gate", "subject", "feature view"),
)
TEXTS = {".py", ".md", ".sql", ".yaml", ".txt", ".toml", ".sh", ""}


def files(patterns: tuple[str, ...]) -> list[Path]:
    """Every text file that the patterns name."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(path for path in found if path.is_file() and path.suffix in TEXTS)


def hits(pattern: re.Pattern[str], patterns: tuple[str, ...]) -> list[str]:
    """File and line of everything that a pattern finds."""
    found = []
    for path in files(patterns):
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").split("\n"), 1):
            if pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    return found


def test_nothing_is_left_for_later() -> None:
    """No note of unfinished work stands in code, tests or docs."""
    assert hits(UNFINISHED, (*PROSE, "tests/**/*.py")) == []


def test_the_tree_does_not_speak_of_its_making() -> None:
    """What is shipped says nothing of who wrote it, in answer to what, or on which machine."""
    assert hits(WORKSHOP, PROSE) == []


def test_the_glossary_has_the_words_of_the_design() -> None:
    """Every word that the commands and docs use is explained once."""
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert [word for word in WORDS if not re.search(rf"\*\*[^*]*\b{word}\b[^*]*\*\*", glossary)] == []
