-- The table's name stays the name of its columns.
SELECT positions.ts FROM silver.positions;
SELECT "positions".ts FROM changed_positions AS "positions";

-- An alias stays.
SELECT p.ts FROM silver.positions AS p;
SELECT p.ts FROM changed_positions AS p;

-- Columns by full name.
SELECT silver.positions.ts, silver.positions.* FROM silver.positions;
SELECT "positions".ts, "positions".* FROM changed_positions AS "positions";

-- Tables of one name in two layers.
SELECT silver.trips.a, gold.trips.b FROM silver.trips JOIN gold.trips ON silver.trips.a = gold.trips.a;
SELECT "silver.trips".a, "gold.trips".b FROM "lake"."silver"."trips" AS "silver.trips" JOIN t2 AS "gold.trips" ON "silver.trips".a = "gold.trips".a;

-- Common table expressions are no tables.
WITH positions AS (SELECT * FROM silver.positions) SELECT * FROM positions;
WITH positions AS (SELECT * FROM changed_positions AS "positions") SELECT * FROM positions;

-- Subqueries and set operations.
SELECT a FROM gold.trips WHERE a IN (SELECT p.a FROM silver.positions AS p) UNION ALL SELECT a FROM silver.trips;
SELECT a FROM t2 AS "gold.trips" WHERE a IN (SELECT p.a FROM changed_positions AS p) UNION ALL SELECT a FROM "lake"."silver"."trips" AS "silver.trips";

-- Other tables stay.
SELECT * FROM bronze.other;
SELECT * FROM bronze.other;

-- A column alias list stays.
SELECT x FROM silver.positions AS p(x);
SELECT x FROM changed_positions AS p(x);
