"""The mobility template, run as a user would, gives the answers that were counted while its sample was made."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ANSWERS: dict[str, Any] = json.loads(Path(__file__).with_name("mobility.json").read_text(encoding="utf-8"))
TABLES = [name for name in ANSWERS if name.startswith(("bronze.", "silver.", "gold."))]


def millpond(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The objects that a command prints with --json."""
    command = Path(sys.executable).with_name("millpond")
    done = subprocess.run(
        [command, *words, "--json"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def one(folder: Path, sql: str) -> Any:
    """The only value that a query gives."""
    [row] = millpond(folder, "query", sql)
    [value] = row.values()
    return value


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """A project that was run once, and the ledger of each table's step."""
    folder = tmp_path_factory.mktemp("mobility")
    millpond(folder, "init", "city", "--template", "mobility")
    events = millpond(folder / "city", "run")
    ledgers = {e["table"]: e["ledger"] for e in events if e["event"] == "step_finished" and e.get("ledger")}
    return folder / "city", ledgers


def test_the_run_gives_the_answers(city: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """Every table has the rows, and every rejected record is found under its rule."""
    folder, ledgers = city
    assert {name: one(folder, f"SELECT count(*) FROM {name}") for name in TABLES} == {n: ANSWERS[n] for n in TABLES}
    for name in ("silver.telemetry", "silver.bookings"):
        assert ledgers[name]["deduplicated"] == ANSWERS[f"deduplicated {name}"]
        assert ledgers[name]["inserted"] == ANSWERS[name]
    listed = millpond(folder, "quarantine", "list")
    assert Counter(r["rule"] for r in listed if r["kind"] == "row") == ANSWERS["rejected rows by rule"]
    assert sum(record["kind"] == "record" for record in listed) == ANSWERS["rejected records"]
    assert sum(record["kind"] == "file" for record in listed) == ANSWERS["rejected files"]


def test_the_gold_tables_are_right(city: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """Sums over gold are sums over the good rows."""
    folder, _ = city
    demand = "FROM gold.demand_by_zone_hour"
    assert one(folder, "SELECT sum(battery) FROM silver.telemetry") == ANSWERS["sum of battery"]
    assert one(folder, f"SELECT max(trips) {demand}") == ANSWERS["busiest"]
    assert one(folder, f"SELECT sum(trips) {demand}") == ANSWERS["trips"]
    assert one(folder, f"SELECT sum(revenue)::VARCHAR {demand}") == ANSWERS["revenue"]
    assert one(folder, "SELECT sum(trips) FROM gold.zones_ranked") == ANSWERS["trips"]


def test_a_second_run_has_nothing_to_do(city: tuple[Path, dict[str, dict[str, Any]]]) -> None:
    """What is in is in."""
    folder, _ = city
    assert [event for event in millpond(folder, "run") if event["event"] == "step_finished"] == []
