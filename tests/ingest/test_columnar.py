"""Parquet files keep their own types, as far as tables can hold them."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.plain import Lake


def parquet(path: Path, query: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def types(lake: Lake) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in lake.ask("DESCRIBE {things}") if not row[0].startswith("_")]


def test_types_are_kept_or_widened(lake: Lake) -> None:
    """A type that tables lack becomes the next wider one, or text."""
    parquet(
        lake.folder / "data/a.parquet",
        "SELECT 1::INTEGER AS a, 200::UTINYINT AS b, 1.5::DECIMAL(9, 2) AS c, [{'x': 1}] AS d, "
        "TIMESTAMP '2024-01-01' AS e, TIME '10:00' AS f",
    )

    lake.load()

    assert types(lake) == [
        ("a", "INTEGER"),
        ("b", "INTEGER"),
        ("c", "DECIMAL(9,2)"),
        ("d", "STRUCT(x INTEGER)[]"),
        ("e", "TIMESTAMP"),
        ("f", "VARCHAR"),
    ]
    assert lake.rows("a", "b", "f", "_position", "_rescued") == [(1, 200, "10:00:00", 1, None)]


def test_a_retyped_column_rescues_what_does_not_fit(lake: Lake) -> None:
    """Values that fit are cast, others are NULL and kept in _rescued."""
    parquet(lake.folder / "data/a.parquet", "SELECT 1::BIGINT AS id, 'x' AS name")
    lake.load()
    parquet(lake.folder / "data/b.parquet", "SELECT unnest(['2', 'three', '4.5']) AS id, 'y' AS name")
    parquet(lake.folder / "data/c.parquet", "SELECT unnest([5.0, 5.5]) AS id, 'z' AS name")

    lake.load()

    assert types(lake)[0] == ("id", "BIGINT")
    assert lake.rows("id", "_rescued") == [
        (1, None),
        (2, None),
        (None, '{"id":"three"}'),
        (None, '{"id":"4.5"}'),
        (5, None),
        (None, '{"id":"5.5"}'),
    ]


def test_packed_parquet_is_read(lake: Lake) -> None:
    """A Parquet file inside gzip is unpacked first."""
    path = parquet(lake.folder / "a.parquet", "SELECT 7 AS id")
    lake.write("a.parquet.gz", gzip.compress(path.read_bytes()))

    lake.load()

    assert lake.rows("id") == [(7,)]


@pytest.mark.parametrize("damage", ["cut", "footer", "page", "empty footer"])
def test_damaged_files_are_refused_and_the_rest_lands(lake: Lake, damage: str) -> None:
    """A damaged footer or page is found, also where only reading the values tells."""
    path = parquet(lake.folder / "a.parquet", "SELECT i AS id, md5(i::VARCHAR) AS text FROM range(20000) t(i)")
    parquet(lake.folder / "data/b.parquet", "SELECT 1::BIGINT AS id, 'b' AS text")
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "footer":
        data[-200:-100] = bytes(100)
    elif damage == "page":
        data[100:4000] = b"\xff" * 3900
    else:
        data = bytearray(b"PAR1" + bytes(8) + b"PAR1")
    lake.write("c.parquet", bytes(data))

    landed = lake.load()

    assert lake.rows("id", "text") == [(1, "b")]
    assert [(file.path, file.outcome, file.records) for file in landed.files] == [
        ("data/b.parquet", "loaded", 1),
        ("data/c.parquet", "rejected", 0),
    ]
    assert lake.ask("SELECT rule FROM {records}") == [("damaged_parquet",)]


def test_decimals_that_no_table_holds_are_no_other_numbers(lake: Lake) -> None:
    """The engine reads 40 digits as a number that is none of them: the file goes to quarantine, whole."""
    path = lake.folder / "data/a.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    wide = pa.table({"id": [1], "d": pa.array([Decimal("12345.67")], pa.decimal256(40, 2))})
    pq.write_table(wide, path)

    landed = lake.load()

    assert (landed.ledger.staged, landed.files[0].outcome) == (0, "rejected")
