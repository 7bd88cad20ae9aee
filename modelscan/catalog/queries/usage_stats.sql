SELECT
    provider,
    coalesce(model, asked_model) AS model,
    count(*) AS requests,
    count(*) FILTER (status >= 400) AS errors,
    count(*) FILTER (cancelled) AS cancelled,
    coalesce(sum(prompt_tokens), 0)::BIGINT AS prompt_tokens,
    coalesce(sum(completion_tokens), 0)::BIGINT AS completion_tokens,
    count(*) FILTER (prompt_tokens IS NULL AND status < 400) AS without_usage,
    avg(latency_ms) AS latency_ms,
    quantile_cont(latency_ms, 0.5) AS latency_p50_ms,
    quantile_cont(latency_ms, 0.95) AS latency_p95_ms,
    min("at") AS first_at,
    max("at") AS last_at
FROM usage_tracking
WHERE ($model IS NULL OR model = $model OR asked_model = $model)
  AND ($provider IS NULL OR provider = $provider)
GROUP BY ALL
ORDER BY requests DESC, provider, model
