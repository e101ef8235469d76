"""What valleybike.py is measured against: the same tables by DuckDB alone, as Parquet files with the same codec.

    python bench/valleybike_raw.py DATA_FOLDER OUT_FOLDER

No catalog, no commits, no counting, and it knows its data: dialect, columns and faults are written down here.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
from pathlib import Path

import duckdb

COLUMNS = ("Route ID", "Bike", "Date", "Latitude", "Longitude", "User ID")
STAGED = """
CREATE TEMP TABLE staged AS
SELECT *, CASE
    WHEN ts IS NULL THEN 'cast:ts'
    WHEN NOT coalesce(latitude BETWEEN 42 AND 43, true) THEN 'between:latitude'
    WHEN NOT coalesce(longitude BETWEEN -73 AND -72, true) THEN 'between:longitude'
    WHEN ts < TIMESTAMP '2018-06-01' THEN 'sql:ts' END AS rule
FROM (
  SELECT "Route ID" AS route_id, try_cast(replace("Bike", ',', '') AS INTEGER) AS bike_id, "User ID" AS user_id,
    CAST(try_cast("Date" AS TIMESTAMPTZ) AS TIMESTAMP) AS ts, try_cast("Latitude" AS DOUBLE) AS latitude,
    try_cast("Longitude" AS DOUBLE) AS longitude, "Date" AS raw_ts, _origin, _position, _load
  FROM 'bronze.parquet')
"""
QUARANTINE = """
COPY (SELECT md5(concat_ws('|', 'silver.positions', _origin, _position, rule)) AS id, 'silver.positions' AS model,
    'row' AS kind, rule, CASE rule WHEN 'cast:ts' THEN raw_ts WHEN 'between:latitude' THEN latitude::VARCHAR
    WHEN 'between:longitude' THEN longitude::VARCHAR ELSE ts::VARCHAR END AS value,
    to_json({route_id: route_id, bike_id: bike_id, user_id: user_id, ts: raw_ts, latitude: latitude,
    longitude: longitude})::VARCHAR AS raw, _origin AS origin, _position AS position, _load AS load,
    now()::TIMESTAMP AS at
  FROM staged WHERE rule IS NOT NULL) TO 'quarantine.parquet' (CODEC zstd)
"""
SILVER = """
COPY (SELECT route_id, bike_id, user_id, ts, latitude, longitude FROM staged WHERE rule IS NULL GROUP BY ALL)
TO 'positions.parquet' (CODEC zstd)
"""
TRIPS = """
COPY (SELECT route_id, any_value(bike_id) AS bike_id, any_value(user_id) AS user_id, min(ts) AS started_at,
    max(ts) AS ended_at, date_diff('second', min(ts), max(ts)) AS duration_s, count(*) AS points,
    coalesce(sum(2 * 6371008.8 * asin(sqrt(pow(sin(radians(latitude - la) / 2), 2)
      + cos(radians(la)) * cos(radians(latitude)) * pow(sin(radians(longitude - lo) / 2), 2)))), 0) AS distance_m
  FROM (SELECT *, lag(latitude) OVER w AS la, lag(longitude) OVER w AS lo FROM 'positions.parquet'
    WINDOW w AS (PARTITION BY route_id ORDER BY ts, latitude, longitude))
  GROUP BY route_id) TO 'trips.parquet' (CODEC zstd)
"""
DEMAND = """
COPY (SELECT date_trunc('hour', started_at) AS hour, count(*) AS trips, count(DISTINCT user_id) AS riders
  FROM 'trips.parquet' GROUP BY ALL) TO 'demand_by_hour.parquet' (CODEC zstd)
"""


def is_page(path: Path) -> bool:
    """Whether the archive holds an HTML page."""
    with gzip.open(path) as stream:
        return stream.read(1) == b"<"


def bronze(files: list[Path]) -> str:
    """The statement that copies every file's records with their origin."""
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS)
    options = f"skip = 3, header = false, columns = {{{columns}}}, auto_detect = false, delim = ',', quote = '\"'"
    parts = " UNION ALL ".join(
        f"(SELECT *, '{path}' AS _origin, row_number() OVER () AS _position, 'raw' AS _load, "
        f"now()::TIMESTAMP AS _loaded_at, NULL::VARCHAR AS _rescued FROM read_csv('{path}', {options}))"
        for path in files
    )
    return f"COPY ({parts}) TO 'bronze.parquet' (CODEC zstd)"


def main(data: Path, out: Path) -> None:
    """Write all tables into the folder."""
    found = sorted(data.glob("*.csv.gz"))
    pages = [path for path in found if is_page(path)]
    files = [path for path in found if path not in pages]
    (out / "pages").mkdir()
    for page in pages:
        shutil.copy(page, out / "pages")
    con = duckdb.connect()
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET TimeZone = 'UTC'")
    os.chdir(out)
    for statement in (bronze(files), STAGED, QUARANTINE, SILVER, TRIPS, DEMAND):
        con.execute(statement)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
