"""MERGE: 200,000 rows into 6 million, and 1 million into 10 million; half of them new, half spread over the table.

    python bench/merge.py [ROUNDS]

A stock DuckDB merges through `millpond serve`; beside it, in turn and from the same rows in memory, deltalake merges
into a Delta table, and the same DuckDB into DuckLake with its catalog in SQLite. Every side begins with a table that
it has just written itself, compressed by zstd. The sums over the merged tables are compared.

A commit of Millpond is on the disk when it is acknowledged: its files and their folders are synced (fsync), the
pointer store runs SQLite with `synchronous = FULL`. The others sync no data files, so their new files and folders are
synced within the time measured; DuckLake's SQLite is at its default, FULL.
"""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

import duckdb
from deltalake import DeltaTable, WriterProperties, write_deltalake
from measure import millpond, rounds_given, scratch, seconds, verdict
from stock import attached, gateway, stock_client

FASTER, DUCKLAKE_GOAL = 5, 1.2
SIZES = ((6_000_000, 200_000), (10_000_000, 1_000_000))
COLUMNS = "id BIGINT, vehicle VARCHAR, battery BIGINT, ts TIMESTAMP, latitude DOUBLE"
ROWS = """
SELECT id, 'vehicle ' || (id % 5000) AS vehicle, (id * 7919) % 101 + {add} AS battery,
  TIMESTAMP '2026-06-01' + INTERVAL (id // 200) SECOND AS ts, sin(id) * 90 AS latitude
FROM ({ids})
"""
MERGE = """
MERGE INTO {table} AS t USING changes AS s ON t.id = s.id
WHEN MATCHED THEN UPDATE SET vehicle = s.vehicle, battery = s.battery, ts = s.ts, latitude = s.latitude
WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.vehicle, s.battery, s.ts, s.latitude)
"""
SUMS = "SELECT count(*), sum(battery), sum(hash(id)), max(ts) FROM {table}"
ZSTD = WriterProperties(compression="ZSTD")


def synced(folder: Path, work: Callable[[], object]) -> None:
    """Do the work, then put what it wrote in a folder on the disk."""
    before = {path for path in folder.rglob("*") if path.is_file()}
    work()
    new = [path for path in folder.rglob("*") if path.is_file() and path not in before]
    for path in (*new, *{path.parent for path in new}):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


class Sides:
    """The three tables; each is made anew for every round."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        self._delta = folder / "delta"
        self._ducklake = folder / "ducklake"
        self._con = con
        self._made, self._changes = (con.execute(f"FROM {name}").to_arrow_table() for name in ("made", "changes"))
        self._ducklake.mkdir()
        con.execute(f"ATTACH 'ducklake:sqlite:{folder}/ducklake.db' AS duck (DATA_PATH '{self._ducklake}')")
        con.execute("CALL duck.set_option('parquet_compression', 'zstd')")

    def make(self) -> None:
        """Write the table that the round begins with, on every side."""
        for table in ("lake.silver.readings", "duck.readings"):
            self._con.execute(f"DROP TABLE IF EXISTS {table}")
            self._con.execute(f"CREATE TABLE {table} ({COLUMNS})")
            self._con.execute(f"INSERT INTO {table} FROM made")
        shutil.rmtree(self._delta, ignore_errors=True)
        write_deltalake(str(self._delta), self._made, writer_properties=ZSTD)

    def millpond(self) -> None:
        """Merge through the gateway."""
        self._con.execute(MERGE.format(table="lake.silver.readings"))

    def ducklake(self) -> None:
        """Merge into DuckLake."""
        synced(self._ducklake, lambda: self._con.execute(MERGE.format(table="duck.readings")))

    def deltalake(self) -> None:
        """Merge into a Delta table."""
        merger = DeltaTable(str(self._delta)).merge(
            self._changes, "t.id = s.id", source_alias="s", target_alias="t", writer_properties=ZSTD
        )
        whole = merger.when_matched_update_all().when_not_matched_insert_all()
        synced(self._delta, whole.execute)

    def sums(self) -> dict[str, object]:
        """What each side's table adds up to."""
        files = DeltaTable(str(self._delta)).file_uris()
        tables = {
            "millpond": "lake.silver.readings",
            "DuckLake": "duck.readings",
            "deltalake": f"read_parquet({files})",
        }
        return {name: self._con.execute(SUMS.format(table=table)).fetchone() for name, table in tables.items()}


def one_size(folder: Path, rows: int, changes: int, rounds: int) -> None:
    """Measure one pair of sizes and print both ratios."""
    millpond(folder, "init", "lake", "--template", "empty", "-q")
    con = stock_client("sqlite_scanner", "ducklake")
    con.execute(f"CREATE TABLE made AS {ROWS.format(add=0, ids=f'SELECT range AS id FROM range({rows})')}")
    step = 2 * rows // changes
    ids = f"SELECT CASE WHEN range % 2 = 0 THEN range // 2 * {step} ELSE {rows} + range END AS id FROM range({changes})"
    con.execute(f"CREATE TABLE changes AS {ROWS.format(add=1, ids=ids)}")
    taken: dict[str, list[float]] = {"millpond": [], "DuckLake": [], "deltalake": []}
    with gateway(folder / "lake", "--no-upkeep") as endpoint:
        sides = Sides(folder, con)
        attached(con, endpoint)
        for _ in range(rounds):
            sides.make()
            for name, work in (
                ("millpond", sides.millpond),
                ("DuckLake", sides.ducklake),
                ("deltalake", sides.deltalake),
            ):
                taken[name].append(seconds(work))
            sums = sides.sums()
            assert len(set(sums.values())) == 1, sums
    con.close()
    times = {name: statistics.median(side) for name, side in taken.items()}
    name = f"MERGE of {changes:,} into {rows:,} rows"
    verdict(name, times["millpond"], times["DuckLake"], DUCKLAKE_GOAL, rival="DuckLake")
    verdict(name, times["millpond"], times["deltalake"], 1 / FASTER, rival="deltalake")


def main() -> None:
    """Measure both sizes."""
    rounds = rounds_given(5)
    for rows, changes in SIZES:
        with scratch() as folder:
            one_size(folder, rows, changes, rounds)


if __name__ == "__main__":
    main()
