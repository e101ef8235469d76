"""A lake of 2,000 tables with 1,000 commits each beside one of 10: the first `query`, its process included.

    python bench/many_tables.py [TABLES [COMMITS]]

Both projects declare a model for each table. The first ten tables are made by `millpond run`, the others by the
catalog's own staging and publication, without rows. Two million commits would take hours to make: from the second
commit of each table on the rows of the pointer store are copied, inside the store, from those that the table's first
commit wrote there, each with its own number, time, step key and metadata file. That is what the store holds of a lake
under upkeep, whose earlier metadata files are given up: only the newest one is there.

`ls`, `history`, `history TABLE`, `plan` and `maintain --dry-run` are measured too; no goal is set for them.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from pathlib import Path

import duckdb
from measure import declare, in_turn, millpond, scratch, verdict

from millpond.catalog.commits import Commit, Cursor, Edge, Ledger, ModelState, Verdict
from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.lakehouse import Lakehouse, open_lakehouse

GOAL = 1.3
FEW = 10
DAYS = 100
ROUNDS = 9
SOURCE = "kind: files\npaths: [rows/*.parquet]\nsettle_seconds: 0\n"
MODEL = """/*---
kind: append
key: [id]
checks:
  - between: {battery: [0, 100]}
---*/
SELECT id, vehicle, battery FROM bronze.readings
"""
ROWS = "SELECT range AS id, 'vehicle ' || range % 7 AS vehicle, range % 101 AS battery FROM range(1000)"
INPUT = TableName("bronze", "readings")
SCHEMA = Schema((Column("id", "BIGINT"), Column("vehicle", "VARCHAR"), Column("battery", "BIGINT")))
WORDS = {
    "query": ("query", "SELECT count(*) FROM silver.t0001"),
    "ls": ("ls",),
    "history": ("history",),
    "history TABLE": ("history", "silver.t0001"),
    "plan": ("plan",),
    "maintain --dry-run": ("maintain", "--dry-run"),
}
COPIED = {
    "commits": ("number", {"at": ":start + (:number - :head) * :pace", "step_key": "step_key || '/' || round"}),
    "commit_tables": (
        "commit",
        {
            "metadata_location": "location || printf('/metadata/%05d-', round) || uuid || '.metadata.json'",
            "previous": "CASE round WHEN 1 THEN metadata_location ELSE location || "
            "printf('/metadata/%05d-', round - 1) || uuid || '.metadata.json' END",
        },
    ),
    "cursors": ("commit", {"number": ":head + (round - 1) * :tables + 1"}),
    "model_states": ("commit", {}),
    "verdicts": ("commit", {}),
    "lineage": ("commit", {}),
    "source_files": ("commit", {"id": "NULL"}),
}
"""The tables of the store that a commit writes: their column of its number, and what else differs from copy to copy."""


def make(folder: Path, tables: int, commits: int) -> Path:
    """A project with a lake of so many tables and commits."""
    millpond(folder, "init", f"lake{tables}", "--template", "empty", "-q")
    project = folder / f"lake{tables}"
    (project / "rows").mkdir()
    duckdb.sql(f"COPY ({ROWS}) TO '{project}/rows/a.parquet'")
    names = [f"t{number:04d}" for number in range(tables - 1)]
    first = names[: FEW - 1]
    declare(project, {"sources/readings.yaml": SOURCE} | {f"models/silver/{name}.sql": MODEL for name in first})
    millpond(project, "run", "--yes", "-q")
    rest = names[FEW - 1 :]
    declare(project, {f"models/silver/{name}.sql": MODEL for name in rest})
    with open_lakehouse(project) as lake:
        state = lake.catalog.model_states()[TableName("silver", names[0])]
        for name in rest:
            publish(lake, TableName("silver", name), state)
    multiply(project / ".millpond/catalog.db", commits)
    return project


def publish(lake: Lakehouse, table: TableName, state: ModelState) -> None:
    """Make a table by a commit like that of the first model's step, but without rows."""
    key = f"20260101T000000-abcdef/{table}"
    stage = lake.catalog.begin(key)
    stage.create_table(table, SCHEMA)
    stage.publish(
        Commit(
            step_key=key,
            kind="append",
            principal=lake.principal,
            run=key.partition("/")[0],
            table=table,
            cursors=(Cursor(table, INPUT, 1),),
            ledger=Ledger(staged=0, read=0, filtered=0),
            verdicts=tuple(Verdict(table, rule, "pass", 0, 0) for rule in ("null_key", "between:battery")),
            lineage=tuple(Edge(table, column.name, INPUT, column.name) for column in SCHEMA),
            models=(ModelState(table, state.fingerprint, state.definition),),
        )
    )


