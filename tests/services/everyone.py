"""One lake behind one gateway, and everyone who reads it: Spark, DuckDB, PyIceberg, and the lake's own engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import duckdb
from pyiceberg.catalog import load_catalog

from millpond.catalog.gateway.server import Gateway
from millpond.testing import FakeClock, TemporaryLake, temporary_lake
from tests.bad_days.twins import MISREAD
from tests.catalog.clients import attach, loaded_duckdb
from tests.services.spark import settings

_names = count(1)
Rows = list[tuple[Any, ...]]


class Everyone:
    """One lake behind one gateway, and its four readers."""

    def __init__(self, lake: TemporaryLake, endpoint: str, spark: Any) -> None:
        self.lake, self.endpoint, self._spark = lake, endpoint, spark
        self.catalog = self._named()
        self.iceberg: Any = load_catalog("lake", type="rest", uri=endpoint, warehouse="prod")
        self.duckdb: duckdb.DuckDBPyConnection = loaded_duckdb()
        attach(self.duckdb, endpoint, None)

    def _named(self, **words: str) -> str:
        """A catalog of the Spark session by what `connect` prints, with other words in it; its name."""
        name = f"lake{next(_names)}"
        for key, value in settings(self.endpoint).items():
            if key.startswith("spark.sql.catalog.lake"):
                self._spark.conf.set(key.replace("catalog.lake", f"catalog.{name}"), value)
        for key, value in words.items():
            self._spark.conf.set(f"spark.sql.catalog.{name}.{key.replace('_', '-')}", value)
        return name

    @contextmanager
    def remembering(self, table: str) -> Iterator[None]:
        """Inside, Spark goes by what it was told of a table at the beginning, as a session with a cache does."""
        own, self.catalog = self.catalog, self._named(cache_enabled="true")
        self.spark(f"SELECT count(*) FROM lake.{table}")
        yield
        self.catalog = own

    def spark(self, sql: str) -> Rows:
        """Rows of a statement in Spark, where `lake.` is this lake."""
        return [tuple(row) for row in self._spark.sql(sql.replace("lake.", f"{self.catalog}.")).collect()]

    def counted(self, table: str, condition: str, filtered: Any) -> int:
        """How many rows a filter leaves, the same for Spark, DuckDB, Millpond and PyIceberg.

        PyIceberg has a filter of its own; with None it is not asked.
        """
        asked = f"SELECT count(*) AS n FROM {{}}{table} WHERE {condition}"
        found = {
            "spark": self.spark(asked.format("lake."))[0][0],
            "duckdb": self.duckdb.execute(asked.format("lake.")).fetchall()[0][0],
            "millpond": self.lake.rows(asked.format(""))[0]["n"],
        }
        if filtered is not None:
            found["pyiceberg"] = self.iceberg.load_table(table).scan(row_filter=filtered).to_arrow().num_rows
        assert len(set(found.values())) == 1, found
        return int(found["spark"])

    def same(self, table: str) -> int:
        """How many rows a table has, after it was shown that all read the same of every type, lists of structs too.

        PyIceberg is not asked for those: it reads NULL as an empty list.
        """
        described = self.duckdb.execute(f"DESCRIBE lake.{table}").fetchall()
        kinds = {name: kind for name, kind, *_ in described}
        tables = {
            "duckdb": self.duckdb.execute(f"FROM lake.{table}").to_arrow_table(),
            "spark": self._spark.sql(f"SELECT * FROM {self.catalog}.{table}").toArrow(),
            "millpond": self.lake.lakehouse.tables.query(f"FROM {table}").arrow(),
            "pyiceberg": self.iceberg.load_table(table).scan().to_arrow(),
        }
        plain = {name: kind for name, kind in kinds.items() if not MISREAD.search(kind)}
        with duckdb.connect() as desk:
            desk.execute("SET TimeZone = 'UTC'")
            for who, read in tables.items():
                desk.register(who, read)
                columns = plain if who == "pyiceberg" else kinds
                expected = desk.execute(f"SELECT {_as_text(columns)} FROM duckdb").fetchall()
                found = desk.execute(f"SELECT {_as_text(columns)} FROM {who}").fetchall()
                assert sorted(found, key=repr) == sorted(expected, key=repr), who
        return int(tables["duckdb"].num_rows)

    def rows(self, table: str) -> Rows:
        """The rows of a table, after it was shown that all four readers see the same."""
        columns = self.iceberg.load_table(table).schema().column_names
        chosen = ", ".join(columns)
        seen = {
            "spark": self.spark(f"SELECT {chosen} FROM lake.{table}"),
            "duckdb": self.duckdb.execute(f"SELECT {chosen} FROM lake.{table}").fetchall(),
            "pyiceberg": [
                tuple(row.values())
                for row in self.iceberg.load_table(table).scan().to_arrow().select(columns).to_pylist()
            ],
            "millpond": [tuple(row.values()) for row in self.lake.rows(f"SELECT {chosen} FROM {table}")],
        }
        ordered = {name: sorted(rows, key=repr) for name, rows in seen.items()}
        assert len({repr(rows) for rows in ordered.values()}) == 1, ordered
        return ordered["spark"]


def _as_text(columns: Mapping[str, str]) -> str:
    """Columns, each as its type is written."""
    return ", ".join(f"CAST(CAST({name} AS {kind}) AS VARCHAR)" for name, kind in columns.items())


FILES = {
    "millpond.yaml": "version: 1\nname: together\n",
    "models/gold/totals.sql": (
        "/*---\nkind: aggregate\nkey: [word]\n---*/\n"
        "SELECT word, count(*) AS rows, sum(id)::BIGINT AS ids FROM silver.events GROUP BY word\n"
    ),
}


@contextmanager
def everyone_together(spark: Any) -> Iterator[Everyone]:
    """A new lake for four readers."""
    with temporary_lake(FILES, clock=FakeClock(datetime.now(UTC))) as lake:
        gateway = Gateway(lake.lakehouse.catalog, open_access=True)
        together = Everyone(lake, gateway.start(), spark)
        together.spark("CREATE NAMESPACE lake.silver")
        yield together
        together.duckdb.close()
        gateway.stop()


def made_by_spark(everyone: Everyone, *, merge_on_read: bool) -> None:
    """A table of a hundred events by day that Spark made."""
    how = "merge-on-read" if merge_on_read else "copy-on-write"
    everyone.spark(
        "CREATE TABLE lake.silver.events (id BIGINT, word STRING, ts TIMESTAMP_NTZ, price DECIMAL(9, 2)) USING iceberg "
        f"PARTITIONED BY (days(ts)) TBLPROPERTIES ('write.delete.mode' = '{how}', 'write.update.mode' = '{how}', "
        f"'write.merge.mode' = '{how}')"
    )
    everyone.spark(
        "INSERT INTO lake.silver.events SELECT id, concat('w', id % 3), "
        "TIMESTAMP_NTZ '2026-03-01 00:00:00' + make_dt_interval(0, CAST(id AS INT)), CAST(id AS DECIMAL(9, 2)) / 4 "
        "FROM range(100)"
    )
