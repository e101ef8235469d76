/*---
description: One order.
kind: append
key: [order_id]
checks:
  - not_null: customer_id
  - in: {status: [paid, returned, open]}
  - between: {amount: [0, 10000]}
on_fail: quarantine
---*/
SELECT
    order_id::BIGINT AS order_id,
    customer_id,
    ordered_at::TIMESTAMP AS ordered_at,
    status,
    amount::DECIMAL(10, 2) AS amount
FROM bronze.orders
