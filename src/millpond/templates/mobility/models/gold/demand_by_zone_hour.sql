/*---
description: What was booked in a zone in an hour, what stood ready there, and what the same hour of the days before was like.
kind: replace
key: [zone_id, hour]
columns:
  available_vehicles: {description: Vehicles seen whose battery was not critical.}
  mean_7_days: {description: "Mean bookings of the same hour on the seven days before, as far as there are any."}
  mean_28_days: {description: The same over 28 days.}
  utilization: {description: "Of the vehicles that were seen or booked, the share that was booked."}
---*/
WITH booked AS (
    SELECT
        zone_id,
        date_trunc('hour', started_at) AS hour,
        count(*) AS bookings,
        count(DISTINCT user_id) AS users,
        round(avg(epoch(ended_at - started_at) / 60), 2) AS mean_minutes,
        sum(price) AS revenue
    FROM silver.bookings
    GROUP BY zone_id, date_trunc('hour', started_at)
),
seen AS (
    SELECT
        zone_id,
        date_trunc('hour', ts) AS hour,
        count(DISTINCT vehicle_id) FILTER (battery_status <> 'critical') AS available_vehicles,
        round(avg(battery), 2) AS mean_battery
    FROM silver.zone_readings
    GROUP BY zone_id, date_trunc('hour', ts)
),
known AS (
    SELECT zone_id, hour, count(DISTINCT vehicle_id) FILTER (moved) / count(DISTINCT vehicle_id) AS utilization
    FROM (
        SELECT zone_id, date_trunc('hour', started_at) AS hour, vehicle_id, true AS moved FROM silver.bookings
        UNION ALL
        SELECT zone_id, date_trunc('hour', ts), vehicle_id, false FROM silver.zone_readings
    ) AS vehicles
    GROUP BY zone_id, hour
),
hours AS (
    SELECT
        k.zone_id,
        k.hour,
        coalesce(b.bookings, 0) AS bookings,
        coalesce(b.users, 0) AS users,
        b.mean_minutes,
        coalesce(b.revenue, 0)::DECIMAL(18, 2) AS revenue,
        coalesce(s.available_vehicles, 0) AS available_vehicles,
        s.mean_battery,
        round(k.utilization, 4) AS utilization,
        date_diff('day', (SELECT min(hour) FROM known), k.hour) AS days_before
    FROM known AS k
    LEFT JOIN booked AS b ON b.zone_id = k.zone_id AND b.hour = k.hour
    LEFT JOIN seen AS s ON s.zone_id = k.zone_id AND s.hour = k.hour
)
SELECT
    * EXCLUDE (days_before),
    round(coalesce(sum(bookings) OVER week, 0) / nullif(least(days_before, 7), 0), 2) AS mean_7_days,
    round(coalesce(sum(bookings) OVER month, 0) / nullif(least(days_before, 28), 0), 2) AS mean_28_days
FROM hours
WINDOW
    week AS (
        PARTITION BY zone_id, date_part('hour', hour) ORDER BY hour
        RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING
    ),
    month AS (
        PARTITION BY zone_id, date_part('hour', hour) ORDER BY hour
        RANGE BETWEEN INTERVAL 28 DAYS PRECEDING AND INTERVAL 1 DAY PRECEDING
    )
