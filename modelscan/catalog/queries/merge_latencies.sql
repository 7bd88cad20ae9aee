CREATE TEMP TABLE merging AS
SELECT grain, period, operation, provider, model, metric, bucket, sum(requests)::BIGINT AS requests, true AS merged
FROM usage_latencies
WHERE (grain, period) IN (SELECT DISTINCT (grain, period) FROM usage_latencies WHERE NOT merged)
GROUP BY ALL
