-- Statements that the guard refuses, one to a paragraph. Tables that exist: silver.trips, silver.riders, gold.orders, gold.items.
SELECT * FROM trips

SELECT * FROM people

SELECT * FROM main.trips

SELECT * FROM lake.silver.trips

SELECT * FROM memory.main.trips

SELECT * FROM temp.main.trips

SELECT * FROM system.main.duckdb_tables

SELECT * FROM silver.nothing

SELECT * FROM bronze.trips

SELECT * FROM secret.trips

SELECT * FROM "silver.trips"

SELECT * FROM "silver"."TRIPS "

SELECT * FROM "silver"."trıps"

SELECT * FROM silver."trips
"

SELECT * FROM silver."tripſ"

SELECT * FROM "ſilver".trips

SELECT * FROM silver.trips, hidden.trips

WITH people AS (SELECT * FROM people) SELECT * FROM people

WITH trips AS (SELECT * FROM trips) SELECT * FROM trips

WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a

WITH RECURSIVE a AS (SELECT * FROM a UNION ALL SELECT 1) SELECT * FROM a

WITH RECURSIVE a AS (SELECT * FROM b UNION ALL SELECT 1), b AS (SELECT 2) SELECT * FROM a

WITH a AS (SELECT 1) SELECT * FROM main.a

WITH a AS (SELECT 1) SELECT * FROM silver.a

WITH silver AS (SELECT 1) SELECT * FROM silver.hidden

SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) x, a

SELECT (WITH a AS (SELECT 1 AS x) SELECT x FROM a), (SELECT x FROM a)

WITH "É" AS (SELECT 1) SELECT * FROM "é"

WITH "K" AS (SELECT 1) SELECT * FROM k

SELECT 1 FROM silver.trips WHERE bike IN (WITH b AS (SELECT 1 AS x) SELECT x FROM b) AND rider IN (SELECT x FROM b)

SELECT (SELECT max(salary) FROM people)

SELECT 1 WHERE EXISTS (FROM people)

SELECT 1 FROM silver.trips HAVING count(*) > (SELECT count(*) FROM people)

SELECT bike FROM silver.trips ORDER BY (SELECT max(salary) FROM people)

SELECT bike FROM silver.trips LIMIT (SELECT count(*) FROM people)

SELECT bike FROM silver.trips OFFSET (SELECT count(*) FROM people)

SELECT bike FROM silver.trips QUALIFY row_number() OVER () = (SELECT 1 FROM people)

SELECT [(SELECT 1 FROM people)]

SELECT {'a': (SELECT 1 FROM people)}

SELECT map {'a': (SELECT 1 FROM people)}

VALUES ((SELECT 1 FROM people))

SELECT * FROM range((SELECT count(*) FROM people))

SELECT * FROM silver.trips t, LATERAL (SELECT * FROM people)

SELECT * FROM silver.trips JOIN people ON (bike = id)

SELECT * FROM silver.trips SEMI JOIN people ON bike = id

SELECT * FROM silver.trips ASOF JOIN people ON started_at >= day

SELECT * FROM silver.trips POSITIONAL JOIN people

SELECT * FROM silver.trips NATURAL JOIN people

SELECT CASE WHEN (SELECT true FROM people) THEN 1 END

SELECT list_filter([1], lambda x: x IN (SELECT id FROM people))

SELECT sum(bike) FILTER (WHERE bike IN (SELECT id FROM people)) FROM silver.trips

SELECT sum(bike) OVER (PARTITION BY (SELECT id FROM people LIMIT 1)) FROM silver.trips

SELECT list(bike ORDER BY (SELECT id FROM people LIMIT 1)) FROM silver.trips

SELECT * REPLACE ((SELECT 1 FROM people) AS bike) FROM silver.trips

SELECT bike FROM silver.trips GROUP BY GROUPING SETS ((bike, (SELECT 1 FROM people)))

SELECT 1 = ANY (SELECT id FROM people)

SELECT DISTINCT ON ((SELECT id FROM people LIMIT 1)) bike FROM silver.trips

SELECT bike FROM silver.trips UNION SELECT id FROM people

SELECT bike FROM silver.trips INTERSECT (FROM people SELECT id)

SELECT bike FROM silver.trips EXCEPT ALL SELECT id FROM people

