"""Row-preserving is what is proven to be; all else is declined with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.names import TableName
from millpond.sql.parse import parse
from millpond.sql.shape import shape

MODEL = Path("m.sql")
PRESERVING = [
    "SELECT * FROM bronze.t",
    "FROM bronze.t",
    "SELECT a, b + 1 AS c FROM bronze.t WHERE a > 3",
    "SELECT t.a FROM bronze.t AS t ORDER BY a",
    "(SELECT a FROM bronze.t)",
    "SELECT * EXCLUDE (a) REPLACE (b + 1 AS b) FROM (SELECT * FROM bronze.t WHERE b > 1) AS s",
    "WITH s AS (SELECT * FROM bronze.t), r(x) AS (SELECT a FROM s) SELECT x FROM r",
    "WITH s AS (SELECT * FROM bronze.t), unused AS (SELECT count(*) AS n FROM silver.x) SELECT a FROM s",
    "SELECT CASE WHEN a THEN list_sum(b) END AS c, list_transform(b, lambda v: v + 1) AS d FROM bronze.t",
    'SELECT "sum", "Order" FROM bronze.t',
]
DECLINED = [
    ("SELECT count(*) AS n FROM bronze.t", "count"),
    ("SELECT median(a) AS m FROM bronze.t", "median"),
    ("SELECT a.max() AS m FROM bronze.t", "max"),
    ("SELECT geomean(a) AS m FROM bronze.t", "geomean"),
    ("SELECT mode() WITHIN GROUP (ORDER BY a) AS m FROM bronze.t", "more than one row"),
    ("SELECT a FROM bronze.t GROUP BY a", "GROUP BY"),
    ("SELECT a FROM bronze.t GROUP BY ALL", "GROUP BY"),
    ("SELECT DISTINCT a FROM bronze.t", "DISTINCT"),
    ("SELECT DISTINCT ON (a) a, b FROM bronze.t", "DISTINCT"),
    ("SELECT a FROM bronze.t LIMIT 3", "LIMIT"),
    ("SELECT a FROM bronze.t OFFSET 3", "OFFSET"),
    ("SELECT a FROM bronze.t USING SAMPLE 3", "sample"),
    ("SELECT a FROM bronze.t TABLESAMPLE 3", "sample"),
    ("SELECT a FROM bronze.t QUALIFY row_number() OVER () = 1", "QUALIFY"),
    ("SELECT row_number() OVER () AS n FROM bronze.t", "window"),
    ("SELECT sum(a) OVER w AS n FROM bronze.t WINDOW w AS (ORDER BY b)", "window"),
    ("SELECT a FROM bronze.t, silver.u", "join"),
    ("SELECT a FROM bronze.t JOIN silver.u USING (a)", "join"),
    ("SELECT a FROM bronze.t SEMI JOIN silver.u USING (a)", ""),
    ("SELECT a FROM bronze.t, unnest(b) AS u(x)", "join"),
    ("SELECT a FROM bronze.t, LATERAL (SELECT 1)", "join"),
    ("SELECT unnest(a) AS x FROM bronze.t", "unnest"),
    ("SELECT generate_subscripts(a, 1) AS x FROM bronze.t", "unnest"),
    ("SELECT a FROM bronze.t UNION ALL SELECT a FROM bronze.t", "several queries"),
    ("SELECT (SELECT max(b) FROM silver.u) AS m FROM bronze.t", "subquery"),
    ("SELECT a FROM bronze.t WHERE a IN (SELECT b FROM silver.u)", "subquery"),
    ("SELECT a FROM bronze.t WHERE EXISTS (SELECT 1 FROM silver.u)", "subquery"),
    ("SELECT a FROM (SELECT DISTINCT a FROM bronze.t)", "DISTINCT"),
    ("WITH s AS (SELECT a FROM bronze.t LIMIT 1) SELECT a FROM s", "LIMIT"),
    ("WITH RECURSIVE s AS (SELECT a FROM bronze.t) SELECT a FROM s", "recursive"),
    ("(SELECT a FROM bronze.t) LIMIT 3", "parentheses"),
    ("SELECT COLUMNS('a.*') FROM bronze.t", "COLUMNS"),
    ("SELECT * LIKE 'a%' FROM bronze.t", "star"),
    ("SELECT a FROM bronze.t AS t(a, b)", "by position"),
    ("SELECT * FROM bronze.t PIVOT (sum(b) FOR a IN (1, 2))", "pivots"),
    ("SELECT a FROM bronze.t AT (VERSION => 3)", "when"),
    ("SELECT a FROM range(3) AS r(a)", "not a table"),
    ("SELECT 1 AS a", "no table"),
]


@pytest.mark.parametrize("sql", PRESERVING)
def test_projections_and_filters_of_one_table_are_row_preserving(sql: str) -> None:
    """Also through subselects and common table expressions."""
    found = shape(parse(sql, MODEL))
    assert (found.row_preserving, found.input) == (True, TableName("bronze", "t"))


@pytest.mark.parametrize(("sql", "reason"), DECLINED)
def test_everything_else_is_declined_with_its_reason(sql: str, reason: str) -> None:
    """The reason names what stands in the way."""
    found = shape(parse(sql, MODEL))
    assert not found.row_preserving
    assert reason.lower() in found.reason.lower()
