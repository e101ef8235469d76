/*---
description: What a product was called, from when until when.
kind: scd2
key: [stock_code]
event_time: invoiced_at
---*/
SELECT stock_code, description, invoiced_at
FROM silver.invoice_lines
WHERE NOT is_cancellation
