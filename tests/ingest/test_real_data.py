"""Real files, dirty as they came, with answers that were counted without Millpond."""

from __future__ import annotations

import gzip
import random
import shutil
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.plain import BRONZE, Lake


def test_valleybike_lands_to_the_row(lake: Lake, shared_data: Path) -> None:
    """42 files: 38 with 2,822,716 records behind two lines of junk, and four pages of a failing server."""
    lake.settings = {"paths": (str(shared_data / "mobility/valleybike/*.csv.gz"),)}

    landed = lake.load()

    assert landed.ledger.inserted == 2_822_716
    assert [column.name for column in landed.columns] == [
        "Route ID",
        "Bike",
        "Date",
        "Latitude",
        "Longitude",
        "User ID",
    ]
    assert lake.ask(
        "SELECT count(*), count(*) FILTER (\"Date\" = '-'), count(*) FILTER (\"Bike\" LIKE '%,%'), "
        "count(DISTINCT (_origin, _position)) FROM {things}"
    ) == [(2_822_716, 102, 2_030_308, 2_822_716)]
    assert lake.ask("SELECT kind, rule, count(DISTINCT origin) FROM {records} GROUP BY ALL") == [("file", "markup", 4)]
    assert not lake.discover().work


def test_obd_telemetry_quarantines_its_short_records(lake: Lake, shared_data: Path) -> None:
    """Lines may end with a comma that the header lacks; of five short lines three hold something."""
    folder = shared_data / "mobility/obd_telemetry"
    lake.settings = {"paths": (str(folder / "*.csv.gz"),)}
    texts = [gzip.decompress(path.read_bytes()) for path in folder.glob("*.csv.gz")]
    lines = sum(bool(line.strip()) for text in texts for line in text.split(b"\n")[1:])

    landed = lake.load()

    assert landed.ledger.read == lines
    assert landed.ledger.quarantined == 3
    assert lake.ask("SELECT DISTINCT rule FROM {records}") == [("missing_columns",)]


def test_online_retail_gives_its_known_answers(lake: Lake, shared_data: Path) -> None:
    """Free text with quotes, commas and bytes of an old encoding, a file for each day."""
    lake.settings = {"paths": (str(shared_data / "retail/online_retail_by_day/*.csv.gz"),)}

    lake.load()

    assert lake.ask(
        'SELECT count(*), count(DISTINCT "InvoiceNo"), count(*) FILTER ("CustomerID" IS NULL), '
        'round(sum("Quantity"::INT * "UnitPrice"::DECIMAL(12, 3)), 2)::VARCHAR FROM {things}'
    ) == [(209_029, 10_783, 59_976, "3706827.64")]


def test_zone_hours_without_header_are_told_apart_from_names(lake: Lake, shared_data: Path) -> None:
    """577,536 records of files that have no header."""
    lake.settings = {"paths": (str(shared_data / "mobility/nyc/uber_zone_hour_2014/*.csv.gz"),)}

    lake.load()

    assert lake.ask("SELECT count(*), sum(column_4::BIGINT) FROM {things}") == [(577_536, 3_825_109)]


@pytest.mark.parametrize(
    ("name", "records"),
    [
        ("events/anon_reviews_to_2006.csv.gz", 347_353),
        ("ml/bike_sharing_hour_2011.csv.gz", 8_645),
        ("mobility/nyc/taxi-zone-lookup.csv", 265),
    ],
)
def test_single_files_land_whole(lake: Lake, shared_data: Path, name: str, records: int) -> None:
    """Counted beforehand: every record lands."""
    lake.settings = {"paths": (str(shared_data / name),)}

    assert lake.load().ledger.inserted == records


