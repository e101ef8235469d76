/*---
description: An invoice of the music shop, with the sum of its lines beside the total that it states.
kind: replace
key: [invoice_id]
checks:
  - sql: total = lines_total
    name: lines_add_up
---*/
WITH lines AS (
    SELECT l.InvoiceId AS invoice_id, count(*) AS lines, sum(l.UnitPrice * l.Quantity)::DECIMAL(18, 2) AS lines_total
    FROM
        bronze.chinook,
        unnest(from_json(InvoiceLine, '[{
            "InvoiceId": "INTEGER", "UnitPrice": "DECIMAL(9, 2)", "Quantity": "INTEGER"
        }]')) AS listed(l)
    GROUP BY l.InvoiceId
)
SELECT
    i.InvoiceId AS invoice_id,
    i.CustomerId AS customer_id,
    i.InvoiceDate::DATE AS invoiced_on,
    i.BillingCountry AS country,
    i.Total AS total,
    lines.lines,
    lines.lines_total
FROM
    bronze.chinook,
    unnest(from_json(Invoice, '[{
        "InvoiceId": "INTEGER", "CustomerId": "INTEGER", "InvoiceDate": "TIMESTAMP", "BillingCountry": "VARCHAR",
        "Total": "DECIMAL(9, 2)"
    }]')) AS listed(i)
LEFT JOIN lines ON lines.invoice_id = i.InvoiceId
