-- Statements that the guard lets through, one to a paragraph. Tables: silver.trips, silver.riders, gold.orders, gold.items.
SELECT 1

SELECT * FROM silver.trips

FROM silver.trips

FROM silver.trips SELECT bike WHERE bike > 3

TABLE silver.trips

VALUES (1, 'a'), (2, 'b')

SELECT count(*) FROM silver.trips

SELECT t.bike, count(*) AS trips FROM silver.trips AS t GROUP BY t.bike ORDER BY trips DESC LIMIT 10

SELECT trips.bike FROM silver.trips

SELECT silver.trips.bike FROM silver.trips

SELECT "bike" FROM "silver"."trips"

SELECT BIKE FROM SILVER.TRIPS

SELECT l_returnflag, sum(quantity) AS sum_qty, avg(price * (1 - discount)) FROM gold.items WHERE shipped <= DATE '1998-12-01' - INTERVAL 90 DAY GROUP BY l_returnflag ORDER BY l_returnflag

SELECT o.id, sum(i.price) AS revenue FROM gold.orders o, gold.items i WHERE o.id = i.order_id AND o.day < DATE '1995-03-15' GROUP BY o.id ORDER BY revenue DESC LIMIT 10

SELECT priority, count(*) FROM gold.orders o WHERE EXISTS (SELECT * FROM gold.items i WHERE i.order_id = o.id AND i.committed < i.received) GROUP BY priority

SELECT sum(price * discount) AS revenue FROM gold.items WHERE discount BETWEEN 0.05 AND 0.07 AND quantity < 24

SELECT year(day) AS y, sum(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / sum(volume) FROM (SELECT o.day, i.price AS volume, i.nation FROM gold.orders o JOIN gold.items i ON o.id = i.order_id) AS all_nations GROUP BY y ORDER BY y

SELECT count(*) FILTER (WHERE price > 10), count(DISTINCT nation) FROM gold.items

SELECT nation, extract(year FROM shipped) AS y FROM gold.items WHERE name LIKE '%green%' AND name NOT ILIKE 'x_' ESCAPE '!'

SELECT 100.00 * sum(CASE WHEN type LIKE 'PROMO%' THEN price ELSE 0 END) / nullif(sum(price), 0) FROM gold.items

WITH revenue AS (SELECT supplier, sum(price) AS total FROM gold.items GROUP BY supplier) SELECT * FROM revenue WHERE total = (SELECT max(total) FROM revenue)

SELECT * FROM gold.items WHERE order_id IN (SELECT id FROM gold.orders WHERE price > 300)

SELECT * FROM gold.items WHERE order_id NOT IN (SELECT id FROM gold.orders)

SELECT * FROM gold.items WHERE quantity < (SELECT 0.2 * avg(j.quantity) FROM gold.items j WHERE j.part = items.part)

SELECT * FROM gold.items WHERE price > ANY (SELECT price FROM gold.orders)

SELECT * FROM gold.items WHERE price >= ALL (SELECT price FROM gold.orders)

SELECT substring(phone FROM 1 FOR 2) AS code, count(*) FROM silver.riders GROUP BY code

WITH a AS (SELECT * FROM silver.trips), b AS (SELECT * FROM a) SELECT * FROM b

WITH trips AS (SELECT * FROM silver.trips) SELECT * FROM trips

WITH a AS (WITH b AS (SELECT 1 AS x) SELECT * FROM b) SELECT * FROM a

WITH a AS MATERIALIZED (SELECT 1 AS x) SELECT * FROM a JOIN a AS c USING (x)

WITH a AS NOT MATERIALIZED (SELECT 1 AS x) SELECT * FROM a

WITH a(x, y) AS (SELECT bike, rider FROM silver.trips) SELECT x FROM a

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) SELECT * FROM n

WITH RECURSIVE n(i) USING KEY (i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 10) SELECT * FROM n

SELECT * FROM (WITH a AS (SELECT 1 AS x) SELECT * FROM a) s

SELECT (WITH a AS (SELECT 1 AS x) SELECT x FROM a) AS one FROM silver.trips

WITH a AS (SELECT 1 AS x) SELECT (SELECT max(x) FROM a) FROM silver.trips WHERE bike IN (SELECT x FROM a)

SELECT row_number() OVER (PARTITION BY bike ORDER BY started_at) FROM silver.trips

SELECT lag(ended_at) OVER w, sum(distance) OVER (w ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) FROM silver.trips WINDOW w AS (PARTITION BY bike ORDER BY started_at)

