/*---
description: How much of a product was sold and how much of it came back, by its newest name.
kind: replace
key: [stock_code]
---*/
SELECT
    l.stock_code,
    p.description,
    coalesce(sum(l.quantity) FILTER (NOT l.is_cancellation), 0)::BIGINT AS sold,
    coalesce(-sum(l.quantity) FILTER (l.is_cancellation), 0)::BIGINT AS cancelled,
    -sum(l.quantity * l.unit_price) FILTER (l.is_cancellation)::DECIMAL(18, 3) AS cancelled_value
FROM silver.invoice_lines AS l
LEFT JOIN silver.products AS p ON p.stock_code = l.stock_code AND p.is_current
GROUP BY l.stock_code, p.description
HAVING bool_or(l.is_cancellation)
