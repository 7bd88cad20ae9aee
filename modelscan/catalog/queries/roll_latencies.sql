INSERT INTO usage_latencies BY NAME
SELECT
    $grain AS grain,
    make_timestamptz(epoch_us("at") // $span * $span) AS period,
    operation, provider, model, metric, bucket,
    count(*) AS requests,
    false AS merged
FROM (
    SELECT batch, "at", operation, provider, model, 'latency' AS metric, latency_bucket AS bucket FROM usage_tracking
    UNION ALL
    SELECT batch, "at", operation, provider, model, 'first_byte', first_byte_bucket FROM usage_tracking
)
WHERE batch > $rolled AND batch <= $batch AND bucket IS NOT NULL
GROUP BY ALL
