/*---
description: How much of a day a vehicle was booked, by the day on which rides began.
kind: aggregate
key: [vehicle_id, day]
---*/
SELECT
    vehicle_id,
    started_at::DATE AS day,
    count(*) AS bookings,
    round(sum(epoch(ended_at - started_at)) / 60)::BIGINT AS minutes,
    sum(distance_m)::BIGINT AS distance_m,
    sum(price)::DECIMAL(18, 2) AS revenue,
    round(sum(epoch(ended_at - started_at)) / 86400, 4) AS utilization
FROM silver.bookings
GROUP BY vehicle_id, started_at::DATE
