/*---
description: One customer, as in the newest export.
kind: replace
key: [customer_id]
checks:
  - unique: customer_id
  - regex: {country: '^[A-Z]{2}$'}
columns:
  name: {description: full name, pii: name}
---*/
SELECT
    customer_id,
    name,
    country,
    since::DATE AS since
FROM bronze.customers
