"""A million changes into ten million rows: an upsert step with ledger and two checks beside deltalake's MERGE alone.

    python bench/upsert.py [ROUNDS [ROWS]]

Nine of ten changes are newer rows of keys that are there, the others new keys. deltalake has its changes in memory, the
step reads them from bronze.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import duckdb
from deltalake import DeltaTable, write_deltalake
from increment import Done, compare, step
from measure import scratch, seconds

GOAL = 1 / 4
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
CHANGES = ROWS // 10
COLUMNS = """
  'customer ' || (i % 1000003) AS name, 'city ' || (i % 997) AS city, (i * 7919) % 100001 AS points,
  sin(i) * 90 AS balance, TIMESTAMP '2026-01-01' + INTERVAL (i % 864000) SECOND AS opened
"""
BASE = f"SELECT i AS id, {COLUMNS}, TIMESTAMP '2026-06-01' AS changed FROM range({ROWS}) AS r(i)"
CHANGED = f"""
SELECT (i * 7919) % {ROWS} + CASE WHEN i % 10 = 0 THEN {ROWS} ELSE 0 END AS id, {COLUMNS},
  TIMESTAMP '2026-06-02' + INTERVAL (i % 86400) SECOND AS changed FROM range({CHANGES}) AS r(i)
"""
TABLE = "silver.customers"
FILES = {
    "sources/changes.yaml": "kind: files\npaths: [rows/*.parquet]\nsettle_seconds: 0\n",
    "models/silver/customers.sql": """/*---
kind: upsert
key: [id]
order: changed
checks:
  - between: {points: [0, 1000000]}
  - not_null: name
---*/
SELECT id, name, city, points, balance, opened, changed FROM bronze.changes
""",
}


SUMS = "count(*) AS n, sum(points)::BIGINT AS points"


def by_step(folder: Path) -> Done:
    """The step of the model, its changes being in bronze."""
    done = step(folder, FILES, BASE, CHANGED, TABLE, SUMS)
    counted = (done.ledger["updated"], done.ledger["inserted"])
    if counted != (CHANGES - CHANGES // 10, CHANGES // 10):
        sys.exit(f"upsert: the ledger says {done.ledger}")
    return done


def by_deltalake(folder: Path) -> Done:
    """The MERGE of the same changes, in memory, into the same rows."""
    place = folder / "delta"
    shutil.rmtree(place, ignore_errors=True)
    write_deltalake(str(place), duckdb.sql(BASE).to_arrow_table())
    changed = duckdb.sql(CHANGED).to_arrow_table()

    def merge() -> None:
        merging = DeltaTable(str(place)).merge(changed, "t.id = s.id", source_alias="s", target_alias="t")
        merging = merging.when_matched_update_all(predicate="s.changed > t.changed")
        merging.when_not_matched_insert_all().execute()

    taken = seconds(merge)
    files = [str(path) for path in DeltaTable(str(place)).file_uris()]
    (sums,) = duckdb.sql(f"SELECT {SUMS} FROM read_parquet({files})").fetchall()
    return Done(taken, sums)


def main() -> None:
    """Measure both in turn and print the ratio."""
    name = f"upsert of {CHANGES:,} changes into {ROWS:,} rows"
    with scratch() as folder:
        compare(name, by_step, by_deltalake, folder, GOAL, rival="deltalake MERGE")


if __name__ == "__main__":
    main()
