"""Many small MERGEs into a large table, by a stock DuckDB through `millpond serve`: what reading costs afterwards.

    python bench/merges.py [MERGES [ROWS]]

1,000 MERGEs of 1,000 keys spread over 5 million rows, of which one in eleven is new, each a commit; the gateway looks
after the table meanwhile, as it does by default. Then `millpond maintain`, as a timer would run it. `count(*)` and the
look-up of one row by its id are measured beside the same rows in a table that was written at one go and maintained.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
from measure import in_turn, millpond, scratch, seconds, verdict
from stock import attached, gateway, stock_client

GOAL = 1.5
KEYS = 1_000
ROUNDS = 21
ROW = """
SELECT id, 'vehicle ' || (id % 5000) AS vehicle, {merge} AS merge, TIMESTAMP '2026-06-01' + INTERVAL (id // 200) SECOND
  AS ts, sin(id) * 90 AS latitude
FROM ({ids})
"""
MERGE = """
MERGE INTO lake.silver.merged AS t USING ({changes}) AS s ON t.id = s.id
WHEN MATCHED THEN UPDATE SET merge = s.merge, ts = s.ts
WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.vehicle, s.merge, s.ts, s.latitude)
"""
QUESTIONS = {
    "count(*)": "SELECT count(*) FROM lake.silver.{table}",
    "look-up": "SELECT * FROM lake.silver.{table} WHERE id = {id}",
}


def merge_all(con: duckdb.DuckDBPyConnection, merges: int, rows: int) -> list[float]:
    """Make the table and merge into it; the seconds that each MERGE took."""
    first = ROW.format(merge=-1, ids=f"SELECT range AS id FROM range({rows})")
    con.execute(f"CREATE TABLE lake.silver.merged AS {first}")
    taken = []
    for number in range(merges):
        ids = f"SELECT DISTINCT (hash({number}, range) % {rows * 11 // 10})::BIGINT AS id FROM range({KEYS})"
        changes = ROW.format(merge=number, ids=ids)
        taken.append(seconds(lambda changes=changes: con.execute(MERGE.format(changes=changes))))  # type: ignore[misc]
    return taken


def ask(con: duckdb.DuckDBPyConnection, question: str, row: int, table: str) -> list[tuple[object, ...]]:
    """The answer to one of the questions."""
    return con.execute(QUESTIONS[question].format(table=table, id=row)).fetchall()


def measure(con: duckdb.DuckDBPyConnection, question: str, row: int) -> None:
    """Compare the answers, then the times."""

    def side(table: str) -> Callable[[int], object]:
        return lambda _: ask(con, question, row, table)

    sides = {table: side(table) for table in ("merged", "written")}
    answers = [work(0) for work in sides.values()]
    if answers[0] != answers[1]:
        sys.exit(f"merges: {question} differs: {answers}")
    times = in_turn(sides, ROUNDS)
    verdict(f"{question} after MERGEs", times["merged"], times["written"], GOAL, rival="written at one go")


def main(merges: int, rows: int, folder: Path) -> None:
    """Merge, maintain, measure."""
    millpond(folder, "init", "lake", "--template", "empty", "-q")
    project = folder / "lake"
    con = stock_client()
    with gateway(project) as endpoint:
        attached(con, endpoint)
        taken = merge_all(con, merges, rows)
        con.execute("DETACH lake")
    first, last = (statistics.median(part) for part in (taken[: merges // 10 or 1], taken[-(merges // 10 or 1) :]))
    slow = sorted(taken)[int(len(taken) * 0.99)]
    print(f"  {merges} MERGEs in {sum(taken):.0f} s: the first tenth {first:.3f} s each, the last {last:.3f} s")
    print(f"  the 99th percentile: {slow:.3f} s")
    upkeep = seconds(lambda: millpond(project, "maintain"))
    print(f"  maintain: {upkeep:.1f} s")
    with gateway(project) as endpoint:
        attached(con, endpoint)
        con.execute("CREATE TABLE lake.silver.written AS FROM lake.silver.merged")
        con.execute("DETACH lake")
    millpond(project, "maintain")
    with gateway(project) as endpoint:
        attached(con, endpoint)
        for question in QUESTIONS:
            measure(con, question, rows // 2 + 17)
    con.close()


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    with scratch() as place:
        main(given[0] if given else 1_000, given[1] if len(given) > 1 else 5_000_000, place)
