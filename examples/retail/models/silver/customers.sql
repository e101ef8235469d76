/*---
description: Where a customer lived, from when until when.
kind: scd2
key: [customer_id]
event_time: invoiced_at
columns:
  customer_id: {pii: user_id}
---*/
SELECT customer_id, country, invoiced_at
FROM silver.invoice_lines
WHERE customer_id IS NOT NULL
