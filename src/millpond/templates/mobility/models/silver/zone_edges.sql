/*---
description: The edges of each zone's boundary, from corner to corner.
kind: replace
key: [zone_id, edge]
---*/
WITH boundaries AS (
    SELECT zone_id, string_split(regexp_extract(boundary, '\(\(([^()]+)\)\)', 1), ', ') AS corners
    FROM silver.zones
),
edges AS (
    SELECT zone_id, corners, unnest(range(1, len(corners))) AS edge
    FROM boundaries
)
SELECT
    zone_id,
    edge,
    split_part(corners[edge], ' ', 1)::DOUBLE AS from_longitude,
    split_part(corners[edge], ' ', 2)::DOUBLE AS from_latitude,
    split_part(corners[edge + 1], ' ', 1)::DOUBLE AS to_longitude,
    split_part(corners[edge + 1], ' ', 2)::DOUBLE AS to_latitude
FROM edges
