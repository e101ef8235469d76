"""Ten thousand rows with random keys appended to a hundred million rows of history, beside one million.

    python bench/long_history.py [ROUNDS [ROWS]]

Keys carry no time, so that the history must be searched by key. No row is in the history already: those that are have
to be compared with it, wherever it has them.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from increment import Done, step
from measure import rounds_given, scratch, verdict

GOAL = 1.5
ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000_000
LESS, CHANGES = ROWS // 100, 10_000
EVENT = "hash(i) AS event_id, (i * 7919) % 100001 AS points"
TABLE = "silver.events"
FILES = {
    "sources/changes.yaml": "kind: files\npaths: [rows/*.parquet]\nsettle_seconds: 0\n",
    "models/silver/events.sql": "/*---\nkind: append\nkey: [event_id]\n---*/\n"
    "SELECT event_id::VARCHAR AS event_id, points FROM bronze.changes\n",
}
SUMS = "count(*) AS n, count(DISTINCT event_id) AS keys" if ROWS <= 1_000_000 else "count(*) AS n"


def by_step(folder: Path, rows: int) -> Done:
    """The step of the model, its new rows being in bronze, with so many rows of history."""
    base = f"SELECT {EVENT} FROM range({rows}) AS r(i)"
    changed = f"SELECT {EVENT} FROM range({rows}, {rows + CHANGES}) AS r(i)"
    done = step(folder, FILES, base, changed, TABLE, SUMS)
    if done.ledger["inserted"] != CHANGES:
        sys.exit(f"long_history: the ledger says {done.ledger}")
    return done


def main() -> None:
    """Measure both and print the ratio."""
    with scratch() as folder:
        for _ in range(rounds_given(1)):
            short, long = map(partial(by_step, folder), (LESS, ROWS))
            name = f"append of {CHANGES:,} rows into {ROWS:,} rows"
            verdict(name, long.seconds, short.seconds, GOAL, rival=f"into {LESS:,} rows")


if __name__ == "__main__":
    main()
