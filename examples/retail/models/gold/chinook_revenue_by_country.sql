/*---
description: What the customers of a country spent in the music shop.
kind: aggregate
key: [country]
---*/
SELECT country, count(*) AS invoices, count(DISTINCT customer_id) AS customers, sum(total)::DECIMAL(18, 2) AS revenue
FROM silver.chinook_invoices
GROUP BY country
