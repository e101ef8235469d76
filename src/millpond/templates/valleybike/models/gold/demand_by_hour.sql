/*---
description: Trips by the hour in which they began, in UTC.
kind: aggregate
key: [hour]
---*/
SELECT
    date_trunc('hour', started_at) AS hour,
    count(*) AS trips,
    count(DISTINCT user_id) AS riders
FROM gold.trips
GROUP BY date_trunc('hour', started_at)
