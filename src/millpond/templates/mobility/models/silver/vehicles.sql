/*---
description: The newest reading of each vehicle.
kind: upsert
key: [vehicle_id]
order: [ts]
---*/
SELECT vehicle_id, vehicle_type, ts, battery, battery_status, latitude, longitude
FROM silver.telemetry
