-- Casts and :: become TRY_CAST, each with a flag.
SELECT a::INTEGER AS x, CAST(b AS DATE) AS y FROM bronze.t;
SELECT TRY_CAST(a AS INT) AS x, nullif(nullif(TRY_CAST(b AS DATE), CAST('infinity' AS DATE)), CAST('-infinity' AS DATE)) AS y, CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0", CASE WHEN (nullif(nullif(TRY_CAST(b AS DATE), CAST('infinity' AS DATE)), CAST('-infinity' AS DATE))) IS NULL AND NOT (b) IS NULL THEN CAST(b AS TEXT) END AS "_cast_1" FROM bronze.t;

-- The bike-share's positions.
SELECT "Route ID" AS route_id, replace(Bike, ',', '')::INTEGER AS bike_id, "User ID" AS user_id, (Date::TIMESTAMPTZ AT TIME ZONE 'UTC') AS ts, Latitude::DOUBLE AS latitude FROM bronze.t;
SELECT "Route ID" AS route_id, TRY_CAST(replace(Bike, ',', '') AS INT) AS bike_id, "User ID" AS user_id, (nullif(nullif(TRY_CAST(Date AS TIMESTAMPTZ), CAST('infinity' AS TIMESTAMPTZ)), CAST('-infinity' AS TIMESTAMPTZ)) AT TIME ZONE 'UTC') AS ts, TRY_CAST(Latitude AS DOUBLE) AS latitude, CASE WHEN (TRY_CAST(replace(Bike, ',', '') AS INT)) IS NULL AND NOT (replace(Bike, ',', '')) IS NULL THEN CAST(replace(Bike, ',', '') AS TEXT) END AS "_cast_0", CASE WHEN (nullif(nullif(TRY_CAST(Date AS TIMESTAMPTZ), CAST('infinity' AS TIMESTAMPTZ)), CAST('-infinity' AS TIMESTAMPTZ))) IS NULL AND NOT (Date) IS NULL THEN CAST(Date AS TEXT) END AS "_cast_1", CASE WHEN (TRY_CAST(Latitude AS DOUBLE)) IS NULL AND NOT (Latitude) IS NULL THEN CAST(Latitude AS TEXT) END AS "_cast_2" FROM bronze.t;

-- strptime has a try form.
SELECT strptime(a, '%Y-%m-%d')::DATE AS d FROM bronze.t;
SELECT nullif(nullif(TRY_CAST(try_strptime(a, '%Y-%m-%d') AS DATE), CAST('infinity' AS DATE)), CAST('-infinity' AS DATE)) AS d, CASE WHEN (try_strptime(a, '%Y-%m-%d')) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0", CASE WHEN (nullif(nullif(TRY_CAST(try_strptime(a, '%Y-%m-%d') AS DATE), CAST('infinity' AS DATE)), CAST('-infinity' AS DATE))) IS NULL AND NOT (try_strptime(a, '%Y-%m-%d')) IS NULL THEN CAST(try_strptime(a, '%Y-%m-%d') AS TEXT) END AS "_cast_1" FROM bronze.t;

-- A cast of a cast: the inner one fails first; text never fails.
SELECT a::INTEGER::VARCHAR AS x, a::DOUBLE::SMALLINT AS y FROM bronze.t;
SELECT CAST(TRY_CAST(a AS INT) AS TEXT) AS x, TRY_CAST(TRY_CAST(a AS DOUBLE) AS SMALLINT) AS y, CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0", CASE WHEN (TRY_CAST(a AS DOUBLE)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_1", CASE WHEN (TRY_CAST(TRY_CAST(a AS DOUBLE) AS SMALLINT)) IS NULL AND NOT (TRY_CAST(a AS DOUBLE)) IS NULL THEN CAST(TRY_CAST(a AS DOUBLE) AS TEXT) END AS "_cast_2" FROM bronze.t;

