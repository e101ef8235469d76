/*---
description: A customer of the music shop. The document tells no changes, so each look is compared with the last.
kind: snapshot
key: [customer_id]
columns:
  name: {pii: name}
  email: {pii: email, nullable: false}
---*/
SELECT
    c.CustomerId AS customer_id,
    concat_ws(' ', c.FirstName, c.LastName) AS name,
    c.Email AS email,
    c.City AS city,
    c.Country AS country
FROM
    bronze.chinook,
    unnest(from_json(Customer, '[{
        "CustomerId": "INTEGER", "FirstName": "VARCHAR", "LastName": "VARCHAR", "Email": "VARCHAR",
        "City": "VARCHAR", "Country": "VARCHAR"
    }]')) AS listed(c)
