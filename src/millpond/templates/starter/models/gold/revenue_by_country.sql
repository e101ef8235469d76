/*---
description: Paid orders by the customer's country.
kind: replace
key: [country]
---*/
SELECT
    c.country,
    count(*) AS orders,
    sum(o.amount)::DECIMAL(18, 2) AS revenue
FROM silver.orders AS o
JOIN silver.customers AS c ON c.customer_id = o.customer_id
WHERE o.status = 'paid'
GROUP BY c.country
