"""Counts that are columns by themselves are BIGINT, as count(*) is."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from millpond.sql.counting import with_plain_counts
from millpond.sql.parse import parse


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("SELECT count_if(x > 1) AS n FROM t", ["BIGINT"]),
        ("SELECT x, countif(x > 1) AS n FROM t GROUP BY x", ["INTEGER", "BIGINT"]),
        ("SELECT (count_if(x > 1) FILTER (WHERE x < 9)) AS n FROM t", ["BIGINT"]),
        ("SELECT count_if(x > 1) OVER () AS n FROM t", ["BIGINT"]),
        (
            "(SELECT count_if(x > 1) AS n FROM t) UNION ALL SELECT count(*) FROM t",
            ["BIGINT"],
        ),
        ("SELECT count_if(x > 1)::INTEGER AS n, sum(x) AS s FROM t", ["INTEGER", "HUGEINT"]),
        ("SELECT count_if(x > 1) * 2 AS n FROM t", ["HUGEINT"]),
    ],
)
def test_a_count_alone_is_a_bigint(sql: str, kinds: list[str]) -> None:
    """Whatever it is filtered or windowed by; the values stay, and what is more than a count is the author's."""
    query = parse(sql, Path("m.sql"))
    told = with_plain_counts(query)
    with duckdb.connect() as con:
        con.execute("CREATE TABLE t AS SELECT range::INTEGER AS x FROM range(5)")
        assert list(map(str, con.sql(told.text()).types)) == kinds
        assert sorted(con.sql(told.text()).fetchall()) == sorted(con.sql(sql).fetchall())
    assert (told is query) == ("HUGEINT" in kinds)
