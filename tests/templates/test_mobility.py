"""The mobility template, run as a user would, gives the answers that were counted while its sample was made."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

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


def answers(folder: Path) -> dict[str, Any]:
    """What the lake says to each question, in one query."""
    questions = {name: f"SELECT count(*) FROM {name}" for name in TABLES} | {
        "sum of battery": "SELECT sum(battery) FROM silver.telemetry",
        "busiest": "SELECT max(trips) FROM gold.demand_by_zone_hour",
        "trips": "SELECT sum(trips) FROM gold.demand_by_zone_hour",
        "ranked trips": "SELECT sum(trips) FROM gold.zones_ranked",
        "revenue": "SELECT sum(revenue)::VARCHAR FROM gold.demand_by_zone_hour",
    }
    columns = ", ".join(f'({sql}) AS "{name}"' for name, sql in questions.items())
    [row] = millpond(folder, "query", f"SELECT {columns}")
    return row


def test_the_run_gives_the_answers(tmp_path: Path) -> None:
    """Every table has its rows, every rejected record is found under its rule, and what is in is in."""
    millpond(tmp_path, "init", "city", "--template", "mobility")
    folder = tmp_path / "city"
    ledgers = {e["table"]: e["ledger"] for e in millpond(folder, "run") if e["event"] == "step_finished"}
    said = answers(folder)
    assert said.pop("ranked trips") == ANSWERS["trips"]
    assert said == {question: ANSWERS[question] for question in said}
    for name in ("silver.telemetry", "silver.bookings"):
        assert ledgers[name]["deduplicated"] == ANSWERS[f"deduplicated {name}"]
        assert ledgers[name]["inserted"] == ANSWERS[name]
    listed = millpond(folder, "quarantine", "list")
    assert Counter(r["rule"] for r in listed if r["kind"] == "row") == ANSWERS["rejected rows by rule"]
    assert sum(record["kind"] == "record" for record in listed) == ANSWERS["rejected records"]
    assert sum(record["kind"] == "file" for record in listed) == ANSWERS["rejected files"]
    assert [event for event in millpond(folder, "run") if event["event"] == "step_finished"] == []
