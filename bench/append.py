"""Ten million rows appended: by a stock DuckDB through the gateway, and by a model step with two checks.

    python bench/append.py [ROUNDS]

Beside each, in the same process or on the same bytes, the COPY of the same rows to Parquet with the same codec.
"""

from __future__ import annotations

import json
from pathlib import Path

from measure import in_turn, millpond, rounds_given, scratch, seconds, verdict
from stock import attached, gateway, stock_client

ROWS = 10_000_000
CLIENT_GOAL, STEP_GOAL = 1.3, 2.0
MADE = f"""
SELECT range AS id, 'vehicle ' || (range % 5000) AS vehicle, (range * 7919) % 101 AS battery,
  TIMESTAMP '2026-06-01' + INTERVAL (range // 200) SECOND AS ts, sin(range) * 90 AS latitude
FROM range({ROWS})
"""
SOURCE = "kind: files\npaths: [rows/*.parquet]\nsettle_seconds: 0\n"
MODEL = """/*---
kind: append
key: [id]
checks:
  - between: {battery: [0, 100]}
  - not_null: vehicle
---*/
SELECT id, vehicle, battery, ts, latitude FROM bronze.readings
"""


def by_client(folder: Path, rounds: int) -> None:
    """INSERT through the gateway beside COPY, from the same rows in memory."""
    millpond(folder, "init", "lake", "--template", "empty", "-q")
    con = stock_client()
    con.execute(f"CREATE TABLE made AS {MADE}")
    with gateway(folder / "lake") as endpoint:
        attached(con, endpoint)
        con.execute(
            "CREATE TABLE lake.silver.readings "
            "(id BIGINT, vehicle VARCHAR, battery BIGINT, ts TIMESTAMP, latitude DOUBLE)"
        )
        times = in_turn(
            {
                "copy": lambda n: con.execute(f"COPY made TO '{folder}/copy{n}.parquet' (CODEC zstd)"),
                "append": lambda _: con.execute("INSERT INTO lake.silver.readings SELECT * FROM made"),
            },
            rounds,
        )
        [(seen,)] = con.execute("SELECT count(*) FROM lake.silver.readings").fetchall()
    assert seen == ROWS * rounds, f"{seen} rows arrived"
    con.close()
    verdict("append by a stock client", times["append"], times["copy"], CLIENT_GOAL, rival="COPY")


def by_step(folder: Path, rounds: int) -> None:
    """A silver step over bronze beside COPY of the same rows from a Parquet file of their size."""
    con = stock_client()
    steps, copies = [], []
    for number in range(rounds):
        name = f"step{number}"
        millpond(folder, "init", name, "--template", "empty", "-q")
        project = folder / name
        rows = project / "rows"
        for path, text in (
            (project / "sources/readings.yaml", SOURCE),
            (project / "models/silver/readings.sql", MODEL),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        rows.mkdir()
        con.execute(f"COPY ({MADE}) TO '{rows}/a.parquet' (CODEC zstd)")
        millpond(project, "run", "--select", "bronze.readings", "--yes", "-q")
        copy = f"COPY (SELECT * FROM '{rows}/a.parquet') TO '{folder}/{name}.parquet' (CODEC zstd)"
        copies.append(seconds(lambda copy=copy: con.execute(copy)))  # type: ignore[misc]
        steps.append(step_seconds(millpond(project, "run", "--select", "silver.readings", "--yes", "--json")))
    verdict("append by a model step, two checks", min(steps), min(copies), STEP_GOAL, rival="COPY")


def step_seconds(events: str) -> float:
    """How long the step of silver.readings took, from the events of its run."""
    for line in events.splitlines():
        event = json.loads(line)
        if event.get("table") == "silver.readings" and "seconds" in event:
            return float(event["seconds"])
    raise SystemExit(f"append: no step of silver.readings in:\n{events}")


def main() -> None:
    """Measure both ways and print both ratios."""
    rounds = rounds_given(3)
    with scratch() as folder:
        by_client(folder, rounds)
        by_step(folder, rounds)


if __name__ == "__main__":
    main()
