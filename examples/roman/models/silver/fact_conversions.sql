/*---
description: One conversion between a number and its Roman numeral. The service delivers an event more than once.
kind: append
key: [event_id]
partition: [month(event_time)]
checks:
  - not_null: [user_id, event_time]
  - in: {direction: [to_roman, to_arabic], status: [ok, refused]}
  - between: {number: [1, 3999], duration_ms: [0, null]}
  - regex: {numeral: '^M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})$'}
  - sql: status = 'refused' OR numeral = expected
    name: converted_right
columns:
  user_id: {pii: user_id}
---*/
WITH events AS (
    SELECT
        event_id,
        user_id,
        plan,
        country,
        event_time,
        direction,
        status,
        CASE WHEN status = 'refused' THEN input END AS refused_input,
        CASE
            WHEN status = 'ok' AND direction = 'to_roman' THEN input::INTEGER
            WHEN status = 'ok' AND direction = 'to_arabic' THEN output::INTEGER
        END AS number,
        CASE
            WHEN status = 'ok' AND direction = 'to_roman' THEN output
            WHEN status = 'ok' AND direction = 'to_arabic' THEN input
        END AS numeral,
        duration_ms::INTEGER AS duration_ms
    FROM bronze.conversion_events_raw
)
SELECT
    *,
    concat(
        ['', 'M', 'MM', 'MMM'][number // 1000 + 1],
        ['', 'C', 'CC', 'CCC', 'CD', 'D', 'DC', 'DCC', 'DCCC', 'CM'][number // 100 % 10 + 1],
        ['', 'X', 'XX', 'XXX', 'XL', 'L', 'LX', 'LXX', 'LXXX', 'XC'][number // 10 % 10 + 1],
        ['', 'I', 'II', 'III', 'IV', 'V', 'VI', 'VII', 'VIII', 'IX'][number % 10 + 1]
    ) AS expected
FROM events
