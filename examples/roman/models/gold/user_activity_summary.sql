/*---
description: What a user did in all, with the plan and country of today.
kind: replace
key: [user_id]
columns:
  user_id: {pii: user_id}
---*/
SELECT
    f.user_id,
    u.plan,
    u.country,
    min(f.event_time) AS first_seen,
    max(f.event_time) AS last_seen,
    count(DISTINCT f.event_time::DATE) AS active_days,
    count(*) AS conversions,
    count(*) FILTER (f.status = 'refused') AS refused,
    (SELECT count(*) FROM silver.dim_users AS v WHERE v.user_id = f.user_id) AS versions
FROM silver.fact_conversions AS f
JOIN silver.dim_users AS u ON u.user_id = f.user_id AND u.is_current
GROUP BY f.user_id, u.plan, u.country