def unpacked(archive: Path, folder: Path) -> list[Path]:
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_json_suite_is_taken_where_valid_and_refused_where_not(lake: Lake, tmp_path: Path, shared_data: Path) -> None:
    """Valid documents (y_) land. Invalid ones (n_) do not, but for what the engine reads all the same."""
    taken: dict[str, list[str]] = {"y": [], "n": []}
    files = unpacked(shared_data / "dirty/json_test_suite.tar.gz", tmp_path / "suite")
    cases = [path for path in files if path.parent.name == "test_parsing" and path.name[:2] in ("y_", "n_")]
    assert len(cases) > 150
    for path in cases:
        lake.settings = {"paths": (str(path).replace("[", "[[]"),), "format": "json"}
        lake.seen.clear()
        lake.contents.clear()
        lake.tables.forget(BRONZE)
        landed = lake.load()
        assert len(landed.files) == 1
        taken[path.name[0]].append(f"{path.name} {landed.files[0].outcome}")

    assert [case for case in taken["y"] if not case.endswith("loaded")] == []
    assert {case.split()[0] for case in taken["n"] if case.endswith("loaded")} <= {
        "n_object_trailing_comma.json",
        "n_single_space.json",
        "n_structure_no_data.json",
        "n_structure_whitespace_formfeed.json",
    }


def test_damaged_parquet_is_refused_cleanly(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, shared_data: Path
) -> None:
    """Files of parquet-testing that are broken are refused or read whole, and nothing crashes."""
    outcomes = {}
    for path in unpacked(shared_data / "formats/parquet-testing_bad_data.tar.gz", tmp_path):
        if path.suffix == ".parquet":
            lake = Lake(tmp_path_factory.mktemp("lake"), {"paths": (str(path),)})
            outcomes[path.name] = lake.load().files[0].outcome

    assert set(outcomes.values()) <= {"rejected", "loaded"}
    assert outcomes["PARQUET-1481.parquet"] == "rejected"


@pytest.fixture(scope="session")
def week(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten small files: records, a page, a copy, a short line, other columns, other order."""
    folder = tmp_path_factory.mktemp("week")
    sample = gzip.decompress((shared_data / "mobility/valleybike/VB_Routes_Data_2018_06_28.csv.gz").read_bytes())
    head, *lines = sample.splitlines(keepends=True)[2:]
    for part in range(5):
        chunk = lines[part * 40 : part * 40 + 40]
        (folder / f"{part}.csv.gz").write_bytes(gzip.compress(b"junk,,,,,,\n" + head + b"".join(chunk), mtime=0))
    (folder / "5.csv").write_bytes(b"<html>gone</html>\n")
    shutil.copy(folder / "1.csv.gz", folder / "6.csv.gz")
    (folder / "7.csv").write_bytes(head + b"too,short\n" + b"".join(lines[400:420]))
    (folder / "8.csv").write_bytes(b"Bike,Route ID,Speed\n1,r-1,20\n2,r-2,25\n")
    (folder / "9.csv").write_bytes(b"Bike,Route ID,Weather\n1,r-1,dry\n")
    return folder


@given(seed=st.integers(0, 2**32))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_split_into_loads_gives_the_same_table(
    week: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """Whether files come at once, one by one, or in any groups and order: bronze and quarantine hold the same."""
    chance = random.Random(seed)
    files = sorted(week.iterdir())
    chance.shuffle(files)
    lake = Lake(tmp_path_factory.mktemp("lake"))
    (lake.folder / "data").mkdir()
    while files:
        for path in files[: chance.randint(1, 10)]:
            shutil.copy2(path, lake.folder / "data")
            files.remove(path)
        lake.load()

    columns = ("Route ID", "Bike", "Date", "Latitude", "Longitude", "User ID", "Speed", "Weather")
    got = sorted(map(str, lake.rows(*columns, "_position")))
    assert len(got) == 5 * 40 + 20 + 2 + 1
    assert sum("dry" in row for row in got) == 1
    assert lake.ask("SELECT rule, raw FROM {records} ORDER BY rule") == [
        ("markup", None),
        ("missing_columns", "too,short"),
    ]
