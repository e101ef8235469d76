-- Layout and comments say nothing.
SELECT   a, -- the key
  /* twice */ count( * ) AS n
FROM bronze.t
GROUP BY a;
SELECT a, count(*) AS n FROM bronze.t GROUP BY a;

-- Nor does the case of keywords and functions.
select Sum(a) as s from bronze.t where a is NOT null;
SELECT sum(a) AS s FROM bronze.t WHERE NOT a IS NULL;

-- Two spellings of one cast.
SELECT a::INTEGER AS x FROM bronze.t;
SELECT CAST(a AS INT) AS x FROM bronze.t;
