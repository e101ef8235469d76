-- Names that belong to the lakehouse.
SELECT a AS _origin FROM bronze.t
-- MP-2006 1:8
SELECT * REPLACE (1 AS _origin) FROM bronze.t
-- MP-2006 1:19
SELECT * RENAME (a AS _position) FROM bronze.t
-- MP-2006 1:18
SELECT a FROM bronze.t UNION ALL SELECT a FROM bronze.t
-- MP-2007 1:8