SELECT avg(distance) OVER (ORDER BY started_at RANGE BETWEEN INTERVAL 1 HOUR PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM silver.trips

SELECT first_value(bike IGNORE NULLS) OVER (ORDER BY started_at), rank() OVER (ORDER BY distance DESC NULLS LAST), ntile(4) OVER (ORDER BY distance) FROM silver.trips

SELECT bike FROM silver.trips QUALIFY row_number() OVER (PARTITION BY bike ORDER BY started_at DESC) = 1

SELECT bike FROM silver.trips UNION SELECT id FROM silver.riders

SELECT bike FROM silver.trips UNION ALL SELECT id FROM silver.riders ORDER BY 1 LIMIT 5 OFFSET 2

SELECT bike FROM silver.trips INTERSECT SELECT id FROM silver.riders

SELECT bike FROM silver.trips EXCEPT ALL SELECT id FROM silver.riders

SELECT bike AS id FROM silver.trips UNION ALL BY NAME SELECT id, name FROM silver.riders

(SELECT bike FROM silver.trips LIMIT 1) UNION ALL (SELECT id FROM silver.riders LIMIT 1)

((FROM silver.trips))

SELECT DISTINCT bike FROM silver.trips

SELECT DISTINCT ON (bike) bike, started_at FROM silver.trips ORDER BY bike, started_at

SELECT * EXCLUDE (rider) FROM silver.trips

SELECT * REPLACE (distance / 1000 AS distance) FROM silver.trips

SELECT * RENAME (bike AS vehicle) FROM silver.trips

SELECT t.* EXCLUDE (t.rider), r.name FROM silver.trips t JOIN silver.riders r ON t.rider = r.id

SELECT COLUMNS('^d.*') FROM silver.trips

SELECT max(COLUMNS(*)) FROM silver.trips

SELECT COLUMNS(lambda c: c LIKE 'd%') FROM silver.trips

SELECT * LIKE 'd%' FROM silver.trips

SELECT coalesce(*COLUMNS('^d.*')) FROM silver.trips

SELECT * FROM silver.trips t LEFT JOIN silver.riders r ON t.rider = r.id

SELECT * FROM silver.trips FULL OUTER JOIN silver.riders ON rider = id

SELECT * FROM silver.trips NATURAL JOIN silver.riders

SELECT * FROM silver.trips CROSS JOIN silver.riders

SELECT * FROM silver.trips SEMI JOIN silver.riders ON rider = id

SELECT * FROM silver.trips ANTI JOIN silver.riders ON rider = id

SELECT * FROM silver.trips ASOF JOIN gold.orders ON trips.started_at >= orders.day

SELECT * FROM silver.trips POSITIONAL JOIN silver.riders

SELECT * FROM silver.trips t, LATERAL (SELECT name FROM silver.riders r WHERE r.id = t.rider) s

SELECT * FROM silver.trips t JOIN silver.riders r USING (rider)

SELECT t FROM silver.trips t

SELECT unnest([1, 2, 3])

SELECT * FROM unnest([1, 2, 3]) AS u(x)

SELECT t.bike, u.x FROM silver.trips t, unnest(t.tags) AS u(x)

SELECT unnest({'a': 1, 'b': 2}, recursive := true)

SELECT * FROM range(10) AS r(i)

SELECT * FROM generate_series(DATE '2024-01-01', DATE '2024-02-01', INTERVAL 1 DAY) AS d(day)

SELECT h.i, count(bike) FROM range(24) h(i) LEFT JOIN silver.trips ON hour(started_at) = h.i GROUP BY ALL ORDER BY ALL

SELECT [x * 2 FOR x IN [1, 2, 3] IF x > 1]

SELECT list_transform([1, 2, 3], lambda x: x + 1), list_filter(tags, lambda x: x <> 'a'), list_reduce([1, 2], lambda a, b: a + b) FROM silver.trips

SELECT {'a': 1, 'b': {'c': [1, 2]}} AS s, map {'k': 1}, [1, 2][1], 'abc'[1:2], s.b.c[1]

SELECT struct_pack(a := 1, b := 2), row(1, 2), (1, 2)

SELECT array_value(1, 2, 3)::INTEGER[3], [1, 2]::DOUBLE[], '1'::UTINYINT, 'a'::ENUM('a', 'b')

SELECT payload -> '$.a', payload ->> 'b', json_extract_string(payload, '$.c') FROM silver.trips

SELECT * FROM json_each('{"a": 1}')

SELECT CASE bike WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE NULL END FROM silver.trips

SELECT if(bike > 1, 'x', 'y'), coalesce(rider, 0), ifnull(rider, 0), greatest(1, 2), try_cast('x' AS INTEGER), TRY(1 / 0) FROM silver.trips

SELECT bike IS NULL, bike IS NOT NULL, bike IS DISTINCT FROM 3, NOT true, bike BETWEEN 1 AND 3, bike IN (1, 2, 3), -bike, bike // 2, bike % 2, bike ** 2, 5!, ~bike, bike & 1, bike | 1, bike << 1 FROM silver.trips

SELECT name ~ 'a.*', name SIMILAR TO 'a.*', name GLOB 'a*', name || 'b', name ^@ 'a', upper(name), name.lower(), regexp_replace(name, 'a', 'b', 'g') FROM silver.riders

SELECT name COLLATE NOCASE FROM silver.riders ORDER BY name COLLATE NOCASE DESC NULLS FIRST

SELECT date_trunc('hour', started_at), started_at AT TIME ZONE 'UTC', started_at + INTERVAL '2 hours', date_diff('day', started_at, ended_at), strftime(started_at, '%Y'), now(), current_date, epoch(started_at) FROM silver.trips

SELECT bike, rider, count(*), grouping(bike) FROM silver.trips GROUP BY GROUPING SETS ((bike), (rider), ())

SELECT bike, rider, count(*) FROM silver.trips GROUP BY ROLLUP (bike, rider)

SELECT bike, rider, count(*) FROM silver.trips GROUP BY CUBE (bike, rider) HAVING count(*) > 1

SELECT quantile_cont(distance, 0.5), median(distance), mode(bike), approx_count_distinct(rider), arg_max(bike, distance), list(bike ORDER BY started_at), string_agg(name, ',' ORDER BY name), histogram(bike), stddev(distance), percentile_cont(0.5) WITHIN GROUP (ORDER BY distance) FROM silver.trips

PIVOT silver.trips ON bike IN (1, 2) USING sum(distance)

SELECT * FROM silver.trips PIVOT (sum(distance) FOR bike IN (1, 2) GROUP BY rider)

FROM (PIVOT silver.trips ON bike IN (1, 2) USING sum(distance) AS d, count(*) AS n GROUP BY rider)

UNPIVOT silver.trips ON distance, duration INTO NAME what VALUE amount

SELECT * FROM silver.trips UNPIVOT (amount FOR what IN (distance, duration))

SELECT * FROM silver.trips UNPIVOT INCLUDE NULLS (amount FOR what IN (distance, duration))

SELECT d: distance / 1000, b: bike FROM silver.trips

SELECT bike AS b, b + 1 AS c, FROM silver.trips

SELECT #1 FROM silver.trips

SELECT * FROM silver.trips WHERE bike = ? AND rider = ?

SELECT * FROM silver.trips WHERE bike = $1

SELECT * FROM silver.trips WHERE bike = $bike

SELECT * FROM silver.trips LIMIT (SELECT 3)

SELECT * FROM silver.trips LIMIT 10%

SELECT * FROM silver.trips ORDER BY started_at OFFSET 5

SELECT ARRAY(SELECT bike FROM silver.trips) AS bikes

SELECT 'it''s', e'a\nb', $$dollar$$, 1_000, 0xFF, 1e3, '\x41'::BLOB, NULL, TRUE, TIMESTAMP '2024-01-01', TIMESTAMPTZ '2024-01-01 00:00:00+02', TIME '10:00', 123456789012345678901234567890, 1.23, INTERVAL 3 MONTH

SELECT ('1' || '2')::INTEGER + CAST('3' AS DECIMAL(10, 2)), '2024-01-01'::DATE, '{"a": [1]}'::JSON

SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v(id, name)

SELECT * FROM (SELECT 1 AS a), (SELECT 2 AS b)

SELECT * FROM silver.trips -- a comment
 /* and another */ WHERE bike = 1;

SELECT quarantine.records.rule, count(*) FROM quarantine.records GROUP BY ALL

SELECT random(), uuid(), md5('a'), hash(1), sha256('a'), bit_count(5), pi(), trunc(1.5), round(2.5, 1), gcd(4, 6)

SELECT list_sort([3, 1, 2]), list_aggregate([1, 2], 'sum'), list_sum([1, 2]), list_distinct([1, 1]), flatten([[1], [2]]), len([1]), range(3), list_zip([1], [2])

SELECT map_keys(map {'a': 1}), map_from_entries([{'k': 'a', 'v': 1}]), element_at(map {'a': 1}, 'a')

SELECT struct_extract({'a': 1}, 'a'), struct_insert({'a': 1}, b := 2)

SELECT sum(a) FROM (SELECT unnest([1, 2]) AS a) WHERE a > (SELECT avg(b) FROM (SELECT unnest([1, 2]) AS b))

SELECT * FROM silver.trips USING SAMPLE 10 ROWS

SELECT * FROM silver.trips TABLESAMPLE 10 PERCENT (bernoulli)

SELECT current_user, current_schema

SELECT 1; --
