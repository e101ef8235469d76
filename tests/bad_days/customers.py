"""A small project of histories with answers that plain Python knows: changes of customers, and who lives where."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.bad_days.small import put

FILES = {
    "millpond.yaml": "version: 1\nname: customers\nengine: {memory: 300MB, threads: 1}\n",
    "sources/changes.yaml": "kind: files\npaths: [data/*.csv]\nformat: csv\n",
    "models/silver/customers.sql": """/*---
kind: scd2
key: [customer]
event_time: changed
checks:
  - not_null: city
on_fail: quarantine
---*/
SELECT customer::INT AS customer, nullif(city, '') AS city, points::INT AS points, changed::TIMESTAMP AS changed
FROM bronze.changes
""",
    "models/gold/cities.sql": """/*---
kind: aggregate
key: [city]
---*/
SELECT city, count(*) AS customers, sum(points)::BIGINT AS points, max(valid_from) AS newest,
    count(DISTINCT points) AS scores
FROM silver.customers WHERE is_current GROUP BY city
""",
}
BEGAN = datetime(2026, 1, 1)

Change = tuple[int, str, int, datetime]
"""Customer, city, points, and when."""


@dataclass
class Changes:
    """The changes that have arrived, late ones among them, and what they must become."""

    folder: Path
    seed: int = 0
    changes: list[Change] = field(default_factory=list)
    rejected: int = 0
    files: int = 0

    def arrive(self, rows: int = 25) -> None:
        """One file. No two changes are of one moment."""
        chance = random.Random(self.seed * 1000 + self.files)
        self.files += 1
        lines = ["customer,city,points,changed"]
        for number in range(rows):
            late = chance.randrange(400) if chance.random() < 0.3 else 0
            moment = BEGAN + timedelta(days=self.files * 100 - late, seconds=self.files * 1000 + number)
            change = (chance.randrange(9), chance.choice(["Ulm", "Bonn", "Kiel", ""]), chance.randrange(3), moment)
            if change[1]:
                self.changes.append(change)
            else:
                self.rejected += 1
            lines.append(",".join(map(str, change)))
        put(self.folder / "data" / f"changes{self.files:03}.csv", "\n".join(lines) + "\n")

    def versions(self) -> Iterator[tuple[int, str, int, datetime, datetime | None]]:
        """Customer, city, points, from when and until when, in order of customer and time."""
        for customer in sorted({change[0] for change in self.changes}):
            mine = sorted((change for change in self.changes if change[0] == customer), key=lambda change: change[3])
            kept = mine[:1] + [now for was, now in pairwise(mine) if was[1:3] != now[1:3]]
            ends = [change[3] for change in kept[1:]]
            for change, until in zip(kept, [*ends, None], strict=True):
                yield *change, until

    def answers(self) -> dict[str, Any]:
        """What every table must hold once all that arrived was run."""
        versions = list(self.versions())
        cities: dict[str, list[tuple[int, datetime]]] = {}
        for _customer, city, points, since, until in versions:
            if until is None:
                cities.setdefault(city, []).append((points, since))
        return {
            "SELECT count(*) FROM bronze.changes": [(len(self.changes) + self.rejected,)],
            "SELECT customer, city, points, valid_from, valid_to FROM silver.customers ORDER BY 1, 4": versions,
            "SELECT city, customers, points, newest, scores FROM gold.cities ORDER BY city": [
                (
                    city,
                    len(held),
                    sum(points for points, _ in held),
                    max(since for _, since in held),
                    len({points for points, _ in held}),
                )
                for city, held in sorted(cities.items())
            ],
            "SELECT count(*) FROM quarantine.records": [(self.rejected,)],
        }


def customers_project(folder: Path, seed: int = 0) -> Changes:
    """The project's files in a folder, and nothing arrived."""
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "data").mkdir()
    return Changes(folder, seed)
