/*---
description: Where each vehicle was, and how full its battery.
kind: append
key: [vehicle_id, ts]
partition: [day(ts)]
checks:
  - regex: {vehicle_id: '^[A-Z]{2}\d{6}$'}
  - in: {vehicle_type: [scooter, ebike, car, van]}
  - between: {battery: [0, 100]}
  - not_null: latitude
on_fail: quarantine
---*/
SELECT
    vehicle_id,
    vehicle_type,
    ts::TIMESTAMP AS ts,
    battery::INTEGER AS battery,
    latitude::DOUBLE AS latitude,
    longitude::DOUBLE AS longitude,
    zone_id
FROM bronze.telemetry
