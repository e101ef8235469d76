-- What cannot be judged row by row, and names that are taken.
SELECT count(*) AS n FROM bronze.t
-- MP-2007 1:8
SELECT DISTINCT a::INTEGER AS a FROM bronze.t
-- MP-2007 1:17
SELECT a::INTEGER FROM bronze.t
-- MP-2005 1:8
SELECT a::INTEGER AS _cast_0 FROM bronze.t
-- MP-2006 1:8
SELECT * REPLACE (a::INTEGER AS _cast_3) FROM bronze.t
-- MP-2006 1:19
