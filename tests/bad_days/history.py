"""What clients asked of a lake and what they heard, one JSON line for each transaction.

A table is a list to which numbers are appended, each number once. A transaction appends to such lists and reads them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["ok", "fail", "unknown"]


@dataclass(frozen=True)
class Append:
    """A number put into a list."""

    key: str
    value: int


@dataclass(frozen=True)
class Read:
    """What a list held. A table has no order, so neither has this; a number that came twice is there twice."""

    key: str
    values: tuple[int, ...]


Step = Append | Read


@dataclass(frozen=True)
class Transaction:
    """One try: what was done in it, when it was asked and answered (nanoseconds of one clock), and the answer.

    `fail` was refused and must leave nothing; of `unknown` nobody heard.
    """

    name: str
    outcome: Outcome
    began: int
    ended: int
    steps: tuple[Step, ...]

    @property
    def appends(self) -> tuple[Append, ...]:
        """What it puts into lists."""
        return tuple(step for step in self.steps if isinstance(step, Append))


@dataclass(frozen=True)
class Version:
    """What one commit put into a list. `number` is the commit's, over all lists."""

    number: int
    values: tuple[int, ...]


@dataclass
class Diary:
    """A client's log: that a transaction begins, then what came of it. What is written is there if the client dies."""

    path: Path
    who: str
    count: int = 0
    _steps: list[Step] = field(default_factory=list)
    _began: int = 0

    def begin(self) -> None:
        """Note that a transaction is asked for."""
        self.count += 1
        self._steps = []
        self._began = time.monotonic_ns()

    def append(self, key: str, value: int) -> None:
        """Note what is to be appended, before it is sent."""
        self._steps.append(Append(key, value))
        self._write("invoke")

    def read(self, key: str, values: Sequence[int]) -> None:
        """Note what was read."""
        self._steps.append(Read(key, tuple(values)))

    def end(self, outcome: Outcome) -> None:
        """Note what came of it."""
        self._write(outcome)

    def _write(self, kind: str) -> None:
        steps = [
            ["append", step.key, step.value] if isinstance(step, Append) else ["read", step.key, list(step.values)]
            for step in self._steps
        ]
        row = {"name": f"{self.who}/{self.count}", "kind": kind, "began": self._began, "ended": time.monotonic_ns()}
        with self.path.open("a") as file:
            file.write(json.dumps(row | {"steps": steps}) + "\n")


def transactions(folder: Path) -> tuple[Transaction, ...]:
    """Every transaction in the diaries of a folder. One that was asked for and has no answer is unknown."""
    last: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.diary")):
        for line in path.read_text().splitlines():
            if line.endswith("}"):  # a client that was killed may have left half a line
                row = json.loads(line)
                last[row["name"]] = row
    return tuple(_transaction(row) for row in last.values())


def _transaction(row: dict[str, Any]) -> Transaction:
    steps = tuple(
        Append(key, content) if kind == "append" else Read(key, tuple(content)) for kind, key, content in row["steps"]
    )
    outcome: Outcome = "unknown" if row["kind"] == "invoke" else row["kind"]
    return Transaction(row["name"], outcome, row["began"], row["ended"], steps)
