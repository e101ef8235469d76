"""A hundred row checks on ten million rows, beside one check on the same rows.

    python bench/checks.py [ROUNDS]

Two append models read one bronze table, of whose rows one in a thousand is bad; both are built anew in each round, in
turn, and the seconds of their steps compared. The checks are of every kind, over text with few and with many distinct
values, numbers, times.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import duckdb
from measure import declare, millpond, rounds_given, scratch, verdict

ROWS, GOAL = 10_000_000, 3.0
MADE = f"""
SELECT range AS id, 'AB' || lpad((range % 5000)::VARCHAR, 6, '0') AS vehicle,
  CASE WHEN range % 1000 = 7 THEN 150 ELSE (range * 7919) % 101 END AS battery,
  ['scooter', 'ebike', 'car', 'van'][1 + range % 4] AS kind, sin(range) * 90 AS latitude, cos(range) * 180 AS longitude,
  TIMESTAMP '2026-06-01' + INTERVAL (range // 200) SECOND AS ts,
  'user' || (range * 7919 % 3000000) || '@example.org' AS email, (range % 997) * 0.25::DOUBLE AS speed,
  CASE WHEN range % 50 = 0 THEN NULL ELSE 'note ' || (range % 100000) END AS note
FROM range({ROWS})
"""
HEAD = "/*---\nkind: append\nkey: [id]\nchecks:\n"
QUERY = "---*/\nSELECT id, vehicle, battery, kind, latitude, longitude, ts, email, speed, note FROM bronze.readings\n"
FILES = {
    "sources/readings.yaml": "kind: files\npaths: [rows/*.parquet]\nsettle_seconds: 0\n",
    "sources/places.yaml": "kind: files\npaths: [places/*.csv]\nsettle_seconds: 0\n",
    "models/silver/kinds.sql": "/*---\nkind: append\nkey: [kind]\n---*/\nSELECT kind FROM bronze.places\n",
}


def hundred() -> list[str]:
    """The lines of a hundred checks; bad rows fail those of battery, and missing notes are warned of."""
    checks = [f"not_null: {column}" for column in ("id", "vehicle", "battery", "kind", "latitude", "longitude")]
    checks += [f"not_null: {column}" for column in ("ts", "email", "speed")]
    for n in range(5):
        for column in ("id", "battery", "latitude", "longitude", "speed"):
            checks.append(f"between: {{{column}: [{-1000 - n}, {10**9 + n}]}}")
        checks.append(f"between: {{ts: [2020-01-01 00:00:00, {2030 + n}-01-01 00:00:00]}}")
        checks.append(f"in: {{battery: {list(range(101 + n))}}}")
    for n in range(10):
        checks.append(f"in: {{kind: [scooter, ebike, car, van, other{n}]}}")
        checks.append(f"sql: latitude <= {90 + n} AND longitude >= latitude - {1000 + n}")
    for n in range(4):
        checks.append(f"regex: {{kind: '^[a-z]{{3,{7 + n}}}$'}}")
    for n in range(6):
        checks.append(f"regex: {{vehicle: '^[A-Z]{{2}}\\d{{6,{7 + n}}}$'}}")
    for n in range(2):
        checks.append(f"regex: {{email: '^[^@ ]+@[^@ ]+\\.[a-z]{{2,{7 + n}}}$'}}")
        checks.append(f"regex: {{note: '^note \\d{{1,{7 + n}}}$'}}")
    for n in range(5):
        for column in ("vehicle", "email", "note"):
            checks.append(f"length: {{{column}: [1, {100 + n}]}}")
        checks.append("type: {battery: INTEGER}")
    checks.append("not_null: note\n    severity: warn")
    checks.append("relationship: {kind: silver.kinds.kind}")
    return [f"  - {check}\n    name: rule{number}\n" for number, check in enumerate(checks)]


def step_seconds(events: str, table: str) -> float:
    """How long the step of a table took, from the events of its run."""
    for line in events.splitlines():
        event = json.loads(line)
        if event.get("event") == "step_finished" and event["table"] == table:
            return float(event["seconds"])
    raise SystemExit(f"checks: no step of {table} in:\n{events}")


def prepare(project: Path) -> None:
    """The project with its rows landed."""
    checks = hundred()
    if len(checks) != 100:
        raise SystemExit(f"{len(checks)} checks are no hundred")
    declare(
        project,
        {
            **FILES,
            "models/silver/one.sql": f"{HEAD}  - between: {{battery: [0, 100]}}\n{QUERY}",
            "models/silver/hundred.sql": f"{HEAD}{''.join(checks)}{QUERY}",
            "places/a.csv": "kind\nscooter\nebike\ncar\nvan\n",
        },
    )
    (project / "rows").mkdir()
    duckdb.execute(f"COPY ({MADE}) TO '{project}/rows/a.parquet' (CODEC zstd)")
    millpond(project, "run", "--select", "layer:bronze", "--select", "silver.kinds", "--yes", "-q")


def main() -> None:
    """Build both models in turn and print the ratio of their steps."""
    rounds = rounds_given(3)
    times: dict[str, list[float]] = {"silver.one": [], "silver.hundred": []}
    with scratch() as folder:
        millpond(folder, "init", "lake", "--template", "empty", "-q")
        project = folder / "lake"
        prepare(project)
        for _ in range(rounds):
            for table, taken in times.items():
                events = millpond(project, "run", "--select", table, "--rebuild", table, "--yes", "--json")
                taken.append(step_seconds(events, table))
    ours, theirs = (statistics.median(times[table]) for table in ("silver.hundred", "silver.one"))
    verdict("a hundred row checks on ten million rows", ours, theirs, GOAL, rival="one check")


if __name__ == "__main__":
    main()
