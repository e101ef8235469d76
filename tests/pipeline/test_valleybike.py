"""The main job on real input: 2.8 million GPS lines of a bike-share, with independently known answers."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from millpond.lakehouse import Lakehouse, open_lakehouse
from millpond.pipeline.request import Request
from millpond.project.scaffold import scaffold

ANSWERS = {
    "SELECT count(*) FROM bronze.positions_raw": 2_822_716,
    "SELECT count(*) FROM silver.positions": 2_822_562,
    "SELECT bit_xor(md5_number_lower(concat_ws('|', route_id, bike_id, user_id, epoch_us(ts), latitude, longitude)))"
    "::VARCHAR FROM silver.positions": "11899399831727120926",
    "SELECT count(*) FROM gold.trips": 6_266,
    "SELECT sum(points) FROM gold.trips": 2_822_562,
    "SELECT count(DISTINCT user_id) FROM gold.trips": 1_318,
    "SELECT count(DISTINCT bike_id) FROM gold.trips": 346,
    "SELECT median(duration_s) FROM gold.trips": 500,
    "SELECT max(duration_s) FROM gold.trips": 9_918_929,
    "SELECT round(sum(distance_m), 1) FROM gold.trips": 23_226_822.6,
    "SELECT count(*) FROM gold.demand_by_hour": 633,
    "SELECT max(trips) FROM gold.demand_by_hour": 75,
    "SELECT strftime(max_by(hour, trips), '%Y-%m-%d %H:%M') FROM gold.demand_by_hour": "2018-07-21 21:00",
    "SELECT count(*) FROM quarantine.records WHERE kind = 'row'": 113,
    "SELECT count(*) FROM quarantine.records WHERE kind = 'file'": 4,
}

CONTENT = (
    "SELECT * FROM silver.positions ORDER BY ALL",
    "SELECT * FROM gold.trips ORDER BY ALL",
    "SELECT * FROM gold.demand_by_hour ORDER BY ALL",
    "SELECT model, rule, parse_filename(origin), position FROM quarantine.records ORDER BY ALL",
)


@pytest.fixture
def positions(shared_data: Path) -> list[Path]:
    """The 42 files as they came."""
    return sorted((shared_data / "mobility" / "valleybike").glob("*.csv.gz"))


@contextmanager
def valleybike(folder: Path) -> Iterator[tuple[Lakehouse, Path]]:
    """A lake of the template, and the folder that its files arrive in."""
    folder.mkdir(parents=True, exist_ok=True)
    scaffold("vb", folder, "valleybike")
    data = folder / "data"
    data.mkdir()
    with open_lakehouse(folder / "vb", variables={"data": str(data)}) as lake:
        yield lake, data


def arrive(files: list[Path], data: Path, prefix: str = "") -> None:
    """Files put in place whole, as careful writers do."""
    for file in files:
        shutil.copy(file, data / ".arriving")
        (data / ".arriving").rename(data / f"{prefix}{file.name}")


def one(lake: Lakehouse, sql: str) -> Any:
    """The single value of a query."""
    ((value,),) = (row.values() for row in lake.tables.query(sql).rows())
    return value


def content(lake: Lakehouse) -> str:
    """Everything that the models made, as one text."""
    return json.dumps([lake.tables.query(sql).rows() for sql in CONTENT], default=str)


def run(lake: Lakehouse) -> None:
    report = lake.runner.run(Request(), lambda _event: None)
    assert report.ok, report.failures


def test_all_files_at_once_give_the_known_answers(positions: list[Path], tmp_path: Path) -> None:
    """Every known answer holds, and a second run has nothing to do."""
    with valleybike(tmp_path) as (lake, data):
        arrive(positions, data)
        run(lake)
        assert {sql: one(lake, sql) for sql in ANSWERS} == pytest.approx(ANSWERS)
        assert lake.runner.plan(Request()).empty


def small(positions: list[Path]) -> list[Path]:
    """The eight smallest files and the HTML pages: enough for trips over midnight, late rows and rejects."""
    return sorted(positions, key=lambda path: path.stat().st_size)[:12]


@pytest.mark.parametrize("seed", range(3))
def test_any_arrival_gives_the_same_tables(positions: list[Path], tmp_path: Path, seed: int) -> None:
    """Random splits in random order, with files that come twice under another name, end as all at once does."""
    chance = random.Random(seed)
    files = small(positions)
    with valleybike(tmp_path / "whole") as (lake, data):
        arrive(files, data)
        run(lake)
        whole = content(lake)
    chance.shuffle(files)
    with valleybike(tmp_path / "parts") as (lake, data):
        while files:
            size = chance.randint(1, 5)
            arrive(files[:size], data)
            arrive([file for file in files[:size] if file.stat().st_size > 200][:1], data, prefix="again_")
            files = files[size:]
            run(lake)
        assert content(lake) == whole


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_every_file_in_a_run_of_its_own_gives_the_known_answers(
    positions: list[Path], tmp_path: Path, seed: int
) -> None:
    """All 42 files, one per run in random order, each good one a second time under another name."""
    chance = random.Random(seed)
    chance.shuffle(positions)
    with valleybike(tmp_path) as (lake, data):
        for file in positions:
            arrive([file], data)
            if file.stat().st_size > 200 and chance.random() < 0.5:
                arrive([file], data, prefix="again_")
            run(lake)
        assert {sql: one(lake, sql) for sql in ANSWERS} == pytest.approx(ANSWERS)
