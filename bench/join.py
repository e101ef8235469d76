"""A hundred rows of a dimension that come late to five million facts: a joined model's step beside a rebuild.

    python bench/join.py [ROUNDS [FACTS]]

The rows are written by a stock DuckDB through `millpond serve`. The rival is the same model built anew from all rows
(`millpond run --rebuild`), which reads the same files with the same engine.
"""

from __future__ import annotations

import statistics
import sys

from increment import one_step
from measure import declare, millpond, rounds_given, scratch, verdict
from stock import attached, gateway, stock_client

GOAL = 1 / 4
FACTS = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
CUSTOMERS = FACTS // 50
LATE = 100
TABLE = "gold.orders"
SUMS = "count(*) AS n, sum(hash(id, name, city)) AS every, count(*) FILTER (WHERE name = 'unknown') AS unknown"
ORDERS = f"""
SELECT i AS id, (hash(i) % {CUSTOMERS})::BIGINT AS customer, DATE '2024-01-01' + (i * 730 // {FACTS})::INTEGER AS day,
  ((hash(i) % 100000000) / 100)::DECIMAL(12, 2) AS amount
FROM range({FACTS}) AS r(i)
"""
PEOPLE = "SELECT i AS id, 'customer ' || i AS name, 'city ' || (i % 100) AS city FROM range({start}, {stop}) AS r(i)"
MODEL = """/*---
kind: replace
key: [id]
checks:
  - not_null: name
---*/
SELECT o.id, o.day, o.amount, o.customer, coalesce(c.name, 'unknown') AS name, coalesce(c.city, 'unknown') AS city
FROM silver.orders AS o LEFT JOIN silver.customers AS c ON o.customer = c.id
"""


def main() -> None:
    """Let customers come and take the step, then build anew; each round once."""
    times: tuple[list[float], list[float]] = ([], [])
    rounds = rounds_given(3)
    with scratch() as folder:
        millpond(folder, "init", "lake", "--template", "empty", "-q")
        project = folder / "lake"
        declare(project, {"models/gold/orders.sql": MODEL})
        con = stock_client()
        known = CUSTOMERS - rounds * LATE
        with gateway(project) as endpoint:
            attached(con, endpoint)
            con.execute(f"CREATE TABLE lake.silver.orders AS {ORDERS}")
            con.execute(f"CREATE TABLE lake.silver.customers AS {PEOPLE.format(start=0, stop=known)}")
            con.execute("DETACH lake")
        one_step(project, TABLE, SUMS)
        for number in range(rounds):
            start = known + number * LATE
            with gateway(project) as endpoint:
                attached(con, endpoint)
                con.execute(f"INSERT INTO lake.silver.customers {PEOPLE.format(start=start, stop=start + LATE)}")
                con.execute("DETACH lake")
            healed = one_step(project, TABLE, SUMS)
            if not healed.ledger["updated"] or healed.ledger["unchanged"] > healed.ledger["updated"]:
                sys.exit(f"the step did not heal the facts of {LATE} customers alone: {healed.ledger}")
            anew = one_step(project, TABLE, SUMS, "--rebuild", TABLE)
            if healed.sums != anew.sums:
                sys.exit("the table differs from one that was built anew")
            times[0].append(healed.seconds)
            times[1].append(anew.seconds)
    name = f"join, {LATE:,} late rows of {CUSTOMERS:,} for {FACTS:,} facts"
    verdict(name, statistics.median(times[0]), statistics.median(times[1]), GOAL, rival="built anew")


if __name__ == "__main__":
    main()
