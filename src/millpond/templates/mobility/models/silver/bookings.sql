/*---
description: One row for each ride. Exports overlap; a ride is kept once.
kind: append
key: [booking_id]
checks:
  - not_null: vehicle_id
  - between: {price: [0, 500]}
  - sql: ended_at >= started_at
    name: ends_after_start
columns:
  user_id: {description: rider, pii: user_id}
---*/
SELECT
    booking_id,
    vehicle_id,
    user_id,
    zone_id,
    started_at::TIMESTAMP AS started_at,
    ended_at::TIMESTAMP AS ended_at,
    distance_m::INTEGER AS distance_m,
    price::DECIMAL(9, 2) AS price
FROM bronze.bookings
