-- Columns without a name.
SELECT a, a + 1 FROM silver.x
-- MP-2005 1:11
SELECT count(*) FROM silver.x
-- MP-2005 1:8
SELECT *, upper(a) FROM silver.x
-- MP-2005 1:11
