-- The key over the input's columns.
-- The bike-share's trips, by route_id.
SELECT route_id, min(ts) AS started_at, sum(d) AS distance_m FROM (SELECT *, latitude - lag(latitude) OVER (PARTITION BY route_id ORDER BY ts, latitude, longitude) AS d FROM silver.positions) GROUP BY route_id;
route_id;

SELECT date_trunc('hour', started_at) AS hour, count(*) AS trips FROM gold.trips GROUP BY 1;
date_trunc('hour', started_at);

SELECT date_trunc('hour', started_at) AS hour, count(*) AS trips FROM gold.trips GROUP BY hour;
date_trunc('hour', started_at);

SELECT date_trunc('hour', started_at) AS hour, count(*) AS trips FROM gold.trips GROUP BY ALL;
date_trunc('hour', started_at);

SELECT date_trunc('hour', started_at) AS hour, count(*) AS trips FROM gold.trips GROUP BY date_trunc('hour', started_at);
date_trunc('hour', started_at);

-- A key of which the groups are finer.
SELECT a AS k, b, count(*) AS n FROM silver.x GROUP BY a, b;
a;

SELECT x.a AS k, count(*) AS n FROM silver.x GROUP BY x.a;
a;

WITH s AS (SELECT lower(a) AS k, v FROM silver.x WHERE v > 3) SELECT k, sum(v) AS v FROM s GROUP BY ALL;
lower(a);

WITH s(k, w) AS (SELECT a + 1, v FROM silver.x) SELECT k, max(w) AS w FROM s GROUP BY k;
a + 1;

SELECT year(k) AS k, count(*) AS n FROM (SELECT a::DATE AS k FROM silver.x) GROUP BY 1;
year(CAST(a AS DATE));

SELECT k, n FROM (SELECT a AS k, b, count(*) AS n FROM silver.x GROUP BY a, b) QUALIFY row_number() OVER (PARTITION BY k ORDER BY n) = 1;
a;

SELECT a AS k, sum(v) OVER w AS v FROM silver.x WINDOW w AS (PARTITION BY a, b);
a;

SELECT * EXCLUDE (b) RENAME (a AS k) FROM silver.x;
a;

-- The whole of a table may meet here.
SELECT a AS k, count(*) AS n FROM silver.x GROUP BY a LIMIT 3;
unknown;

SELECT DISTINCT ON (b) a AS k FROM silver.x;
unknown;

SELECT DISTINCT b, count(*) OVER (PARTITION BY a) AS n FROM silver.x;
unknown;

SELECT DISTINCT a AS k, v FROM silver.x;
a;

SELECT a AS k, sum(v) AS v FROM (SELECT a, sum(v) OVER (PARTITION BY b) AS v FROM silver.x) GROUP BY a;
unknown;

SELECT a AS k, row_number() OVER () AS r FROM silver.x;
unknown;

SELECT a AS k, b, count(*) AS n FROM silver.x GROUP BY ROLLUP (a, b);
unknown;

SELECT a AS k, count(*) AS n FROM (SELECT a FROM silver.x LIMIT 100) GROUP BY a;
unknown;

SELECT date_trunc('day', k) AS k, count(*) AS n FROM (SELECT a AS k, sum(v) OVER (PARTITION BY date_trunc('day', a)) AS s FROM silver.x) GROUP BY ALL;
date_trunc('day', a);

-- Not to be proven.
SELECT count(*) AS k FROM silver.x;
unknown;

SELECT a AS k, count(*) AS n FROM silver.x JOIN silver.y USING (id) GROUP BY a;
unknown;

SELECT a AS k FROM silver.x UNION ALL SELECT a FROM silver.x;
unknown;

SELECT k, count(*) AS n FROM (SELECT *, lower(a) AS k FROM silver.x) GROUP BY k;
unknown;

SELECT random() AS k, count(*) AS n FROM silver.x GROUP BY ALL;
unknown;

SELECT a AS k, (SELECT max(v) FROM silver.y) AS m FROM silver.x;
unknown;

SELECT unnest(a) AS k FROM silver.x;
unknown;

SELECT row_number() OVER (ORDER BY a) AS k FROM silver.x;
unknown;
