"""A CSV file of 3 GB under `memory: 500MB`: the run finishes, and its resident set stays under 900 MB.

python bench/large_csv.py [GIGABYTES]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import duckdb
from measure import MILLPOND, Peak, millpond, scratch

MOST_MEGABYTES = 900
BYTES_A_ROW = 85
SETTINGS = "version: 1\nname: large\nengine:\n  memory: 500MB\n"
SOURCE = "kind: files\npaths: [data/*.csv]\nsettle_seconds: 0\n"
MODEL = """/*---
kind: append
key: [vehicle_id, ts]
checks:
  - between: {battery: [0, 100]}
  - not_null: vehicle_id
---*/
SELECT vehicle_id, CAST(ts AS TIMESTAMP) AS ts, CAST(battery AS INTEGER) AS battery,
  CAST(latitude AS DOUBLE) AS latitude, CAST(longitude AS DOUBLE) AS longitude, note
FROM bronze.readings
"""


def make_csv(path: Path, size: int) -> int:
    """Write about `size` bytes; how many there are."""
    duckdb.sql(f"""
      COPY (SELECT 'SC' || lpad((range % 900000)::VARCHAR, 6, '0') AS vehicle_id,
          TIMESTAMP '2026-06-01' + INTERVAL (range // 100) SECOND AS ts, range % 101 AS battery,
          53 + (range % 1000003) / 1e7 AS latitude, 8 + (range % 999983) / 1e7 AS longitude,
          md5(range::VARCHAR) AS note
        FROM range({size // BYTES_A_ROW})) TO '{path}' (HEADER)
    """)
    return path.stat().st_size


def main() -> None:
    """Make the file, run, and print the peak."""
    gigabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with scratch() as folder:
        millpond(folder, "init", "large", "--template", "empty", "-q")
        project = folder / "large"
        (project / "millpond.yaml").write_text(SETTINGS)
        for path, text in (
            (project / "sources/readings.yaml", SOURCE),
            (project / "models/silver/readings.sql", MODEL),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (project / "data").mkdir(exist_ok=True)
        size = make_csv(project / "data" / "readings.csv", int(gigabytes * 1e9))
        start = time.perf_counter()
        run = subprocess.Popen([MILLPOND, "run", "--yes", "-q"], cwd=project)
        with Peak(run) as peak:
            code = run.wait()
        taken = time.perf_counter() - start
    peaked = peak.bytes / 1e6
    said = "met" if code == 0 and peaked < MOST_MEGABYTES else "MISSED"
    print(
        f"large_csv: {size / 1e9:.2f} GB under memory: 500MB, exit {code} after {taken:.0f} s, "
        f"peak {peaked:.0f} MB, ratio {peaked / MOST_MEGABYTES:.2f} of {MOST_MEGABYTES} MB: {said}"
    )


if __name__ == "__main__":
    main()
