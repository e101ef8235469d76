/*---
description: A track and its price, with what they were before. The document tells no changes.
kind: snapshot
key: [track_id]
checks:
  - between: {unit_price: [0, null]}
---*/
SELECT
    t.TrackId AS track_id,
    t.Name AS name,
    t.Composer AS composer,
    t.Milliseconds AS milliseconds,
    t.UnitPrice AS unit_price
FROM
    bronze.chinook,
    unnest(from_json(Track, '[{
        "TrackId": "INTEGER", "Name": "VARCHAR", "Composer": "VARCHAR", "Milliseconds": "INTEGER",
        "UnitPrice": "DECIMAL(9, 2)"
    }]')) AS listed(t)
