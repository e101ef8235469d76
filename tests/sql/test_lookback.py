"""How far windows look back is read from their frames, or refused with the reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from millpond.core.names import TableName
from millpond.sql.lookback import EVERYTHING, Lookback, find_lookback, span
from millpond.sql.parse import parse

KEY = ("city", "day")
DAY = 86400
BY_CITY = """
SELECT city, day, avg(n) OVER (PARTITION BY city ORDER BY day RANGE BETWEEN INTERVAL 27 DAYS PRECEDING AND CURRENT ROW)
  AS a
FROM silver.x
"""
NAMED = """
WITH h AS (SELECT date_trunc('day', ts) AS day, city, count(*) AS n FROM silver.x GROUP BY 1, 2)
SELECT day, city, sum(n) OVER w AS s, max(n) OVER (PARTITION BY day) AS m
FROM h WINDOW w AS (ORDER BY day RANGE '1 week'::INTERVAL PRECEDING)
"""
NESTED = """
SELECT day, sum(a) OVER (ORDER BY day RANGE BETWEEN INTERVAL 2 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING) AS b
FROM (SELECT day, sum(n) OVER (ORDER BY day RANGE INTERVAL '72' HOUR PRECEDING) AS a FROM silver.x)
"""
AHEAD = """
SELECT day, sum(n) OVER (ORDER BY day RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND INTERVAL 1 DAY FOLLOWING) AS a
FROM silver.x
"""
OF_A_ROW = """
SELECT day, sum(n) OVER (ORDER BY day RANGE BETWEEN INTERVAL (n) DAY PRECEDING AND CURRENT ROW) AS a FROM silver.x
"""


def found(sql: str) -> Lookback | str:
    """What is proven of a query."""
    return find_lookback(parse(sql, Path("m.sql")), KEY)


@pytest.mark.parametrize(
    ("sql", "time", "days"), [(BY_CITY, "day", 27), (NAMED, "date_trunc('day', ts)", 7), (NESTED, "day", 5)]
)
def test_the_frames_of_windows_tell_how_far_they_look_back(sql: str, time: str, days: int) -> None:
    """Named windows, all spellings of an interval; windows over windows add up."""
    assert found(sql) == Lookback(TableName("silver", "x"), "day", time, days * DAY)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT day, sum(n) OVER (ORDER BY day ROWS 6 PRECEDING) AS a FROM silver.x", "no frame such as RANGE"),
        ("SELECT day, sum(n) OVER (ORDER BY day) AS a FROM silver.x", "no frame such as RANGE"),
        (AHEAD, "no frame such as RANGE"),
        (OF_A_ROW, "no frame such as RANGE"),
        ("SELECT day, lag(n) OVER (ORDER BY day RANGE INTERVAL 6 DAY PRECEDING) AS a FROM silver.x", r"lag\(\) looks"),
        ("SELECT day, sum(n) OVER (ORDER BY day DESC RANGE INTERVAL 6 DAY PRECEDING) AS a FROM silver.x", "earliest"),
        ("SELECT day, sum(n) OVER (ORDER BY ts RANGE INTERVAL 6 DAY PRECEDING) AS a FROM silver.x", "earliest first"),
        ("SELECT day, count(*) AS a FROM silver.x GROUP BY day LIMIT 4", "different times meet"),
        ("SELECT x.day, y.n FROM silver.x JOIN silver.y USING (day)", "a join"),
        ("SELECT day, (SELECT max(n) FROM silver.y) AS m FROM silver.x", "subquery"),
        ("SELECT count(*) AS day FROM silver.x", "no column of its key"),
    ],
)
def test_what_may_look_further_is_refused_with_the_reason(sql: str, reason: str) -> None:
    """Rows counted by place, frames without a bound, times that are not in the key."""
    told = found(sql)
    assert isinstance(told, str)
    assert re.search(reason, told)


def test_rows_without_a_time_make_everything_be_computed() -> None:
    """NULL stands at no place in time."""
    lookback = Lookback(TableName("silver", "x"), "day", "day", DAY)
    assert span(lookback, (*["2026-01-01", "TIMESTAMP"] * 3, 1)) == EVERYTHING
    assert span(lookback, (*[None, "NULL"] * 3, 0)) == EVERYTHING
    within = span(lookback, ("2026-01-01", "TIMESTAMP", "2026-01-02", "DATE", "2026-01-04", "TIMESTAMP", 0))
    assert within.compared == "\"day\" >= '2026-01-02'::DATE AND \"day\" <= '2026-01-04'::TIMESTAMP"
