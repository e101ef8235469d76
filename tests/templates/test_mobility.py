"""The mobility template, run as a user would, gives the answers that were told before its data was spoilt."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from millpond.core.names import TableName
from millpond.lakehouse import open_lakehouse
from millpond.pipeline.request import Request

KEYS = {
    "gold.battery_health_weekly": "vehicle_id, week",
    "gold.customer_journey": "user_id, ride",
    "gold.demand_by_zone_hour": "zone_id, hour",
    "gold.revenue_by_vehicle_type_daily": "vehicle_type, day",
    "gold.vehicle_utilization_daily": "vehicle_id, day",
}


def millpond(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The objects that a command prints with --json."""
    command = Path(sys.executable).with_name("millpond")
    done = subprocess.run(
        [command, *words, "--json"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def agrees(folder: Path, answers: dict[str, Any], **variables: str) -> None:
    """Run the project, and hold every table, ledger and rejected record to the answers."""
    with open_lakehouse(folder, variables=variables) as lake:
        report = lake.runner.run(Request(), lambda _event: None)
        assert report.ok, report.failures
        counts = {name: rows for name, rows in answers.items() if name.startswith(("bronze.", "silver."))}
        asked = ", ".join(f'(SELECT count(*) FROM {name}) AS "{name}"' for name in counts)
        assert lake.tables.query(f"SELECT {asked}").rows() == [counts]
        for name in ("silver.telemetry", "silver.bookings"):
            ledger = report.outcomes[TableName.parse(name)].ledger
            assert ledger.deduplicated == answers[f"deduplicated {name}"]
            assert ledger.inserted == answers[name]
        listed = lake.tables.query("SELECT kind, rule FROM quarantine.records").rows()
        assert Counter(r["rule"] for r in listed if r["kind"] == "row") == answers["rejected rows by rule"]
        assert sum(record["kind"] == "record" for record in listed) == answers["rejected records"]
        assert sum(record["kind"] == "file" for record in listed) == answers["rejected files"]
        for name, key in KEYS.items():
            rows = [plain(row) for row in lake.tables.query(f"FROM {name} ORDER BY {key}").rows()]
            assert rows == [plain(row) for row in answers["tables"][name]], name
        assert set(KEYS) == set(answers["tables"])
        assert lake.runner.plan(Request()).empty


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row with its amounts, moments and days in one form."""
    amounts = {name: float(row[name]) for name in ("revenue", "spent_so_far") if name in row}
    return {**row, **{n: str(row[n]) for n in ("hour", "started_at", "day", "week") if n in row}, **amounts}


def test_the_run_gives_the_answers(tmp_path: Path) -> None:
    """Over the template's own sample, which is what the simulation makes when it is told nothing more."""
    millpond(tmp_path, "init", "city", "--template", "mobility")
    millpond(tmp_path, "simulate", "mobility", "--into", "again", "--answers", "answers.json")
    agrees(tmp_path / "city", json.loads((tmp_path / "answers.json").read_text("utf-8")))


def test_more_days_and_more_dirt_give_their_answers(tmp_path: Path) -> None:
    """Ten days, so that a mean of seven has days behind it that count no more; three rows in a hundred with a fault."""
    millpond(tmp_path, "init", "city", "--template", "mobility")
    data = tmp_path / "more"
    words = ("--days", "10", "--dirt", "3", "--seed", "11")
    [said] = millpond(tmp_path, "simulate", "mobility", "--into", str(data), *words)
    answers = json.loads(Path(said["answers"]).read_text("utf-8"))
    faults = sum(n for rule, n in answers["rejected rows by rule"].items() if rule != "key_conflict")
    assert faults == round(0.03 * 10 * 48 * 40) + round(0.03 * 10 * 300)
    agrees(tmp_path / "city", answers, data=str(data))
