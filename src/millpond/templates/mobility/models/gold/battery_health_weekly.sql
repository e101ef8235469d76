/*---
description: How full a vehicle's battery was in a week, which begins on a Monday.
kind: aggregate
key: [vehicle_id, week]
---*/
SELECT
    vehicle_id,
    date_trunc('week', ts)::DATE AS week,
    count(*) AS readings,
    round(avg(battery), 2) AS mean_battery,
    min(battery) AS lowest_battery,
    count(*) FILTER (battery_status = 'critical') AS critical_readings,
    count(*) FILTER (battery_status = 'low') AS low_readings
FROM silver.telemetry
GROUP BY vehicle_id, date_trunc('week', ts)::DATE
