"""The few commands that a contributor types."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_alone_lists_the_targets() -> None:
    """Whoever types `make` sees what there is to do, and nothing happens."""
    listed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = [line.split()[1] for line in listed.stdout.splitlines()]
    assert targets == ["demo", "test", "test-long", "test-services", "bench", "lint", "docs", "clean"]


def test_every_benchmark_is_run_by_make_bench() -> None:
    """A goal that is not measured by the one command is forgotten."""
    line = next(line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "for file in" in line)
    named = set(line.split("for file in ")[1].split(";")[0].split())
    runnable = {path.stem for path in (ROOT / "bench").glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert named == runnable - {"valleybike_raw"}


@pytest.mark.parametrize("script", ["scripts/demo", "scripts/find-python", ".ci/run"])
def test_scripts_can_be_run_as_they_are(script: str) -> None:
    """They are executable, and their shell finds no fault in them."""
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = "bash" if "bash" in path.read_text(encoding="utf-8").split("\n", 1)[0] else "sh"
    subprocess.run([shell, "-n", path], check=True)
