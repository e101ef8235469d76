"""The valleybike files to bronze, checked silver, gold and quarantine: `millpond` beside DuckDB alone.

    python bench/valleybike.py [ROUNDS]

Both sides start a process, read the same 42 files and write the same tables with the same codec. The answers of both
are compared before a time is printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb
from measure import BENCH, in_turn, millpond, rounds_given, run, scratch, shared_data, verdict

GOAL = 1.6
ANSWERS = {
    "positions": "SELECT count(*) AS a, bit_xor(md5_number_lower(concat_ws('|', route_id, bike_id, user_id, "
    "epoch_us(ts), latitude, longitude)))::VARCHAR AS b FROM {positions}",
    "trips": "SELECT count(*) AS a, round(sum(distance_m), 1)::VARCHAR AS b FROM {trips}",
    "demand": "SELECT count(*) AS a, max(trips)::VARCHAR AS b FROM {demand}",
    "quarantine": "SELECT count(*) AS a, count(DISTINCT origin || position)::VARCHAR AS b FROM {quarantine} "
    "WHERE kind = 'row'",
}


def ours(folder: Path, data: Path) -> None:
    """A new project from the template, and one run."""
    millpond(folder, "init", "vb", "--template", "valleybike", "-q")
    millpond(folder / "vb", "run", "--var", f"data={data}", "--yes", "-q")


def our_answers(folder: Path) -> dict[str, list[object]]:
    """What the gate says."""
    names = {
        "positions": "silver.positions",
        "trips": "gold.trips",
        "demand": "gold.demand_by_hour",
        "quarantine": "quarantine.records",
    }
    lines = {key: millpond(folder / "vb", "query", sql.format(**names), "--json") for key, sql in ANSWERS.items()}
    return {key: list(json.loads(line).values()) for key, line in lines.items()}


def raw_answers(folder: Path) -> dict[str, list[object]]:
    """What the files say."""
    names = {
        "positions": f"'{folder}/positions.parquet'",
        "trips": f"'{folder}/trips.parquet'",
        "demand": f"'{folder}/demand_by_hour.parquet'",
        "quarantine": f"'{folder}/quarantine.parquet'",
    }
    rows = {key: duckdb.sql(sql.format(**names)).fetchone() for key, sql in ANSWERS.items()}
    return {key: list(row or ()) for key, row in rows.items()}


def main() -> None:
    """Measure both sides in turn and print the ratio."""
    data, rounds = shared_data() / "mobility" / "valleybike", rounds_given(3)
    with scratch() as folder:

        def place(side: str, number: int) -> Path:
            made = folder / f"{side}{number}"
            made.mkdir()
            return made

        times = in_turn(
            {
                "raw": lambda n: run([sys.executable, BENCH / "valleybike_raw.py", data, place("raw", n)]),
                "ours": lambda n: ours(place("ours", n), data),
            },
            rounds,
        )
        seen, wanted = our_answers(folder / "ours0"), raw_answers(folder / "raw0")
        if seen != wanted:
            sys.exit(f"valleybike: the sides differ: millpond {seen}, DuckDB {wanted}")
    verdict("valleybike", times["ours"], times["raw"], GOAL, rival="DuckDB alone")


if __name__ == "__main__":
    main()
