"""Each example is a sound project whose own tests pass, with or without its data."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/millpond.yaml"))


def millpond(folder: Path, *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code of a command, and the objects that it prints with --json."""
    command = [str(Path(sys.executable).with_name("millpond")), *words, "--json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_sound_and_its_tests_pass(name: str, tmp_path: Path) -> None:
    """`check` finds no error, and `test` finds that the models do what the example says."""
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".millpond"))
    code, findings = millpond(folder, "check")
    assert code == 0, findings
    assert {finding["code"] for finding in findings} <= {"MP-5002"}, "all that may be missing is data"
    code, outcomes = millpond(folder, "test")
    assert code == 0, outcomes
    assert outcomes, "an example has tests"


@pytest.mark.parametrize("name", NAMES)
def test_it_has_its_page(name: str) -> None:
    """The docs list it, tell what it shows, and lead to it; it says itself how to run it."""
    docs = EXAMPLES.parent / "docs"
    assert f"(examples/{name}.md)" in (docs / "index.md").read_text(encoding="utf-8")
    assert f"(../../examples/{name}/README.md)" in (docs / "examples" / f"{name}.md").read_text(encoding="utf-8")
    assert "millpond run" in (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
