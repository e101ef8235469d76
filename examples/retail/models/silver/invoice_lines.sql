/*---
description: A line of an invoice, or of a cancellation, whose number begins with C and whose quantity is negative.
kind: append
# Lines have no number. Two that agree in these are one line, and a conflict where their texts differ.
key: [invoice_no, stock_code, quantity, unit_price]
partition: [month(invoiced_at)]
checks:
  - regex: {invoice_no: '^C?\d{6}$'}
  - sql: unit_price > 0           # gifts, write-offs and corrections of stock are no sales
    name: has_a_price
  - sql: is_cancellation = (quantity < 0)
    name: cancelled_or_sold
columns:
  customer_id: {description: Empty where nobody signed in., pii: user_id}
---*/
SELECT
    InvoiceNo AS invoice_no,
    StockCode AS stock_code,
    trim(Description) AS description,
    Quantity::INTEGER AS quantity,
    UnitPrice::DECIMAL(12, 3) AS unit_price,
    InvoiceDate::TIMESTAMP AS invoiced_at,
    CustomerID::DECIMAL(9, 1)::INTEGER AS customer_id,
    Country AS country,
    starts_with(InvoiceNo, 'C') AS is_cancellation
FROM bronze.invoice_lines
