/*---
description: One trip.
kind: aggregate
key: [route_id]
columns:
  user_id: {description: rider, pii: user_id}
  started_at: {description: 'first point, in UTC'}
  ended_at: {description: 'last point, in UTC'}
  distance_m: {description: 'metres along the points, in order of time'}
---*/
WITH steps AS (
    SELECT
        *,
        lag(latitude) OVER (PARTITION BY route_id ORDER BY ts, latitude, longitude) AS from_latitude,
        lag(longitude) OVER (PARTITION BY route_id ORDER BY ts, latitude, longitude) AS from_longitude
    FROM silver.positions
),

measured AS (
    -- Haversine on the mean earth radius. Metres are exact decimals, so that their sum does not depend on row order.
    SELECT
        *,
        (2 * 6371008.8 * asin(sqrt(
            pow(sin(radians(latitude - from_latitude) / 2), 2)
            + cos(radians(from_latitude)) * cos(radians(latitude)) * pow(sin(radians(longitude - from_longitude) / 2), 2)
        )))::DECIMAL(18, 9) AS metres
    FROM steps
)

SELECT
    route_id,
    min(bike_id) AS bike_id,
    min(user_id) AS user_id,
    min(ts) AS started_at,
    max(ts) AS ended_at,
    date_diff('second', min(ts), max(ts)) AS duration_s,
    count(*) AS points,
    coalesce(sum(metres), 0)::DOUBLE AS distance_m
FROM measured
GROUP BY route_id
