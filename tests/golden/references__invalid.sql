-- Names that are not layer.name, and what is no table.
SELECT * FROM positions
-- MP-2002 1:15
SELECT a
  FROM sliver.positions
-- MP-2002 2:8
SELECT * FROM lake.silver.positions
-- MP-2002 1:15
SELECT * FROM 'positions.parquet'
-- MP-2002 1:15
SELECT * FROM information_schema.tables
-- MP-2002 1:15
WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a
-- MP-2002 1:26
WITH positions AS (SELECT * FROM positions) SELECT * FROM positions
-- MP-2002 1:34
SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) AS s, a
-- MP-2002 1:60
SELECT * FROM silver."Odd Name"
-- MP-2002 1:15
SELECT * FROM read_csv('a.csv')
-- MP-2004 1:15
SELECT * FROM silver.x, read_parquet('a.parquet')
-- MP-2004 1:25
SELECT * FROM query('SELECT 1')
-- MP-2004 1:15
