/*---
description: The zones of the city, as in the newest list, with their boundaries as well-known text.
kind: replace
key: [zone_id]
checks:
  - unique: zone_id
  - not_null: name
  - regex: {boundary: '^POLYGON\(\([^()]+\)\)$'}
---*/
SELECT
    zone_id,
    name,
    area_km2::DOUBLE AS area_km2,
    boundary
FROM bronze.zones
