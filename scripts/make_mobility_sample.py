"""Writes the sample data of the mobility template, dirt included, and the answers that a run over it must give.

    python scripts/make_mobility_sample.py [DATA_FOLDER [ANSWERS_FILE]]

The same seed gives the same bytes everywhere: only `random()` is drawn, and archives carry no time. The answers are
counted while the data is made, never by the code that they judge.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[1]
DATA = ROOT / "src" / "millpond" / "templates" / "mobility" / "data"
ANSWERS = ROOT / "tests" / "templates" / "mobility.json"
FIRST_DAY = datetime(2026, 6, 1)  # noqa: DTZ001 - the sample is in UTC and says so
DAYS = 3

T = TypeVar("T")
Row = dict[str, object]

ZONES = (
    ("Z01", "Old Town", 1.4),
    ("Z02", "Central Station", 0.9),
    ("Z03", "Harbour", 3.2),
    ("Z04", "Überseestadt", 2.8),
    ("Z05", "University", 4.1),
    ("Z06", "Market, east side", 0.7),
    ("Z07", "Stadium", 1.9),
    ("Z08", "Hospital", 1.1),
    ("Z09", "Riverside", 2.2),
    ("Z10", "Airport", 6.5),
)
FLEET = (("scooter", "SC", 18, 0.20), ("ebike", "EB", 12, 0.15), ("car", "CR", 6, 0.35), ("van", "VN", 4, 0.50))
"""Vehicle type, prefix of its ids, how many, and the price of a minute."""

ERROR_PAGE = """<!DOCTYPE html>
<html><head><title>503 Service Unavailable</title></head>
<body><h1>Service Unavailable</h1><p>The telemetry export is being prepared. Try again later.</p></body></html>
"""


@dataclass
class Dice:
    """Draws from `random()` alone, whose sequence is the same in every Python."""

    source: random.Random

    def below(self, limit: int) -> int:
        """A whole number in [0, limit)."""
        return int(self.source.random() * limit)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + self.source.random() * (high - low)

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]


@dataclass
class Sample:
    """The files to be written, by name, and what a run must count."""

    files: dict[str, str] = field(default_factory=dict)
    answers: dict[str, object] = field(default_factory=dict)
    quarantine: dict[str, int] = field(default_factory=dict)

    def spoil(self, rule: str, rows: int = 1) -> None:
        """Count rows that a rule must put into quarantine."""
        self.quarantine[rule] = self.quarantine.get(rule, 0) + rows


def vehicles() -> list[tuple[str, str, float]]:
    """Type, id and price of a minute of every vehicle."""
    return [(kind, f"{prefix}{n:06d}", price) for kind, prefix, count, price in FLEET for n in range(1, count + 1)]


def make_zones(sample: Sample) -> None:
    """Ten zones of one city, all good."""
    lines = ["zone_id,name,area_km2"]
    lines += [f'{zone},"{name}",{area}' if "," in name else f"{zone},{name},{area}" for zone, name, area in ZONES]
    sample.files["zones.csv"] = "\n".join(lines) + "\n"
    sample.answers["bronze.zones"] = sample.answers["silver.zones"] = len(ZONES)


def make_telemetry(sample: Sample, dice: Dice) -> None:
    """A reading of every vehicle each half hour, one file a day, with the dirt that devices send."""
    days: list[list[Row]] = []
    for day in range(DAYS):
        readings = []
        for half_hour in range(48):
            for kind, vehicle, _ in vehicles():
                moment = FIRST_DAY + timedelta(days=day, minutes=30 * half_hour, seconds=dice.below(1800))
                readings.append(
                    {
                        "vehicle_id": vehicle,
                        "vehicle_type": kind,
                        "ts": moment.isoformat() + "Z",
                        "battery": 5 + dice.below(96),
                        "latitude": round(dice.between(53.04, 53.14), 5),
                        "longitude": round(dice.between(8.74, 8.90), 5),
                        "zone_id": dice.pick(ZONES)[0],
                    }
                )
        days.append(readings)
    clean = sum(len(day) for day in days)
    dirty = spoil_telemetry(sample, dice, days)
    repeated = [dict(row) for row in days[0][100:130]]  # delivered again the next day
    days[1][200:200] = repeated
    days[2].append(dict(days[2][-1]))  # sent twice in a row
    for number, readings in enumerate(days, 1):
        lines = [json.dumps(row, separators=(",", ":")) for row in readings]
        if number == 2:
            lines.insert(777, lines[776][:61])  # the device lost its connection in the middle of a line
            sample.answers["rejected records"] = 1
        sample.files[f"telemetry/telemetry-2026-06-{number:02d}.ndjson.gz"] = "\n".join(lines) + "\n"
    sample.files[f"telemetry/telemetry-2026-06-{DAYS + 1:02d}.ndjson"] = ERROR_PAGE
    sample.answers["rejected files"] = 1
    sample.answers["bronze.telemetry"] = sum(len(day) for day in days)
    sample.answers["silver.telemetry"] = clean - dirty
    sample.answers["deduplicated silver.telemetry"] = len(repeated) + 1
    bad = spoiled(days)
    kept = {(row["vehicle_id"], row["ts"]): row for day in days for row in day if id(row) not in bad}
    sample.answers["sum of battery"] = sum(int(str(row["battery"])) for row in kept.values())
    sample.answers["gold.fleet_by_day"] = len({(row["vehicle_type"], str(row["ts"])[:10]) for row in kept.values()})


FAULTS: tuple[tuple[str, str, tuple[object, ...]], ...] = (
    ("between:battery", "battery", (131, -4, 255, 101, 1000, -1, 190)),
    ("in:vehicle_type", "vehicle_type", ("hoverboard", "SCOOTER", "bike?", "unknown", "")),
    ("regex:vehicle_id", "vehicle_id", ("SC-99", "sc000007", "EB12", "0000", "CR0000011", "VN 00001")),
    ("not_null:latitude", "latitude", (None, None, None)),
    ("cast:ts", "ts", ("not-a-date", "2026-13-45T00:00:00Z", "yesterday", "2026-06-02T25:61:00Z")),
)
"""What is put into otherwise good readings: the rule that must find it, the field, the values. One fault a row."""


def spoil_telemetry(sample: Sample, dice: Dice, days: list[list[Row]]) -> int:
    """Put each fault into a reading of its own, away from those that are delivered twice; how many were spoiled."""
    taken: set[tuple[int, int]] = set()
    for rule, column, values in FAULTS:
        for value in values:
            while (place := (dice.below(DAYS), 200 + dice.below(1500))) in taken:
                continue
            taken.add(place)
            days[place[0]][place[1]][column] = value
        sample.spoil(rule, len(values))
    return len(taken)


def spoiled(days: list[list[Row]]) -> set[int]:
    """The identities of the readings that carry a fault."""
    values = {(column, json.dumps(value)) for _, column, given in FAULTS for value in given}
    return {id(row) for day in days for row in day for c, v in row.items() if (c, json.dumps(v)) in values}


def make_bookings(sample: Sample, dice: Dice) -> None:
    """Rides of three days in two exports that overlap, as operators' systems deliver them."""
    rides: list[Row] = []
    for number in range(900):
        _, vehicle, price = dice.pick(vehicles())
        hour = (7, 8, 8, 12, 16, 17, 17, 18, 19, 21)[dice.below(10)]
        start = FIRST_DAY + timedelta(days=dice.below(DAYS), hours=hour, seconds=dice.below(3600))
        minutes = 3 + dice.below(45)
        rides.append(
            {
                "booking_id": f"B{number + 1:05d}",
                "vehicle_id": vehicle,
                "user_id": f"U{1 + dice.below(220):04d}",
                "zone_id": dice.pick(ZONES[:6] if dice.below(3) else ZONES)[0],
                "started_at": str(start),
                "ended_at": str(start + timedelta(minutes=minutes)),
                "distance_m": minutes * (150 + dice.below(120)),
                "price": f"{1 + minutes * price:.2f}",
            }
        )
    kept = spoil_bookings(sample, rides)
    conflicts = [{**rides[n], "distance_m": int(str(rides[n]["distance_m"])) + 400} for n in (470, 480)]
    overlap = [dict(ride) for ride in rides[440:465]]
    exports = (rides[:465], [*overlap, *rides[465:], *conflicts])
    for part, export in enumerate(exports, 1):
        lines = [",".join(rides[0]), *(",".join(str(value) for value in ride.values()) for ride in export)]
        sample.files[f"bookings/bookings-part{part}.csv"] = "\n".join(lines) + "\n"
    sample.spoil("key_conflict", len(conflicts))
    sample.answers["bronze.bookings"] = sum(len(export) for export in exports)
    sample.answers["silver.bookings"] = len(kept)
    sample.answers["deduplicated silver.bookings"] = len(overlap)
    count_demand(sample, kept)


