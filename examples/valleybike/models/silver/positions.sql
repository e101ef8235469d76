/*---
description: One GPS point of a trip, each once.
kind: append
key: [route_id, bike_id, user_id, ts, latitude, longitude]
checks:
  - between: {latitude: [42, 43], longitude: [-73, -72]}
  - sql: ts >= TIMESTAMP '2018-06-01'
    name: since_opening
on_fail: quarantine
columns:
  user_id: {description: rider, pii: user_id}
  ts: {description: 'when, in UTC'}
---*/
SELECT
    "Route ID" AS route_id,
    replace(Bike, ',', '')::INTEGER AS bike_id,
    "User ID" AS user_id,
    "Date"::TIMESTAMPTZ AT TIME ZONE 'UTC' AS ts,
    Latitude::DOUBLE AS latitude,
    Longitude::DOUBLE AS longitude
FROM bronze.positions_raw
