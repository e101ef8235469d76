"""Five million points and a thousand polygons: a step that finds each point's polygon, beside raw DuckDB with spatial.

    python bench/geofence.py [ROUNDS [POINTS]]

Raw means one statement over the same Parquet files that writes what it finds to another. It knows nothing of checks,
a ledger or a catalog.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import duckdb
from increment import Done, compare, one_step
from measure import declare, millpond, scratch, seconds

from millpond.engines.duckdb import extension_path

GOAL = 1.3
POINTS = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000_000
ACROSS, DOWN, CORNERS = 40, 25, 24
ZONES = f"""
WITH corners AS (
  SELECT x, y, k, x + 0.5 + (0.3 + 0.18 * cos(5 * k)) * cos(radians(k * 360.0 / {CORNERS})) AS lon,
    y + 0.5 + (0.3 + 0.18 * cos(5 * k)) * sin(radians(k * 360.0 / {CORNERS})) AS lat
  FROM range({ACROSS}) AS a(x), range({DOWN}) AS b(y), range({CORNERS} + 1) AS c(k)
)
SELECT 'Z' || (x * {DOWN} + y) AS zone_id,
  'POLYGON((' || string_agg(round(if(k = {CORNERS}, x + 0.98, lon), 6) || ' '
    || round(if(k = {CORNERS}, y + 0.5, lat), 6), ', ' ORDER BY k) || '))' AS boundary
FROM corners GROUP BY x, y
"""
POINT = f"""
SELECT i AS id, (i * 7919) % 1000003 / 1000003.0 * {ACROSS} AS longitude,
  (i * 104729) % 999983 / 999983.0 * {DOWN} AS latitude
FROM range({POINTS}) AS r(i)
"""
FOUND = """
SELECT p.id, z.zone_id FROM {points} AS p
JOIN {zones} AS z ON ST_Contains(ST_GeomFromText(z.boundary), ST_Point(p.longitude, p.latitude))
"""
FILES = {
    "millpond.yaml": "version: 1\nname: lake\nengine: {extensions: spatial}\n",
    "sources/points.yaml": "kind: files\npaths: [points.parquet]\nsettle_seconds: 0\n",
    "sources/zones.yaml": "kind: files\npaths: [zones.parquet]\nsettle_seconds: 0\n",
    "models/gold/located.sql": "/*---\nkind: replace\n---*/"
    + FOUND.format(points="bronze.points", zones="bronze.zones"),
}
SUMS = "count(*) AS n, sum(id)::BIGINT AS ids, count(DISTINCT zone_id) AS zones"


def by_step(folder: Path) -> Done:
    """The step of the model, points and zones being in bronze."""
    project = folder / "lake"
    shutil.rmtree(project, ignore_errors=True)
    millpond(folder, "init", "lake", "--template", "empty", "-q")
    declare(project, FILES)
    duckdb.sql(POINT).write_parquet(str(project / "points.parquet"), compression="zstd")
    duckdb.sql(ZONES).write_parquet(str(project / "zones.parquet"), compression="zstd")
    millpond(project, "run", "--select", "bronze.points", "--select", "bronze.zones", "--yes", "-q")
    return one_step(project, "gold.located", SUMS)


def by_statement(folder: Path) -> Done:
    """One statement from the same files to a file that is on the disk at its end."""
    made = folder / "found.parquet"
    con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    con.execute(f"LOAD '{extension_path('spatial')}'")
    query = FOUND.format(points=f"'{folder}/lake/points.parquet'", zones=f"'{folder}/lake/zones.parquet'")

    def find() -> None:
        con.execute(f"COPY ({query}) TO '{made}' (CODEC zstd)")
        with made.open("rb") as file:
            os.fsync(file.fileno())

    taken = seconds(find)
    (sums,) = con.execute(f"SELECT {SUMS} FROM '{made}'").fetchall()
    return Done(taken, sums)


def main() -> None:
    """Measure both in turn and print the ratio."""
    name = f"geofence, {POINTS:,} points in {ACROSS * DOWN:,} polygons"
    with scratch() as folder:
        compare(name, by_step, by_statement, folder, GOAL, rival="raw DuckDB spatial")


if __name__ == "__main__":
    main()
