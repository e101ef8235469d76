"""The command line as a user types it, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from millpond.cli.main import app


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    def objects(self) -> list[dict[str, Any]]:
        """The JSON objects that it printed, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Type = Callable[..., Said]


@pytest.fixture
def type_() -> Type:
    """Runs one command: `type_("query", "SELECT 1")`."""
    runner = CliRunner()

    def run(*words: str) -> Said:
        result = runner.invoke(app, list(words))
        return Said(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type) -> Path:
    """A starter project that has run once; the working folder is in it."""
    monkeypatch.chdir(tmp_path)
    assert type_("init", "shop", "-q").code == 0
    monkeypatch.chdir(tmp_path / "shop")
    said = type_("run", "-q")
    assert said.code == 0, said.err
    return tmp_path / "shop"
