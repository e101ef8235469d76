/*---
description: Paid orders by day, in UTC.
kind: aggregate
key: [day]
---*/
SELECT
    ordered_at::DATE AS day,
    count(*) AS orders,
    sum(amount)::DECIMAL(18, 2) AS revenue
FROM silver.orders
WHERE status = 'paid'
GROUP BY ordered_at::DATE
