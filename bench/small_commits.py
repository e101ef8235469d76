"""Small commits of a stock DuckDB through `millpond serve`, default retention and upkeep on; DuckLake beside it.

    python bench/small_commits.py [COMMITS]

Ten thousand commits of 1,000 rows: the last hundred beside the hundred after the first fifty, and beside DuckLake on
SQLite. DuckLake syncs its catalog and not its data files; here each new data file of it is synced too, since ours are.
Then `count(*)` and a point look-up, beside the same rows in a table that was written at once: when the writer has
paused for ten seconds, which upkeep uses.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
from measure import in_turn, millpond, scratch, seconds, verdict
from stock import gateway, stock_client

FLAT, WORST, RIVAL, READ = 1.5, 5.0, 1.5, 1.5
ROWS = 1000
PAUSE_S = 10.0


def main() -> None:
    """Write on both sides, then read."""
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with scratch() as folder:
        millpond(folder, "init", "lake", "--template", "empty", "-q")
        with gateway(folder / "lake") as endpoint:
            con = stock_client()
            con.execute(f"ATTACH 'prod' AS lake (TYPE iceberg, ENDPOINT '{endpoint}', AUTHORIZATION_TYPE 'none')")
            ours = written(con, commits, lambda: 0.0)
            time.sleep(PAUSE_S)
            reads(con, commits)
            con.close()
        con, files = ducklake(folder)
        theirs = written(con, commits, lambda: sync_new(files))
    first, last = statistics.median(ours[50:150]), statistics.median(ours[-100:])
    worst, rival = sorted(ours)[int(len(ours) * 0.99)], statistics.median(theirs[-100:])
    verdict("small commits, the last 100", last, first, FLAT, rival="100 after the first 50")
    verdict("small commits, the 99th percentile", worst, statistics.median(ours), WORST, rival="the median")
    verdict("small commits, the last 100", last, rival, RIVAL, rival="DuckLake")


def written(con: duckdb.DuckDBPyConnection, commits: int, more: Callable[[], float]) -> list[float]:
    """Seconds of each commit, with what `more` says was needed to make it durable."""
    con.execute("CREATE SCHEMA lake.silver; CREATE TABLE lake.silver.small (id BIGINT, v VARCHAR, ts TIMESTAMP)")
    times = []
    for number in range(commits):
        start = time.perf_counter()
        con.execute(
            f"INSERT INTO lake.silver.small SELECT range + {number * ROWS}, 'v' || range, "
            f"TIMESTAMP '2026-11-01' + INTERVAL (range) SECOND FROM range({ROWS})"
        )
        taken = time.perf_counter() - start
        times.append(taken + more())
    [(seen,)] = con.execute("SELECT count(*) FROM lake.silver.small").fetchall()
    if seen != commits * ROWS:
        sys.exit(f"small_commits: {seen} rows of {commits * ROWS} arrived")
    return times


def reads(con: duckdb.DuckDBPyConnection, commits: int) -> None:
    """Count and look up, beside a table with the same rows that was written whole."""
    con.execute("CREATE TABLE lake.silver.whole AS FROM lake.silver.small ORDER BY id")
    questions = {
        "count(*)": "SELECT count(*) FROM lake.silver.{}",
        "a point look-up": f"SELECT v FROM lake.silver.{{}} WHERE id = {commits * ROWS // 3}",
    }
    for name, question in questions.items():
        asked = {table: question.format(table) for table in ("small", "whole")}
        sides = {table: lambda _, sql=sql: con.execute(sql).fetchall() for table, sql in asked.items()}  # type: ignore[misc]
        times = in_turn(sides, 15)
        verdict(f"{name} after small commits", times["small"], times["whole"], READ, rival="one rewritten table")


def ducklake(folder: Path) -> tuple[duckdb.DuckDBPyConnection, Path]:
    """DuckLake on SQLite, and the folder of its data files."""
    con = stock_client("sqlite_scanner", "ducklake")
    files = folder / "ducklake" / "data"
    files.mkdir(parents=True)
    con.execute(f"ATTACH 'ducklake:sqlite:{folder}/ducklake/catalog.sqlite' AS lake (DATA_PATH '{files}/')")
    return con, files


_synced: set[Path] = set()


def sync_new(folder: Path) -> float:
    """Put the data files on the disk that came since the last call; the seconds that the disk took."""
    new = [path for place in folder.glob("**/small") for path in place.iterdir() if path not in _synced]
    _synced.update(new)
    return seconds(lambda: [sync(path) for path in new])


def sync(path: Path) -> None:
    """Put one file on the disk."""
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


if __name__ == "__main__":
    main()
