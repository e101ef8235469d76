"""Each output column knows the input columns that it was made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from millpond.core.names import TableName
from millpond.core.schema import Column, Schema
from millpond.sql.lineage import lineage
from millpond.sql.parse import parse

SCHEMAS = {
    TableName("silver", "p"): Schema((Column("id", "INTEGER"), Column("ts", "TIMESTAMP"), Column("v", "INTEGER"))),
    TableName("silver", "z"): Schema((Column("id", "INTEGER"), Column("name", "VARCHAR"))),
}


@pytest.mark.parametrize(
    ("sql", "edges"),
    [
        ("SELECT * FROM silver.p", "id<p.id ts<p.ts v<p.v"),
        ("SELECT V AS x FROM silver.p", "x<p.v"),
        (
            "SELECT p.id, z.name AS n, v + p.id AS s FROM silver.p JOIN silver.z USING (id)",
            "id<p.id n<z.name s<p.id s<p.v",
        ),
        ("SELECT name, ts FROM silver.p, silver.z", "name<z.name ts<p.ts"),
        ("SELECT count(*) AS n FROM silver.p JOIN silver.z USING (id)", "n<p.* n<z.*"),
        (
            "WITH a AS (SELECT *, v * 2 AS w FROM silver.p) SELECT w, ts::DATE AS d FROM (SELECT w, ts FROM a)",
            "w<p.v d<p.ts",
        ),
        ("WITH a(x, y) AS (SELECT id, v FROM silver.p) SELECT y FROM a", "y<p.v"),
        ("SELECT id FROM silver.p UNION ALL SELECT length(name) FROM silver.z", "id<p.id id<z.name"),
        ("SELECT id FROM silver.p EXCEPT SELECT id FROM silver.z", "id<p.id"),
        ("SELECT id FROM silver.p UNION ALL BY NAME SELECT name, id FROM silver.z", "id<p.id id<z.id name<z.name"),
        ("SELECT * EXCLUDE (id) REPLACE (v + id AS v) RENAME (ts AS t) FROM silver.p", "t<p.ts v<p.id v<p.v"),
        ("SELECT (SELECT max(name) FROM silver.z WHERE z.id = p.id) AS m FROM silver.p", "m<z.name"),
        ("SELECT m FROM silver.p, LATERAL (SELECT p.v + z.id AS m FROM silver.z)", "m<p.v m<z.id"),
        ("WITH RECURSIVE r(n) AS (SELECT id FROM silver.p UNION ALL SELECT n + 1 FROM r) SELECT n FROM r", "n<p.id"),
        ("SELECT u.x FROM silver.p, unnest([id, v]) AS u(x)", "x<p.id x<p.v"),
        ("SELECT p AS whole FROM silver.p", "whole<p.*"),
        ("SELECT list_transform([v], lambda x: x + id) AS l FROM silver.p", "l<p.id l<p.v"),
        ("SELECT v AS a, a + 1 AS b FROM silver.p", "a<p.v b<p.v"),
        ("SELECT v.lower() AS a FROM silver.p", "a<p.v"),
        ("SELECT sum(v) OVER (PARTITION BY id ORDER BY ts) AS s FROM silver.p", "s<p.id s<p.ts s<p.v"),
        ("SELECT COLUMNS('v') FROM silver.p", "id<p.id ts<p.ts v<p.v"),
        ("SELECT * FROM silver.p PIVOT (sum(v) FOR id IN (1, 2))", "*<p.*"),
        ("SELECT a.b, q, a.* FROM silver.unknown AS a", "b<unknown.b q<unknown.q *<unknown.*"),
        ("SELECT 1 AS one", ""),
    ],
)
def test_columns_are_traced_to_their_inputs(sql: str, edges: str) -> None:
    """Through joins, subqueries, set operations and stars."""
    found = lineage(parse(sql, Path("m.sql")), SCHEMAS)
    assert sorted(f"{output}<{table.name}.{column}" for output, table, column in found) == sorted(edges.split())