def multiply(store: Path, commits: int) -> None:
    """Copy each table's commit in the pointer store until there are so many of each, and move the pointers along."""
    con = sqlite3.connect(store, isolation_level=None)
    con.execute("PRAGMA synchronous = OFF")
    con.execute("PRAGMA cache_size = -1000000")
    con.execute("BEGIN")
    # What else the run published (such as the empty quarantine) is left with the one commit that it has.
    con.execute(
        "CREATE TEMP TABLE ranked AS SELECT number AS origin, row_number() OVER (ORDER BY number) AS place "
        "FROM commits WHERE table_name IS NOT NULL"
    )
    con.execute("CREATE UNIQUE INDEX temp.origin ON ranked (origin)")
    rounds = (
        f"WITH RECURSIVE rounds(round) AS (SELECT 1 UNION ALL SELECT round + 1 FROM rounds WHERE round < {commits - 1})"
    )
    [(head, tables)] = con.execute("SELECT max(origin), count(*) FROM ranked").fetchall()
    con.execute("UPDATE commits SET at = at - ?", (span := DAYS * 86_400_000_000,))
    [(start,)] = con.execute("SELECT max(at) FROM commits").fetchall()
    known = {":head": str(head), ":tables": str(tables), ":start": str(start), ":pace": str(span // (tables * commits))}
    for table, (column, changed) in COPIED.items():
        names = [row[1] for row in con.execute(f"PRAGMA table_info({table})")]
        number = f"{head} + (round - 1) * {tables} + place"
        values = {name: f't."{name}"' for name in names} | changed | {column: number}
        chosen = ", ".join(values[name].replace(":number", f"({number})") for name in names)
        for word, text in known.items():
            chosen = chosen.replace(word, text)
        kept = " AND NOT t.dropped AND t.layer <> 'quarantine'" if table == "commit_tables" else ""
        con.execute(
            f"INSERT INTO {table} {rounds} SELECT {chosen} FROM rounds CROSS JOIN ranked JOIN {table} AS t "
            f'ON t."{column}" = ranked.origin{kept} ORDER BY round, place'
        )
    newest = 'SELECT max("commit") FROM commit_tables c WHERE c.layer = pointers.layer AND c.name = pointers.name'
    con.execute(f'UPDATE pointers SET "commit" = ({newest})')
    pointed = (
        'SELECT metadata_location FROM commit_tables c WHERE c."commit" = pointers."commit" '
        "AND c.layer = pointers.layer AND c.name = pointers.name"
    )
    moved = con.execute(f"SELECT metadata_location, ({pointed}) FROM pointers").fetchall()
    con.execute(f"UPDATE pointers SET metadata_location = ({pointed})")
    con.execute("COMMIT")
    con.close()
    for old, new in moved:
        if old != new:
            shutil.copy(old, new)


def main() -> None:
    """Make both lakes, measure both in turn, print each ratio."""
    given = [int(word) for word in sys.argv[1:]]
    tables, commits = given[0] if given else 2000, given[1] if len(given) > 1 else 1000
    with scratch() as folder:
        many, few = (make(folder, count, commits) for count in (tables, FEW))
        for project, count in ((many, tables), (few, FEW)):
            found = len(millpond(project, "ls", "--json").splitlines())
            assert found >= count, f"{found} tables in {project}"
        for name, words in WORDS.items():
            times = in_turn(
                {
                    "many": lambda _, words=words: millpond(many, *words),
                    "few": lambda _, words=words: millpond(few, *words),
                },
                ROUNDS if name == "query" else 3,
            )
            if name == "query":
                verdict("first query", times["many"], times["few"], GOAL, rival=f"a lake of {FEW} tables")
            else:
                told = f"{times['many']:.3g} s, a lake of {FEW} tables {times['few']:.3g} s"
                print(f"{name}: millpond {told}, ratio {times['many'] / times['few']:.2f}")


if __name__ == "__main__":
    main()
