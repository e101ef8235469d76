"""One step of a model that takes in changes, and a rival that does the same by other means."""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from measure import declare, millpond, rounds_given, verdict


@dataclass(frozen=True)
class Done:
    """What one side took, in seconds, and what its table adds up to. `ledger` is that of a step."""

    seconds: float
    sums: Sequence[Any]
    ledger: Mapping[str, int] = field(default_factory=dict)


def step(folder: Path, files: dict[str, str], base: str, changed: str, table: str, sums: str) -> Done:
    """The step of `table` in a new project, its changes being in bronze: `base` is in the table before."""
    project = folder / "lake"
    shutil.rmtree(project, ignore_errors=True)
    millpond(folder, "init", "lake", "--template", "empty", "-q")
    declare(project, files)
    (project / "rows").mkdir()
    duckdb.sql(base).write_parquet(str(project / "rows/base.parquet"), compression="zstd")
    millpond(project, "run", "--yes", "-q")
    duckdb.sql(changed).write_parquet(str(project / "rows/changed.parquet"), compression="zstd")
    millpond(project, "run", "--select", "bronze.changes", "--yes", "-q")
    return one_step(project, table, sums, "--select", table)


def one_step(project: Path, table: str, sums: str, *words: str) -> Done:
    """A run of which one step is all that there is to do, that of `table`."""
    events = millpond(project, "run", *words, "--yes", "--json")
    told = [json.loads(line) for line in events.splitlines()]
    (finished,) = [event for event in told if event.get("event") == "step_finished"]
    found = json.loads(millpond(project, "query", f"SELECT {sums} FROM {table}", "--json"))
    return Done(float(finished["seconds"]), list(found.values()), finished["ledger"])


def compare(
    name: str, ours: Callable[[Path], Done], theirs: Callable[[Path], Done], folder: Path, goal: float, *, rival: str
) -> None:
    """Measure both in turn and print the ratio of their medians. Ends the benchmark when their tables differ."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds_given(1)):
        sides = ours(folder), theirs(folder)
        if list(sides[0].sums) != list(sides[1].sums):
            sys.exit(f"{name}: the tables differ: {sides[0].sums}, {rival} {sides[1].sums}")
        for taken, side in zip(times, sides, strict=True):
            taken.append(side.seconds)
    verdict(name, statistics.median(times[0]), statistics.median(times[1]), goal, rival=rival)
