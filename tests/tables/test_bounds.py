"""Files that can hold a value: none that does is ever left out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from millpond.core.errors import CatalogError
from millpond.core.names import TableName
from millpond.engines.duckdb import DuckDBEngine
from millpond.tables.bounds import files_possibly_holding
from millpond.tables.reading import rows_sql
from tests.tables.lake import Lake

T = TableName("silver", "t")
NAME = '"lake"."silver"."t"'
START = datetime(2018, 6, 1)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, engine: DuckDBEngine) -> Iterator[Lake]:
    """One lake for all tests of this file: each reads as of its own commit."""
    made = Lake(tmp_path_factory.mktemp("bounds"), engine)
    yield made
    made.close()


@pytest.fixture(scope="module")
def days(lake: Lake) -> int:
    """Ten files of one day each, and one of NULLs; the number of the commit."""
    return lake.run(
        f"CREATE TABLE {NAME} (n INTEGER, big BIGINT, ts TIMESTAMP, tz TIMESTAMPTZ, d DATE, x DOUBLE, "
        "m DECIMAL(12,2), s VARCHAR, flag BOOLEAN)",
        *(
            f"INSERT INTO {NAME} SELECT i, -i * 10000000000, TIMESTAMP '2018-06-01' + to_hours(i::INTEGER), "
            f"TIMESTAMPTZ '2018-06-01 00:00:00+00' + to_hours(i::INTEGER), (DATE '2018-06-01' + (i // 24)::INTEGER), "
            f"i / 2, -i / 4, 'k' || lpad(i::VARCHAR, 5, '0'), true FROM range({day * 24}, {day * 24 + 24}) t(i)"
            for day in range(10)
        ),
        f"INSERT INTO {NAME} (s) VALUES (NULL)",
    )


@pytest.mark.parametrize(
    ("column", "low", "high", "count"),
    [
        ("n", 24, 47, 1),
        ("N", 23, 24, 2),
        ("n", None, 0, 1),
        ("n", 239, None, 1),
        ("n", 240, None, 0),
        ("n", None, None, 10),
        ("big", -240_000_000_000, -240_000_000_000, 1),
        ("ts", START + timedelta(days=3), START + timedelta(days=4), 2),
        ("ts", date(2018, 6, 4), date(2018, 6, 4), 1),
        ("tz", datetime(2018, 6, 4, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2018, 6, 4, tzinfo=UTC), 2),
        ("d", date(2018, 6, 10), None, 1),
        ("d", START, START, 1),
        ("x", 11.75, 12, 1),
        ("m", Decimal("-6.00"), Decimal("-5.90"), 1),
        ("m", Decimal("-5.90"), Decimal("-5.80"), 0),
        ("s", "k00024", "k00024", 1),
        ("s", "l", None, 0),
    ],
)
def test_only_files_whose_bounds_meet_the_range_are_read(
    lake: Lake, days: int, column: str, low: Any, high: Any, count: int
) -> None:
    """Numbers, times with and without a zone, dates, decimals, strings; both ends belong to the range."""
    assert len(files_possibly_holding(lake.catalog, T, days, column, low, high).slices) == count


def test_no_row_of_the_range_is_left_out(lake: Lake, days: int) -> None:
    """Random ranges: the chosen files hold every row that the whole table has in them."""
    chance = random.Random(7)
    everything = [row[0] for row in lake.rows(f"SELECT n FROM {NAME} WHERE n IS NOT NULL", days)]
    for _ in range(20):
        low = chance.randrange(-5, 245)
        high = low + chance.randrange(60)
        reading = files_possibly_holding(lake.catalog, T, days, "n", low, high)
        chosen = {row[0] for row in lake.rows(rows_sql(reading, ("n",)))}
        assert {value for value in everything if low <= value <= high} <= chosen


def test_bounds_from_before_a_column_was_widened_still_count(lake: Lake) -> None:
    """Four bytes of an INTEGER compare with a BIGINT's eight."""
    other = TableName("silver", "wider")
    name = f'"lake".{other.quoted}'
    lake.run(f"CREATE TABLE {name} (n INTEGER, f FLOAT)", f"INSERT INTO {name} VALUES (5, 1.5)")
    until = lake.run(
        f"ALTER TABLE {name} ALTER COLUMN n TYPE BIGINT",
        f"ALTER TABLE {name} ALTER COLUMN f TYPE DOUBLE",
        f"INSERT INTO {name} VALUES (5000000000, 1e300)",
    )
    for column, value in (("n", 5), ("n", 5_000_000_000), ("f", 1.5), ("f", 1e300)):
        assert len(files_possibly_holding(lake.catalog, other, until, column, value, value).slices) == 1


def test_rows_that_were_deleted_are_not_read(lake: Lake, days: int) -> None:
    """The delete files come with the data files."""
    until = lake.run(f"DELETE FROM {NAME} WHERE n BETWEEN 30 AND 40")
    reading = files_possibly_holding(lake.catalog, T, until, "n", 24, 47)
    assert lake.rows(f"SELECT count(*) FROM ({rows_sql(reading, ('n',))})") == {(13,): 1}


@pytest.mark.parametrize(
    ("column", "value"),
    [("nn", 1), ("flag", True), ("n", "five"), ("n", START), ("ts", 5), ("s", 5), ("x", float("nan"))],
)
def test_what_cannot_be_compared_is_refused(lake: Lake, days: int, column: str, value: Any) -> None:
    """Unknown columns, types without an order here, values of another type."""
    with pytest.raises(CatalogError) as refused:
        files_possibly_holding(lake.catalog, T, days, column, value, value)
    assert refused.value.code == ("MP-3041" if column == "nn" else "MP-3043")
