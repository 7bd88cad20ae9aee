WITH measured AS (
    SELECT *, 'latency' AS metric, latency_bucket AS bucket FROM usage_tracking
    UNION ALL
    SELECT *, 'first_byte', first_byte_bucket FROM usage_tracking
),
found AS (
    SELECT {row_time} AS by_time, {by}, metric, bucket, count(*)::BIGINT AS requests
    FROM measured
    WHERE batch > $after AND "at" >= $since AND "at" < $until AND bucket IS NOT NULL AND {where}
    GROUP BY ALL
    {rolled}
),
summed AS (SELECT by_time, {grouped}, metric, bucket, sum(requests) AS requests FROM found GROUP BY ALL),
ranked AS (
    SELECT
        *,
        sum(requests) OVER (PARTITION BY by_time, {grouped}, metric ORDER BY bucket) AS below,
        sum(requests) OVER (PARTITION BY by_time, {grouped}, metric) AS whole
    FROM summed
)
SELECT
    by_time AS "time", {named},
    min(bucket) FILTER (metric = 'latency' AND below >= 0.50 * whole) AS latency_p50_ms,
    min(bucket) FILTER (metric = 'latency' AND below >= 0.95 * whole) AS latency_p95_ms,
    min(bucket) FILTER (metric = 'latency' AND below >= 0.99 * whole) AS latency_p99_ms,
    min(bucket) FILTER (metric = 'first_byte' AND below >= 0.50 * whole) AS first_byte_p50_ms,
    min(bucket) FILTER (metric = 'first_byte' AND below >= 0.95 * whole) AS first_byte_p95_ms,
    min(bucket) FILTER (metric = 'first_byte' AND below >= 0.99 * whole) AS first_byte_p99_ms
FROM ranked
GROUP BY by_time, {grouped}