-- Constants, TRY_CAST and TRY are the author's own business.
SELECT '1'::INTEGER AS one, TRY_CAST(a AS INTEGER) AS x, TRY(b::DATE) AS y FROM bronze.t;
SELECT CAST('1' AS INT) AS one, TRY_CAST(a AS INT) AS x, TRY(CAST(b AS DATE)) AS y FROM bronze.t;

-- TRY_CAST of a nested type would only blank its parts.
SELECT a::INTEGER[] AS l FROM bronze.t;
SELECT try(CAST(a AS INT[])) AS l, CASE WHEN (try(CAST(a AS INT[]))) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t;

-- Text that is no JSON fails where it is read first.
SELECT a ->> '$.x' AS x, (b -> 'k') ->> 'l' AS y, json_extract_string(c, '$.z')::INTEGER AS z FROM bronze.t;
SELECT try(a ->> '$.x') AS x, try((try(b -> 'k')) ->> 'l') AS y, TRY_CAST(try(json_extract_string(c, '$.z')) AS INT) AS z, CASE WHEN (json_valid(a)) IS FALSE THEN CAST(a AS TEXT) END AS "_cast_0", CASE WHEN (json_valid(b)) IS FALSE THEN CAST(b AS TEXT) END AS "_cast_1", CASE WHEN (json_valid(c)) IS FALSE THEN CAST(c AS TEXT) END AS "_cast_2", CASE WHEN (TRY_CAST(try(json_extract_string(c, '$.z')) AS INT)) IS NULL AND NOT (try(json_extract_string(c, '$.z'))) IS NULL THEN CAST(try(json_extract_string(c, '$.z')) AS TEXT) END AS "_cast_3" FROM bronze.t;

-- A branch that is not taken fails nothing.
SELECT CASE WHEN k = 'n' THEN a::INTEGER WHEN k = 'd' THEN b::INTEGER ELSE c::INTEGER END AS x FROM bronze.t;
SELECT CASE WHEN k = 'n' THEN TRY_CAST(a AS INT) WHEN k = 'd' THEN TRY_CAST(b AS INT) ELSE TRY_CAST(c AS INT) END AS x, CASE WHEN (k = 'n') IS TRUE AND ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL) THEN CAST(a AS TEXT) END AS "_cast_0", CASE WHEN NOT (k = 'n') IS TRUE AND (k = 'd') IS TRUE AND ((TRY_CAST(b AS INT)) IS NULL AND NOT (b) IS NULL) THEN CAST(b AS TEXT) END AS "_cast_1", CASE WHEN NOT (k = 'n') IS TRUE AND NOT (k = 'd') IS TRUE AND ((TRY_CAST(c AS INT)) IS NULL AND NOT (c) IS NULL) THEN CAST(c AS TEXT) END AS "_cast_2" FROM bronze.t;

-- A CASE with a subject.
SELECT CASE k WHEN 'n' THEN a::INTEGER END AS x FROM bronze.t;
SELECT CASE k WHEN 'n' THEN TRY_CAST(a AS INT) END AS x, CASE WHEN ((k) = ('n')) IS TRUE AND ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL) THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t;

-- IF and COALESCE are lazy too.
SELECT if(k = 'n', a::INTEGER, 0) AS x, coalesce(b, c::VARCHAR, d::INTEGER) AS y FROM bronze.t;
SELECT CASE WHEN k = 'n' THEN TRY_CAST(a AS INT) ELSE 0 END AS x, coalesce(b, CAST(c AS TEXT), TRY_CAST(d AS INT)) AS y, CASE WHEN (k = 'n') IS TRUE AND ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL) THEN CAST(a AS TEXT) END AS "_cast_0", CASE WHEN (b) IS NULL AND (CAST(c AS TEXT)) IS NULL AND ((TRY_CAST(d AS INT)) IS NULL AND NOT (d) IS NULL) THEN CAST(d AS TEXT) END AS "_cast_1" FROM bronze.t;

