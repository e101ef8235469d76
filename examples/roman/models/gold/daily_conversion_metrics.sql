/*---
description: What the service did on a day.
kind: aggregate
key: [day]
---*/
SELECT
    event_time::DATE AS day,
    count(*) AS conversions,
    count(*) FILTER (direction = 'to_roman') AS to_roman,
    count(*) FILTER (direction = 'to_arabic') AS to_arabic,
    count(*) FILTER (status = 'refused') AS refused,
    count(DISTINCT user_id) AS users,
    round(avg(duration_ms), 2) AS mean_ms,
    max(duration_ms) AS slowest_ms
FROM silver.fact_conversions
GROUP BY event_time::DATE
