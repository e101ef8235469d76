/*---
description: Zones by their rides, with the rides for each square kilometre.
kind: replace
key: [zone_id]
---*/
SELECT
    z.zone_id,
    z.name,
    z.area_km2,
    sum(d.trips)::BIGINT AS trips,
    sum(d.revenue)::DECIMAL(18, 2) AS revenue,
    round(sum(d.trips) / z.area_km2, 1) AS trips_per_km2
FROM gold.demand_by_zone_hour AS d
JOIN silver.zones AS z ON z.zone_id = d.zone_id
GROUP BY z.zone_id, z.name, z.area_km2
