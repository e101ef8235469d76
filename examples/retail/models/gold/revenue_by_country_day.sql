/*---
description: What was sold to a country on a day, what was cancelled, and what is left.
kind: aggregate
key: [country, day]
---*/
SELECT
    country,
    invoiced_at::DATE AS day,
    count(DISTINCT invoice_no) FILTER (NOT is_cancellation) AS invoices,
    count(DISTINCT invoice_no) FILTER (is_cancellation) AS cancellations,
    coalesce(sum(quantity * unit_price) FILTER (NOT is_cancellation), 0)::DECIMAL(18, 3) AS sold,
    coalesce(sum(quantity * unit_price) FILTER (is_cancellation), 0)::DECIMAL(18, 3) AS cancelled,
    sum(quantity * unit_price)::DECIMAL(18, 3) AS revenue
FROM silver.invoice_lines
GROUP BY country, invoiced_at::DATE
