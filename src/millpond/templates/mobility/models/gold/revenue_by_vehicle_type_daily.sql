/*---
description: What each type of vehicle earned on a day.
kind: replace
key: [vehicle_type, day]
---*/
SELECT
    v.vehicle_type,
    b.started_at::DATE AS day,
    count(*) AS bookings,
    count(DISTINCT b.vehicle_id) AS vehicles,
    sum(b.price)::DECIMAL(18, 2) AS revenue
FROM silver.bookings AS b
JOIN silver.vehicles AS v ON v.vehicle_id = b.vehicle_id
GROUP BY v.vehicle_type, b.started_at::DATE
