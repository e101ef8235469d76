-- Columns come last.
SELECT a AS b FROM bronze.t;
SELECT a AS b, "_origin", "_position" FROM bronze.t;

-- A star gives each once.
SELECT * FROM bronze.t;
SELECT * EXCLUDE ("_origin", "_position"), "_origin", "_position" FROM bronze.t;

-- What the author takes along stays.
SELECT _origin, a FROM bronze.t;
SELECT _origin, a, "_position" FROM bronze.t;

-- A star with changes.
SELECT * EXCLUDE (_origin, b) REPLACE (a + 1 AS a) RENAME (_position AS p) FROM bronze.t;
SELECT * EXCLUDE (_origin, b) REPLACE (a + 1 AS a) RENAME (_position AS p), "_origin", "_position" FROM bronze.t;

-- Through subselects and common table expressions.
WITH s AS (SELECT a, b FROM bronze.t WHERE a > 1) SELECT r.a FROM (SELECT * FROM s) AS r;
WITH s AS (SELECT a, b, "_origin", "_position" FROM bronze.t WHERE a > 1) SELECT r.a, "_origin", "_position" FROM (SELECT * EXCLUDE ("_origin", "_position"), "_origin", "_position" FROM s) AS r;
