/*---
description: A user's plan and country, from when until when. Events come late, and go to their place.
kind: scd2
key: [user_id]
event_time: event_time
columns:
  user_id: {pii: user_id}
---*/
SELECT user_id, plan, country, event_time
FROM silver.fact_conversions
