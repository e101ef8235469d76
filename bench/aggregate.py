"""A hundred thousand new rows and ten thousand changed ones in fifty million: an aggregate's step beside a rebuild.

    python bench/aggregate.py [ROUNDS [ROWS]]

The rows are written by a stock DuckDB through `millpond serve`. The changed ones lie in each row group of the table,
which is the worst case, and then among the newest days, where changes that come late mostly are. The rival is the same
model built anew from all rows (`millpond run --rebuild`), which reads the same files with the same engine.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path

import duckdb
from measure import declare, millpond, rounds_given, scratch, verdict
from stock import attached, gateway, stock_client

GOAL = 1 / 20
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 50_000_000
NEW = ROWS // 500
CHANGED = ROWS // 5_000
TABLE = "gold.sales"
ORDERS = f"""
SELECT i AS id, 'city ' || (i % 100) AS city, DATE '2024-01-01' + (i * 730 // {ROWS})::INTEGER AS day,
  ((hash(i) % 100000000) / 100)::DECIMAL(12, 2) AS amount, (i % 7)::INTEGER AS pieces
FROM range({{start}}, {{stop}}) AS r(i)
"""
CHANGE = "UPDATE lake.silver.orders SET amount = amount + 1 WHERE {rows} AND amount < 990000"
LATE = 20
CHANGES = {
    "spread over all": f"id % {ROWS // CHANGED} = {{round}}",
    "among the newest": f"id BETWEEN {ROWS - LATE * CHANGED} AND {ROWS} AND id % {LATE} = {{round}}",
}
MODEL = """/*---
kind: aggregate
key: [city, month]
checks:
  - not_null: orders
---*/
SELECT city, date_trunc('month', day)::DATE AS month, count(*) AS orders, sum(amount) AS revenue, avg(pieces) AS mean,
  min(amount) AS least, max(amount) AS most
FROM silver.orders GROUP BY ALL
"""


def step(project: Path, *words: str) -> float:
    """The seconds of the model's step."""
    told = [json.loads(line) for line in millpond(project, "run", *words, "--yes", "--json").splitlines()]
    (finished,) = [event for event in told if event.get("event") == "step_finished"]
    return float(finished["seconds"])


def change(con: duckdb.DuckDBPyConnection, project: Path, start: int, rows: str) -> None:
    """New rows from an id on, and changed ones."""
    with gateway(project) as endpoint:
        attached(con, endpoint)
        con.execute(f"INSERT INTO lake.silver.orders {ORDERS.format(start=start, stop=start + NEW)}")
        con.execute(CHANGE.format(rows=rows))
        con.execute("DETACH lake")


def measured(project: Path) -> tuple[float, float]:
    """The seconds of the step, and of the model built anew, which must give the same."""
    ours = step(project)
    kept = millpond(project, "query", f"FROM {TABLE} ORDER BY ALL", "--json")
    anew = step(project, "--rebuild", TABLE)
    if kept != millpond(project, "query", f"FROM {TABLE} ORDER BY ALL", "--json"):
        sys.exit("the table differs from one that was built anew")
    return ours, anew


def main() -> None:
    """Change the rows and take the step, then build anew; each round once for each kind of change."""
    with scratch() as folder:
        millpond(folder, "init", "lake", "--template", "empty", "-q")
        project = folder / "lake"
        declare(project, {"models/gold/sales.sql": MODEL})
        con = stock_client()
        with gateway(project) as endpoint:
            attached(con, endpoint)
            con.execute(f"CREATE TABLE lake.silver.orders AS {ORDERS.format(start=0, stop=ROWS)}")
            con.execute("DETACH lake")
        step(project)
        start = ROWS
        for where, rows in CHANGES.items():
            times = []
            for number in range(rounds_given(3)):
                change(con, project, start, rows.format(round=number))
                start += NEW
                times.append(measured(project))
            ours, anew = map(statistics.median, zip(*times, strict=True))
            name = f"aggregate, {NEW:,} new and {CHANGED:,} changed rows {where} of {ROWS:,}"
            verdict(name, ours, anew, GOAL, rival="built anew")


if __name__ == "__main__":
    main()
