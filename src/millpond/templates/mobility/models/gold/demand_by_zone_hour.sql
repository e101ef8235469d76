/*---
description: Rides by the zone and hour in which they began.
kind: aggregate
key: [zone_id, hour]
---*/
SELECT
    zone_id,
    date_trunc('hour', started_at) AS hour,
    count(*) AS trips,
    count(DISTINCT user_id) AS riders,
    sum(price)::DECIMAL(18, 2) AS revenue
FROM silver.bookings
GROUP BY zone_id, date_trunc('hour', started_at)
