/*---
description: A reading with the zone in whose boundary it lies; readings outside of all zones are left out.
kind: replace
key: [vehicle_id, ts]
---*/
SELECT
    t.vehicle_id,
    t.ts,
    t.battery,
    t.battery_status,
    min(z.zone_id) AS zone_id -- on the border of two zones: the first
FROM silver.telemetry AS t
JOIN silver.zones AS z ON ST_Covers(ST_GeomFromText(z.boundary), ST_Point(t.longitude, t.latitude))
GROUP BY t.vehicle_id, t.ts, t.battery, t.battery_status
