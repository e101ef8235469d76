/*---
description: The zones of the city, as in the newest list.
kind: replace
key: [zone_id]
checks:
  - unique: zone_id
  - not_null: name
---*/
SELECT
    zone_id,
    name,
    area_km2::DOUBLE AS area_km2
FROM bronze.zones