def spoil_bookings(sample: Sample, rides: list[Row]) -> list[Row]:
    """Put faults into five rides; those that stay good."""
    for number in (50, 350, 600):
        rides[number]["ended_at"] = str(FIRST_DAY - timedelta(days=30))
    for number, value in ((120, "31/02/2026 9:00"), (720, "-")):
        rides[number]["started_at"] = value
    sample.spoil("sql:ends_after_start", 3)
    sample.spoil("cast:started_at", 2)
    return [ride for number, ride in enumerate(rides) if number not in {50, 120, 350, 600, 720}]


def count_demand(sample: Sample, kept: list[Row]) -> None:
    """The answers of the gold tables."""
    hours: dict[tuple[str, str], int] = {}
    for ride in kept:
        group = (str(ride["zone_id"]), str(ride["started_at"])[:13])
        hours[group] = hours.get(group, 0) + 1
    sample.answers["gold.demand_by_zone_hour"] = len(hours)
    sample.answers["gold.zones_ranked"] = len({zone for zone, _ in hours})
    sample.answers["busiest"] = max(hours.values())
    sample.answers["trips"] = len(kept)
    sample.answers["revenue"] = f"{sum(round(float(str(ride['price'])) * 100) for ride in kept) / 100:.2f}"


def make(seed: int = 2026) -> Sample:
    """The whole sample as values."""
    sample, dice = Sample(), Dice(random.Random(seed))
    make_zones(sample)
    make_telemetry(sample, dice)
    make_bookings(sample, dice)
    sample.answers["rejected rows by rule"] = dict(sorted(sample.quarantine.items()))
    return sample


def packed(text: str) -> bytes:
    """The text in gzip, without name and time."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, filename="") as archive:
        archive.write(text.encode())
    return buffer.getvalue()


def write(sample: Sample, data: Path, answers: Path) -> None:
    """Put the sample on disk."""
    for name, text in sample.files.items():
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed(text) if name.endswith(".gz") else text.encode())
    answers.parent.mkdir(parents=True, exist_ok=True)
    answers.write_text(json.dumps(sample.answers, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    write(make(), given[0] if given else DATA, given[1] if len(given) > 1 else ANSWERS)
