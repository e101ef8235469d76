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

SELECT x.a AS k, count(*) AS n FROM silver.x CROSS JOIN silver.y GROUP BY ALL;
unknown;

SELECT x.a AS k, y.v FROM silver.x NATURAL JOIN silver.y;
unknown;

SELECT x.a AS k, y.v FROM silver.x POSITIONAL JOIN silver.y;
unknown;

SELECT x.a AS k, y.v FROM silver.x RIGHT JOIN silver.y ON x.b = y.b;
unknown;

SELECT x.a AS k, y.v FROM silver.x FULL JOIN silver.y ON x.b = y.b;
unknown;

SELECT x.a AS k, y.v FROM silver.x LEFT JOIN silver.y ON x.b = y.b AND x.c IN (SELECT c FROM silver.z);
unknown;

SELECT x.a AS k, y.v FROM silver.x LEFT JOIN silver.x AS y ON x.b = y.a;
unknown;

SELECT y.a AS k, x.v FROM silver.x JOIN silver.y ON x.b = y.b;
unknown;

SELECT silver.x.a AS k, 1 AS one FROM silver.x JOIN gold.x ON silver.x.b = gold.x.b;
unknown;

SELECT k, v FROM (SELECT x.a AS k, * FROM silver.x JOIN silver.y ON x.b = y.b) QUALIFY row_number() OVER (PARTITION BY v) = 1;
unknown;

SELECT x.a AS k, count(*) OVER (PARTITION BY y.v) AS n FROM silver.x JOIN silver.y ON x.b = y.b;
unknown;

-- Joins that find rows by equalities.
SELECT x.a AS k, y.v FROM silver.x LEFT JOIN silver.y ON x.b = y.b;
a | silver.y: b = b;

SELECT a AS k, v FROM (SELECT a, b FROM silver.x) AS f JOIN (SELECT b, v FROM silver.y) AS d ON f.b = d.b;
a | silver.y: b = b;

SELECT f.a AS k, p.v AS v, q.v AS w FROM silver.x AS f LEFT JOIN silver.y AS p ON f.b = p.id LEFT JOIN silver.y AS q ON q.id = lower(f.c);
a | silver.y: b = id | silver.y: lower(c) = id;

SELECT f.a AS k, d.v FROM silver.x AS f LEFT JOIN silver.y AS d ON f.b = d.b AND f.ts >= d.valid_from AND f.ts < d.valid_to;
a | silver.y: b = b;

SELECT f.a AS k, d.v FROM silver.x AS f ASOF LEFT JOIN silver.y AS d ON f.b = d.b AND f.ts >= d.ts;
a | silver.y: b = b;

SELECT f.a AS k, d.v FROM silver.x AS f ASOF JOIN silver.y AS d USING (b, ts);
a | silver.y: b = b;

SELECT f.a AS k, d.v FROM silver.x AS f JOIN silver.y AS d USING (b, c);
a | silver.y: b = b and c = c;

SELECT b AS k, count(*) AS n FROM silver.x JOIN silver.y USING (b) JOIN silver.z USING (b) GROUP BY b;
b | silver.y: b = b | silver.z: b = b;

SELECT f.a AS k, f.b FROM silver.x AS f ANTI JOIN silver.y AS d ON f.b IS NOT DISTINCT FROM d.b;
a | silver.y: b IS NOT DISTINCT FROM b;

SELECT f.*, d.* FROM silver.x AS f LEFT JOIN silver.y AS d ON f.b = d.b;
unknown;

SELECT f.a AS k, count(DISTINCT d.v) AS n FROM silver.x AS f LEFT JOIN silver.y AS d ON f.b = d.b GROUP BY k;
a | silver.y: b = b;

SELECT f.k, count(*) AS n FROM silver.x AS f LEFT JOIN silver.y AS d ON f.b = d.b GROUP BY k;
k | silver.y: b = b;

WITH newest AS (SELECT * FROM silver.y QUALIFY row_number() OVER (PARTITION BY id ORDER BY ts DESC) = 1) SELECT f.a AS k, n.v FROM silver.x AS f LEFT JOIN newest AS n ON f.b = n.id AND f.c = n.c;
a | silver.y: b = id;

WITH totals AS (SELECT a, b, sum(v) AS v FROM silver.x GROUP BY ALL), named AS (SELECT t.a, t.v, upper(d.city) AS city FROM totals AS t LEFT JOIN silver.y AS d ON t.b = d.b) SELECT a AS k, city, sum(v) AS v FROM named GROUP BY ALL;
a | silver.y: b = b;

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

SELECT f.*, d.v FROM silver.x AS f LEFT JOIN silver.y AS d ON f.b = d.b;
k | silver.y: b = b;

SELECT f.a AS k, d.* FROM silver.x AS f LEFT JOIN silver.y AS d ON f.b = d.b;
a | silver.y: b = b;

-- Joins that find rows otherwise, or of which rows of different values meet: each row bears on every key.
SELECT x.a AS k, y.v FROM silver.x, silver.y WHERE x.a = y.a;
a | silver.y: any row;

SELECT x.a AS k, y.v FROM silver.x LEFT JOIN silver.y ON x.b < y.b;
a | silver.y: any row;

SELECT x.a AS k, y.v FROM silver.x LEFT JOIN silver.y ON x.b = y.b OR x.a = y.a;
a | silver.y: any row;

SELECT x.a AS k, y.v FROM silver.x LEFT JOIN silver.y ON y.b = 3;
a | silver.y: any row;

SELECT x.a AS k, z.v FROM silver.x LEFT JOIN silver.y ON x.b = y.b LEFT JOIN silver.z ON y.c = z.c;
a | silver.y: b = b | silver.z: any row;

SELECT x.a AS k, y.v FROM silver.x LEFT JOIN (SELECT b, v FROM silver.y LIMIT 3) AS y ON x.b = y.b;
a | silver.y: any row;

SELECT x.a AS k, y.v FROM silver.x LEFT JOIN (SELECT max(b) AS b FROM silver.y) AS y ON x.b = y.b;
a | silver.y: any row;
