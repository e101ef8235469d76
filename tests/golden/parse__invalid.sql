-- Text that is no SQL, or not one SELECT. The place is the author's own line and column.
SELECT 1 +
-- MP-2001 1:10
SELEC 1
-- MP-2001 1:1
SELECT a
FROM silver.x
WHERE a > ) 3
-- MP-2001 3:11
SELECT 'abc
-- MP-2001 1:8
SELECT a FROM silver.x /* a comment
-- MP-2001 1:24
SELECT 1; SELECT 2
-- MP-2003 1:18
DESCRIBE silver.x
-- MP-2003 1
INSERT INTO silver.x VALUES (1)
-- MP-2003 1
CREATE TABLE x AS SELECT 1
-- MP-2003 1
