/*---
description: Each ride of a user, with its number, where the one before went from, and what was spent until then.
kind: replace
key: [user_id, ride]
columns:
  user_id: {pii: user_id}
---*/
SELECT
    b.user_id,
    row_number() OVER rides AS ride,
    b.booking_id,
    b.started_at,
    v.vehicle_type,
    lag(b.zone_id) OVER rides AS from_zone,
    b.zone_id,
    round(epoch(b.started_at - lag(b.started_at) OVER rides) / 3600, 2) AS hours_since_last,
    (sum(b.price) OVER rides)::DECIMAL(18, 2) AS spent_so_far
FROM silver.bookings AS b
JOIN silver.vehicles AS v ON v.vehicle_id = b.vehicle_id
WINDOW rides AS (PARTITION BY b.user_id ORDER BY b.started_at, b.booking_id)