SELECT * FROM silver.trips UNION ALL BY NAME SELECT * FROM people

((FROM people))

TABLE people

FROM people

PIVOT people ON bike IN (1) USING count(*)

PIVOT silver.trips ON bike USING count(*)

SELECT * FROM silver.trips PIVOT (count(*) FOR bike IN (SELECT id FROM people))

UNPIVOT people ON a, b INTO NAME n VALUE v

FROM 'trips.parquet'

FROM 'data/*.csv'

FROM "trips.parquet"

FROM 'https://example.org/a.csv'

FROM 's3://bucket/a.parquet'

FROM '/etc/passwd'

SELECT * FROM silver.trips, 'a.csv'

SELECT * FROM secret_df

FROM read_parquet('trips.parquet')

FROM parquet_scan('trips.parquet')

FROM read_csv('/etc/passwd')

FROM read_csv_auto('a.csv')

FROM read_json('a.json')

FROM read_json_auto('a.json')

FROM read_json_objects('a.json')

FROM read_ndjson('a.json')

FROM read_ndjson_objects('a.json')

FROM read_text('/etc/passwd')

FROM read_blob('/proc/self/environ')

FROM read_duckdb('a.db')

FROM glob('*')

FROM sniff_csv('a.csv')

FROM parquet_metadata('a.parquet')

FROM parquet_schema('a.parquet')

FROM parquet_kv_metadata('a.parquet')

FROM parquet_file_metadata('a.parquet')

FROM parquet_bloom_probe('a.parquet', 'x', 1)

FROM iceberg_scan('lake/silver/trips')

FROM iceberg_metadata('lake/silver/trips')

FROM iceberg_snapshots('lake/silver/trips')

FROM delta_scan('lake')

FROM sqlite_scan('catalog.db', 'pointers')

FROM postgres_scan('host=x', 'public', 't')

FROM query('SELECT * FROM people')

FROM query('SEL' || 'ECT 1')

FROM query_table('people')

FROM query_table(['silver.trips', 'people'])

FROM json_execute_serialized_sql('{}')

FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM people'))

SELECT json_serialize_sql('SELECT 1')

SELECT json_serialize_plan('SELECT * FROM silver.trips')

SELECT json_deserialize_sql('{}')

FROM duckdb_tables()

FROM duckdb_tables

FROM duckdb_columns()

FROM duckdb_views()

FROM duckdb_settings()

FROM duckdb_secrets()

FROM duckdb_logs()

FROM duckdb_functions()

FROM duckdb_databases()

FROM duckdb_extensions()

FROM duckdb_memory()

FROM duckdb_temporary_files()

FROM duckdb_external_file_cache()

FROM duckdb_prepared_statements()

FROM duckdb_variables()

FROM duckdb_table_sample('silver.trips')

FROM information_schema.tables

FROM information_schema.columns

FROM pg_catalog.pg_tables

FROM pg_tables

FROM sqlite_master

FROM pragma_storage_info('silver.trips')

FROM pragma_table_info('silver.trips')

FROM pragma_show('silver.trips')

FROM pragma_database_size()

FROM pragma_user_agent()

FROM pragma_version()

FROM summary(silver.trips)

FROM summary((FROM silver.trips))

FROM histogram(silver.trips, bike)

FROM histogram_values(silver.trips, bike)

FROM arrow_scan(1, 2, 3)

FROM pandas_scan(140234)

FROM python_map_function()

FROM seq_scan('silver.trips')

FROM repeat_row(1, 2, num_rows = 3)

FROM test_all_types()

FROM test_vector_types(NULL::INTEGER)

FROM which_secret('s3://a', 's3')

FROM checkpoint()

FROM force_checkpoint()

FROM enable_logging()

FROM truncate_duckdb_logs()

FROM load_aws_credentials()

FROM unknown_function(1)

SELECT current_setting('home_directory')

SELECT getvariable('x')

SELECT getenv('HOME')

SELECT current_query()

SELECT current_database()

SELECT current_schemas(true)

SELECT current_connection_id()

SELECT txid_current()

SELECT nextval('s')

SELECT currval('s')

SELECT setseed(0.5)

SELECT sleep_ms(5000)

SELECT pg_sleep(5)

SELECT stats(bike) FROM silver.trips

SELECT write_log('x')

