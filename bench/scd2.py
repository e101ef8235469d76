"""A hundred thousand changes, one of ten late, into five million versions: an scd2 step beside DuckDB by hand.

    python bench/scd2.py [ROUNDS [VERSIONS]]

By hand means a script that reads the versions and the new changes, makes all versions again and writes the Parquet file
anew, as it is done where no table format helps. It knows nothing of checks or a ledger.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import duckdb
from increment import Done, compare, step
from measure import scratch, seconds

GOAL = 1
VERSIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
KEYS = VERSIONS // 5
CHANGES = VERSIONS // 50
COLUMNS = "'customer ' || (i % 1000003) AS name, 'city ' || (i % 997) AS city, (i * 7919) % 100001 AS points"
BASE = f"""
SELECT i % {KEYS} AS id, {COLUMNS}, TIMESTAMP '2026-01-01' + INTERVAL (i // {KEYS} * 10) DAY AS changed
FROM range({VERSIONS}) AS r(i)
"""
CHANGED = f"""
SELECT (i * 7919) % {KEYS} AS id, 'customer ' || (i % 1000003) AS name, 'town ' || (i % 997) AS city, i AS points,
  TIMESTAMP '2026-06-01' + INTERVAL (i % 86400) SECOND - INTERVAL (CASE WHEN i % 10 = 0 THEN 140 ELSE 0 END) DAY
  AS changed
FROM range({CHANGES}) AS r(i)
"""
TABLE = "silver.customers"
FILES = {
    "sources/changes.yaml": "kind: files\npaths: [rows/*.parquet]\nsettle_seconds: 0\n",
    "models/silver/customers.sql": """/*---
kind: scd2
key: [id]
event_time: changed
checks:
  - between: {points: [0, 10000000]}
  - not_null: name
---*/
SELECT id, name, city, points, changed FROM bronze.changes
""",
}
SUMS = "count(*) AS n, count(valid_to) AS ended, sum(points)::BIGINT AS points, max(valid_to)::VARCHAR AS last"
BY_HAND = """
WITH known AS (SELECT id, name, city, points, valid_from AS changed FROM '{folder}/versions.parquet'),
every AS (SELECT * FROM known UNION ALL SELECT * FROM '{folder}/changed.parquet'),
one AS (
  SELECT * FROM every QUALIFY row_number() OVER (PARTITION BY id, changed ORDER BY name, city, points) = 1
),
marked AS (
  SELECT *, (name, city, points) IS NOT DISTINCT FROM lag((name, city, points)) OVER w AS repeats
  FROM one WINDOW w AS (PARTITION BY id ORDER BY changed)
)
SELECT id, name, city, points, changed AS valid_from, lead(changed) OVER w AS valid_to, valid_to IS NULL AS is_current
FROM marked WHERE NOT repeats WINDOW w AS (PARTITION BY id ORDER BY changed)
"""
FIRST = """
SELECT id, name, city, points, changed AS valid_from, lead(changed) OVER w AS valid_to, valid_to IS NULL AS is_current
FROM '{folder}/base.parquet' WINDOW w AS (PARTITION BY id ORDER BY changed)
"""


def by_step(folder: Path) -> Done:
    """The step of the model, its changes being in bronze."""
    return step(folder, FILES, BASE, CHANGED, TABLE, SUMS)


def by_hand(folder: Path) -> Done:
    """The script."""
    place = folder / "hand"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    con = duckdb.connect()
    for name, query in (("base", BASE), ("changed", CHANGED), ("versions", FIRST.format(folder=place))):
        con.execute(f"COPY ({query}) TO '{place}/{name}.parquet' (CODEC zstd)")

    def rewrite() -> None:
        con.execute(f"COPY ({BY_HAND.format(folder=place)}) TO '{place}/anew.parquet' (CODEC zstd)")
        (place / "anew.parquet").replace(place / "versions.parquet")

    taken = seconds(rewrite)
    (sums,) = con.execute(f"SELECT {SUMS} FROM '{place}/versions.parquet'").fetchall()
    return Done(taken, sums)


def main() -> None:
    """Measure both in turn and print the ratio."""
    name = f"scd2, {CHANGES:,} changes into {VERSIONS:,} versions"
    with scratch() as folder:
        compare(name, by_step, by_hand, folder, GOAL, rival="DuckDB by hand")


if __name__ == "__main__":
    main()