-- A filter keeps the row whose fate hangs on a cast.
SELECT k FROM bronze.t WHERE a::INTEGER > 3;
SELECT k, CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t WHERE TRY_CAST(a AS INT) > 3 OR ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL);

-- An AND that is false anyway hangs on nothing.
SELECT k FROM bronze.t WHERE k <> 'n' AND a::INTEGER > 3;
SELECT k, CASE WHEN (k <> 'n') IS TRUE AND ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL) THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t WHERE (k <> 'n' AND TRY_CAST(a AS INT) > 3) OR ((k <> 'n') IS TRUE AND ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL));

-- An OR that is true anyway neither.
SELECT k FROM bronze.t WHERE k = 'n' OR NOT a::INTEGER > 3;
SELECT k, CASE WHEN NOT (k = 'n') IS TRUE AND ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL) THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t WHERE (k = 'n' OR NOT TRY_CAST(a AS INT) > 3) OR (NOT (k = 'n') IS TRUE AND ((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL));

-- A filter on an alias.
SELECT a::INTEGER AS x FROM bronze.t WHERE x > 3;
SELECT TRY_CAST(a AS INT) AS x, CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t WHERE x > 3 OR (((TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL) AND CAST("x" AS TEXT) IS NOT DISTINCT FROM CAST((TRY_CAST(a AS INT)) AS TEXT));

-- A filter on the source's column of the same name.
SELECT a::INTEGER AS a FROM bronze.t WHERE a <> '-';
SELECT TRY_CAST(a AS INT) AS a, CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t WHERE a <> '-';

-- Flags pass through subselects and stars.
SELECT *, y + 1 AS z FROM (SELECT *, a::INTEGER AS y FROM bronze.t) WHERE y > 3;
SELECT * EXCLUDE ("_cast_0"), y + 1 AS z, "_cast_0" FROM (SELECT *, TRY_CAST(a AS INT) AS y, CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t) WHERE y > 3 OR NOT "_cast_0" IS NULL;

-- And through common table expressions.
WITH s AS (SELECT a::INTEGER AS y, k FROM bronze.t WHERE b::DATE > '2024-01-01'), r AS (SELECT y AS w, k FROM s) SELECT w FROM r WHERE w = 1 AND k = 'n';
WITH s AS (SELECT TRY_CAST(a AS INT) AS y, k, CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0", CASE WHEN (nullif(nullif(TRY_CAST(b AS DATE), CAST('infinity' AS DATE)), CAST('-infinity' AS DATE))) IS NULL AND NOT (b) IS NULL THEN CAST(b AS TEXT) END AS "_cast_1" FROM bronze.t WHERE nullif(nullif(TRY_CAST(b AS DATE), CAST('infinity' AS DATE)), CAST('-infinity' AS DATE)) > '2024-01-01' OR ((nullif(nullif(TRY_CAST(b AS DATE), CAST('infinity' AS DATE)), CAST('-infinity' AS DATE))) IS NULL AND NOT (b) IS NULL)), r AS (SELECT y AS w, k, "_cast_0", "_cast_1" FROM s) SELECT w, "_cast_0", "_cast_1" FROM r WHERE (w = 1 AND k = 'n') OR ((k = 'n') IS TRUE AND NOT "_cast_0" IS NULL);

-- REPLACE of a star.
SELECT * REPLACE (a::INTEGER AS a) FROM bronze.t;
SELECT * REPLACE (TRY_CAST(a AS INT) AS a), CASE WHEN (TRY_CAST(a AS INT)) IS NULL AND NOT (a) IS NULL THEN CAST(a AS TEXT) END AS "_cast_0" FROM bronze.t;

-- ORDER BY only orders.
SELECT a FROM bronze.t ORDER BY a::INTEGER;
SELECT a FROM bronze.t ORDER BY TRY_CAST(a AS INT);

-- Elements of lists stay strict.
SELECT list_transform(a, lambda v: v::INTEGER) AS x FROM bronze.t;
SELECT list_transform(a, LAMBDA v : CAST(v AS INT)) AS x FROM bronze.t;
