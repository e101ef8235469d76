/*---
description: How many vehicles of each type reported on a day, and how full their batteries were.
kind: aggregate
key: [vehicle_type, day]
---*/
SELECT
    vehicle_type,
    date_trunc('day', ts) AS day,
    count(DISTINCT vehicle_id) AS vehicles,
    count(*) AS readings,
    round(avg(battery), 1) AS mean_battery,
    count(*) FILTER (battery < 15) AS low_readings
FROM silver.telemetry
GROUP BY vehicle_type, date_trunc('day', ts)
