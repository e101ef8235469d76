"""The conversion service: what its script meant, before it spoilt anything, is what the lake says."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from millpond.core.errors import FindingsError
from millpond.lakehouse import Lakehouse
from millpond.pipeline.request import Request
from millpond.project.loader import load

from .conftest import EXAMPLES, Open


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The events of a week and their answers, as the script writes them."""
    folder = tmp_path_factory.mktemp("service")
    subprocess.run([sys.executable, EXAMPLES / "roman" / "make_events.py", folder, "7"], check=True, timeout=60)
    return folder


@pytest.fixture(scope="module")
def told(made: Path) -> dict[str, Any]:
    """The answers."""
    return dict(json.loads((made / "answers.json").read_text("utf-8")))


def run(lake: Lakehouse) -> Counter[str]:
    """One run, all of whose steps are done; how many rows of each table were there already."""
    report = lake.runner.run(Request(), lambda _event: None)
    assert report.ok, report.failures
    return Counter({str(table): outcome.ledger.deduplicated for table, outcome in report.outcomes.items()})


def rows(lake: Lakehouse, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, as JSON has them."""
    return [json.loads(json.dumps(row, default=str)) for row in lake.tables.query(sql).rows()]


def agrees(lake: Lakehouse, told: dict[str, Any]) -> None:
    """Hold every table to the answers."""
    assert rows(lake, "SELECT count(*) AS n FROM silver.fact_conversions") == [{"n": told["silver.fact_conversions"]}]
    rules = rows(lake, "SELECT rule, count(*) AS n FROM quarantine.records WHERE kind = 'row' GROUP BY rule")
    assert {row["rule"]: row["n"] for row in rules} == told["quarantine"]
    iso = "strftime(valid_from, '%Y-%m-%dT%H:%M:%S.%g')"
    history = rows(lake, f"SELECT user_id, plan, country, {iso} AS since FROM silver.dim_users ORDER BY user_id, since")
    versions: dict[str, list[list[str]]] = {}
    for row in history:
        versions.setdefault(row["user_id"], []).append([row["plan"], row["country"], row["since"]])
    assert versions == told["silver.dim_users"]
    assert rows(lake, "FROM gold.daily_conversion_metrics ORDER BY day") == told["gold.daily_conversion_metrics"]
    seen = "* REPLACE (strftime(first_seen, '%Y-%m-%dT%H:%M:%S.%g') AS first_seen, "
    seen += "strftime(last_seen, '%Y-%m-%dT%H:%M:%S.%g') AS last_seen)"
    summary = rows(lake, f"SELECT {seen} FROM gold.user_activity_summary ORDER BY user_id")
    assert summary == told["gold.user_activity_summary"]


def test_one_run_gives_the_answers(example: Open, made: Path, told: dict[str, Any]) -> None:
    """Facts, history, daily numbers and summaries, each to the row; each layer lies under its own root."""
    lake = example("roman", data=str(made / "data"))
    assert run(lake)["silver.fact_conversions"] == told["copies"]
    agrees(lake, told)
    assert lake.runner.plan(Request()).empty
    folder = lake.project.folder
    for layer in ("bronze", "silver", "gold"):
        assert list((folder / "lake" / layer).rglob("*.parquet"))
    days = {
        tuple(part.split("=")[0] for part in path.parts if "=" in part) for path in folder.rglob("bronze/**/*.parquet")
    }
    assert days == {("event_time_year", "event_time_month", "event_time_day")}


@pytest.mark.parametrize("seed", range(2))
def test_files_in_any_order_give_the_answers(
    example: Open, made: Path, told: dict[str, Any], tmp_path: Path, seed: int
) -> None:
    """Late events come in yet another order, in four runs."""
    files = sorted((made / "data").iterdir())
    random.Random(seed).shuffle(files)
    lake = example("roman", data=str(tmp_path))
    for start in range(0, len(files), 3):
        for file in files[start : start + 3]:
            shutil.copy(file, tmp_path / f".{file.name}")
            (tmp_path / f".{file.name}").rename(tmp_path / file.name)
        run(lake)
    agrees(lake, told)


def test_a_name_outside_the_rule_is_refused(tmp_path: Path) -> None:
    """A model that is called as no fact and no dimension is told with its place and the rule's."""
    shutil.copytree(EXAMPLES / "roman", tmp_path / "roman")
    model = tmp_path / "roman" / "models" / "silver" / "users.sql"
    model.write_text("SELECT 1 AS user_id\n")
    with pytest.raises(FindingsError) as caught:
        load(tmp_path / "roman", environ={})
    (finding,) = caught.value.findings
    assert finding.code == "MP-1130"
    assert str(finding.where) == f"{model}:1:1"
    assert "millpond.yaml:12" in finding.next_step