SELECT error(name) FROM silver.riders

SELECT parse_duckdb_log_message('a', 'b')

SELECT in_search_path('a', 'b')

SELECT pg_get_viewdef(1)

SELECT has_table_privilege('a', 'b')

SELECT format_type(1, 2)

SELECT get_block_size('lake')

SELECT create_sort_key(bike, 'ASC') FROM silver.trips

SELECT vector_type(bike) FROM silver.trips

SELECT __internal_decompress_string(1)

SELECT unknown_function(bike) FROM silver.trips

SELECT bike.unknown_function() FROM silver.trips

SELECT 'SELECT 1'.query()

SELECT lower(getenv('HOME'))

SELECT list_transform(['HOME'], lambda x: getenv(x))

SELECT list_transform(['HOME'], x -> getenv(x))

SELECT sum(getenv('HOME')) OVER ()

SELECT * FROM range(len(getenv('HOME')))

SELECT 1 ORDER BY getenv('HOME')

SELECT main.getenv('HOME')

SELECT "getenv"('HOME')

SELECT GETENV('HOME')

SELECT * FROM silver.trips AT (VERSION => 3)

SELECT * FROM silver.trips AT (TIMESTAMP => TIMESTAMP '2024-01-01')

SELECT rowid FROM silver.trips

SELECT trips.rowid FROM silver.trips

SELECT file_row_number FROM silver.trips

SELECT "ROWID" FROM silver.trips

DESCRIBE silver.trips

DESCRIBE SELECT * FROM silver.trips

SUMMARIZE silver.trips

SUMMARIZE SELECT * FROM people

SHOW TABLES

SHOW ALL TABLES

SHOW DATABASES

SHOW silver.trips

SELECT * FROM (DESCRIBE silver.trips)

SELECT * FROM (SUMMARIZE silver.trips)

SELECT * FROM (SHOW TABLES)

SELECT 1; SELECT 2

SELECT 1; DROP TABLE silver.trips

SELECT 1;; SELECT 2

;

-- only a comment

SELECT 1 /* ; */; DELETE FROM silver.trips

SELECT 'a' /*

SELECT $$a

SELEC 1

SELECT * FROM

INSERT INTO silver.trips VALUES (1)

INSERT INTO silver.trips SELECT * FROM silver.trips RETURNING *

UPDATE silver.trips SET bike = 1

DELETE FROM silver.trips

MERGE INTO silver.trips USING gold.orders ON true WHEN MATCHED THEN DELETE

TRUNCATE silver.trips

WITH x AS (DELETE FROM silver.trips RETURNING *) SELECT * FROM x

WITH x AS (INSERT INTO silver.trips VALUES (1) RETURNING *) SELECT * FROM x

WITH x AS (UPDATE silver.trips SET bike = 1 RETURNING *) SELECT * FROM x

WITH x AS (COPY silver.trips TO 'out.csv') SELECT * FROM x

CREATE TABLE x AS SELECT 1

CREATE TEMP TABLE trips AS SELECT 1

CREATE OR REPLACE TEMP MACRO lower(x) AS 'a'

CREATE VIEW v AS SELECT * FROM people

CREATE SECRET s (TYPE s3)

DROP TABLE silver.trips

ALTER TABLE silver.trips ADD COLUMN x INTEGER

COPY silver.trips TO 'out.csv'

COPY (SELECT 1) TO 'out.parquet'

COPY silver.trips FROM 'in.csv'

EXPORT DATABASE 'x'

IMPORT DATABASE 'x'

ATTACH 'x.db'

ATTACH ':memory:' AS m

DETACH lake

USE main

SET search_path = 'main'

SET VARIABLE x = 1

SET enable_external_access = true

RESET lock_configuration

PRAGMA database_list

PRAGMA show_tables

PRAGMA table_info('silver.trips')

CALL pragma_version()

PREPARE p AS SELECT 1

EXECUTE p

DEALLOCATE p

EXPLAIN SELECT 1

EXPLAIN ANALYZE DELETE FROM silver.trips

INSTALL httpfs

LOAD httpfs

CHECKPOINT

VACUUM

BEGIN

COMMIT

ROLLBACK

LOAD '/tmp/evil.so'

COMMENT ON TABLE silver.trips IS 'x'

SELECT 1 INTO x
