"""TPC-H at scale factor 1: all 22 queries through the gate beside DuckDB alone on the very files of the lake's tables.

    python bench/tpch.py [ROUNDS [SCALE]]

Both are warm: one process, each query the median of some rounds, both in turn. The answers are compared.
"""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import sqlglot
from measure import in_turn, millpond, rounds_given, scratch, verdict
from sqlglot import exp
from stock import attached, gateway, stock_client

from millpond.core.names import TableName
from millpond.lakehouse import Lakehouse, open_lakehouse
from millpond.tables.changes import whole

GOAL = 1.15
TABLES = ("customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier")


def make(folder: Path, scale: float) -> tuple[Path, list[str]]:
    """A project with the tables, written by a stock DuckDB, and the queries."""
    millpond(folder, "init", "lake", "--template", "empty", "-q")
    con = stock_client("tpch")
    con.execute(f"CALL dbgen(sf = {scale})")
    with gateway(folder / "lake", "--no-upkeep") as endpoint:
        attached(con, endpoint)
        for table in TABLES:
            con.execute(f"CREATE TABLE lake.silver.{table} AS FROM {table}")
    queries = con.execute("SELECT query FROM tpch_queries() ORDER BY query_nr").fetchall()
    con.close()
    return folder / "lake", [in_silver(query) for (query,) in queries]


def in_silver(query: str) -> str:
    """The query on tables of the silver layer."""
    tree = sqlglot.parse_one(query, dialect="duckdb")
    for table in tree.find_all(exp.Table):
        if table.name in TABLES:
            table.set("db", exp.to_identifier("silver"))
    return tree.sql(dialect="duckdb")


def on_files(lake: Lakehouse) -> duckdb.DuckDBPyConnection:
    """A DuckDB that reads the live data files of the lake's tables as they are."""
    con = duckdb.connect(config={"preserve_insertion_order": "false"})
    con.execute("CREATE SCHEMA silver")
    for table in TABLES:
        metadata = lake.catalog.metadata(lake.catalog.table(TableName("silver", table)))
        files = [part.path for part in whole(metadata).slices]
        con.execute(f"CREATE VIEW silver.{table} AS FROM read_parquet({files})")
    return con


def rows(answer: pa.Table) -> list[list[str]]:
    """The rows of an answer as text, in an order of their own; what is counted in floats to nine digits."""
    columns = [column.to_pylist() for column in answer.columns]
    texts = [[f"{v:.9g}" if isinstance(v, float | Decimal) else str(v) for v in column] for column in columns]
    return sorted(map(list, zip(*texts, strict=True)))


def main() -> None:
    """Measure all queries in turn, print each in a line, then the sums and their ratio."""
    rounds, scale = rounds_given(5), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    ours, theirs = 0.0, 0.0
    with scratch() as folder:
        project, queries = make(folder, scale)
        with open_lakehouse(project) as lake, on_files(lake) as con:
            for number, query in enumerate(queries, start=1):
                if rows(lake.tables.query(query).arrow()) != rows(con.sql(query).to_arrow_table()):
                    sys.exit(f"tpch: the answers to query {number} differ")
                times = in_turn(
                    {
                        "lake": lambda _, query=query: lake.tables.query(query).arrow(),
                        "files": lambda _, query=query: con.sql(query).to_arrow_table(),
                    },
                    rounds,
                )
                ours, theirs = ours + times["lake"], theirs + times["files"]
                print(f"  query {number}: {times['lake']:.3f} s, on files {times['files']:.3f} s")
    verdict(f"TPC-H at scale {scale:g}, 22 queries", ours, theirs, GOAL, rival="DuckDB on the same files")


if __name__ == "__main__":
    main()
