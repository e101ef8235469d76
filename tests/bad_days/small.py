"""A small project with answers that plain Python knows: two sources, rejects, duplicates, an aggregate and a join."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from millpond.catalog import manifests
from millpond.core.names import TableName
from millpond.lakehouse import Lakehouse

FILES = {
    "millpond.yaml": "version: 1\nname: small\nengine: {memory: 300MB, threads: 1}\n",
    "sources/rides_raw.yaml": "kind: files\npaths: [data/*.csv]\nformat: csv\n",
    "sources/zones_raw.yaml": "kind: files\npaths: [data/*.ndjson]\nformat: ndjson\n",
    "models/silver/rides.sql": """/*---
kind: append
key: [ride]
checks:
  - between: {minutes: [1, 600]}
on_fail: quarantine
---*/
SELECT ride::BIGINT AS ride, zone, minutes::INTEGER AS minutes FROM bronze.rides_raw
""",
    "models/gold/usage.sql": """/*---
kind: aggregate
key: [zone]
---*/
SELECT zone, count(*) AS rides, sum(minutes)::BIGINT AS minutes FROM silver.rides GROUP BY zone
""",
    "models/gold/cities.sql": """/*---
kind: replace
key: [city]
---*/
SELECT z.city, sum(u.rides)::BIGINT AS rides
FROM gold.usage AS u
JOIN (SELECT DISTINCT zone, city FROM bronze.zones_raw) AS z ON z.zone = u.zone
GROUP BY z.city
""",
}

Ride = tuple[int, str, str]
"""Number, zone, and minutes as they came."""

RIDES, ZONES = TableName("bronze", "rides_raw"), TableName("bronze", "zones_raw")
GOOD, USAGE, CITIES = TableName("silver", "rides"), TableName("gold", "usage"), TableName("gold", "cities")
RECORDS = TableName("quarantine", "records")
KEPT = "SELECT content_path FROM quarantine.records WHERE kind = 'file'"


class Arriving(Protocol):
    """Files that arrive, and what they must become."""

    def arrive(self) -> None:
        """The next of them."""
        ...

    def answers(self) -> dict[str, Any]:
        """What every table must hold once all that arrived was run."""
        ...


@dataclass
class Arrivals:
    """The files that have arrived, and what they must become. `seed` chooses their contents."""

    folder: Path
    seed: int = 0
    rides: list[Ride] = field(default_factory=list)
    zones: dict[str, str] = field(default_factory=dict)
    zone_lines: int = 0
    pages: int = 0
    files: int = 0

    def arrive(self, rows: int = 40) -> None:
        """One file of each source, and a web page that was saved under the name of a data file."""
        chance = random.Random(self.seed * 1000 + self.files)
        self.files += 1
        number = self.files
        lines = ["ride,zone,minutes"]
        for _ in range(rows):
            known = [ride for ride in self.rides if ride[2].isdigit()]
            if known and chance.random() < 0.1:
                ride = chance.choice(known)
            else:
                minutes = chance.choice(["-", "0", "1000"]) if chance.random() < 0.1 else str(chance.randint(1, 600))
                ride = (len({row[0] for row in self.rides}) + 1, f"z{chance.randint(0, 6)}", minutes)
            self.rides.append(ride)
            lines.append(",".join(map(str, ride)))
        put(self.folder / "data" / f"rides{number:03}.csv", "\n".join(lines) + "\n")
        zones = {f"z{index}": f"c{index % 3}" for index in range(min(7, 4 + number))}
        self.zones |= zones
        self.zone_lines += len(zones)
        content = "".join(
            json.dumps({"zone": zone, "city": city, "file": number}) + "\n" for zone, city in zones.items()
        )
        put(self.folder / "data" / f"zones{number:03}.ndjson", content)
        self.pages += 1
        put(self.folder / "data" / f"page{number:03}.csv", f"<!DOCTYPE html><html><body>{number}</body></html>\n")

    def answers(self) -> dict[str, Any]:
        """What every table must hold once all that arrived was run."""
        good = {
            ride: (zone, int(minutes))
            for ride, zone, minutes in self.rides
            if minutes.isdigit() and 1 <= int(minutes) <= 600
        }
        usage: dict[str, tuple[int, int]] = {}
        cities: Counter[str] = Counter()
        for zone, minutes in good.values():
            rides, total = usage.get(zone, (0, 0))
            usage[zone] = (rides + 1, total + minutes)
            if zone in self.zones:
                cities[self.zones[zone]] += 1
        bad = sorted(minutes for _, _, minutes in self.rides if not (minutes.isdigit() and 1 <= int(minutes) <= 600))
        return {
            "SELECT ride, zone, minutes FROM bronze.rides_raw ORDER BY ALL": sorted(
                (str(ride), zone, minutes) for ride, zone, minutes in self.rides
            ),
            "SELECT count(*) FROM bronze.zones_raw": [(self.zone_lines,)],
            "SELECT ride, zone, minutes FROM silver.rides ORDER BY ride": [
                (ride, *good[ride]) for ride in sorted(good)
            ],
            "SELECT zone, rides, minutes FROM gold.usage ORDER BY zone": [
                (zone, *usage[zone]) for zone in sorted(usage)
            ],
            "SELECT city, rides FROM gold.cities ORDER BY city": sorted(cities.items()),
            "SELECT value FROM quarantine.records WHERE kind = 'row' ORDER BY value": [(value,) for value in bad],
            "SELECT count(*), count(DISTINCT origin) FROM quarantine.records WHERE kind = 'file'": [
                (self.pages, self.pages)
            ],
        }


def put(path: Path, content: str) -> None:
    """A file in place whole, under its name at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arriving = path.with_name(f".{path.name}.arriving")
    arriving.write_text(content)
    arriving.replace(path)


def small_project(folder: Path, seed: int = 0) -> Arrivals:
    """The project's files in a folder, and nothing arrived."""
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "data").mkdir()
    return Arrivals(folder, seed)


def check_answers(lake: Lakehouse, arrivals: Arriving) -> None:
    """Everything that arrived is in its tables, once."""
    for sql, wanted in arrivals.answers().items():
        assert [tuple(row.values()) for row in lake.tables.query(sql).rows()] == wanted, sql
    for (path,) in (row.values() for row in lake.tables.query(KEPT).rows()):
        assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == Path(path).name


def check_files(lake: Lakehouse) -> None:
    """Every file that any commit's tables are made of is there and as long as it says, and the ledgers add up."""
    for number in range(1, lake.catalog.head() + 1):
        ledger = lake.catalog.ledger(number)
        assert ledger is None or ledger.adds_up
        for entry in lake.catalog.tables(number):
            for path, size in reachable(lake, entry.name, number):
                assert size is None or path.stat().st_size == size, path
                assert path.exists(), path


def reachable(lake: Lakehouse, name: TableName, at: int | None = None) -> list[tuple[Path, int | None]]:
    """Every file that a published table is made of, with its size where the table says it."""
    entry = lake.catalog.table(name, at)
    found: list[tuple[Path, int | None]] = [(Path(entry.metadata_location), None)]
    snapshot = lake.catalog.metadata(entry).current_snapshot
    if snapshot is not None:
        found.append((Path(snapshot["manifest-list"]), None))
        for manifest in manifests.manifests(snapshot["manifest-list"]):
            found.append((Path(manifest.path), manifest.length))
            found.extend((Path(file.path), file.size) for file in manifests.files(manifest))
    return found
