/*---
description: Where each vehicle was, and how full its battery.
kind: append
key: [vehicle_id, ts]
partition: [day(ts)]
checks:
  - not_null: [vehicle_id, latitude, longitude]
  - regex: {vehicle_id: '^[A-Z]{2}\d{6}$'}
  - in: {vehicle_type: [scooter, ebike, car, van]}
  - between: {battery: [0, 100]}
on_fail: quarantine
---*/
SELECT
    vehicle_id,
    vehicle_type,
    ts::TIMESTAMP AS ts,
    battery::INTEGER AS battery,
    CASE
        WHEN battery::INTEGER < 10 THEN 'critical'
        WHEN battery::INTEGER < 30 THEN 'low'
        WHEN battery::INTEGER < 70 THEN 'medium'
        WHEN battery::INTEGER >= 70 THEN 'good'
    END AS battery_status,
    latitude::DOUBLE AS latitude,
    longitude::DOUBLE AS longitude
FROM bronze.telemetry
