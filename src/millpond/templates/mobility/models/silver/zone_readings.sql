/*---
description: A reading with the zone in whose boundary it lies; readings outside of all zones are left out.
kind: replace
key: [vehicle_id, ts]
---*/
-- A ray from the point to the east crosses the boundary of the zone that it lies in an odd number of times.
SELECT
    t.vehicle_id,
    t.ts,
    t.battery,
    t.battery_status,
    e.zone_id
FROM silver.telemetry AS t
JOIN silver.zone_edges AS e
    ON (e.from_latitude > t.latitude) <> (e.to_latitude > t.latitude)
    AND t.longitude < e.from_longitude
        + (t.latitude - e.from_latitude) / (e.to_latitude - e.from_latitude) * (e.to_longitude - e.from_longitude)
GROUP BY t.vehicle_id, t.ts, t.battery, t.battery_status, e.zone_id
HAVING count(*) % 2 = 1
