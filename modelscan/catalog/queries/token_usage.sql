-- What each token used this month, by provider and model: those that were refused here used nothing, and have no provider.
SELECT
    token_id,
    provider,
    model,
    count(*) FILTER ("at" >= $minute) AS minute_requests,
    coalesce(sum(tokens) FILTER ("at" >= $minute), 0) AS minute_tokens,
    coalesce(sum(tokens) FILTER ("at" >= $day), 0) AS day_tokens,
    coalesce(sum(tokens), 0) AS month_tokens,
    coalesce(sum(cost_usd) FILTER ("at" >= $day), 0) AS day_usd,
    coalesce(sum(cost_usd), 0) AS month_usd,
    count(*) FILTER (cost_usd IS NULL AND tokens > 0 AND "at" >= $day) AS day_unpriced,
    coalesce(sum(prompt_tokens) FILTER (cost_usd IS NULL AND "at" >= $day), 0) AS day_unpriced_prompt,
    coalesce(sum(completion_tokens) FILTER (cost_usd IS NULL AND "at" >= $day), 0) AS day_unpriced_completion,
    count(*) FILTER (cost_usd IS NULL AND tokens > 0) AS month_unpriced,
    coalesce(sum(prompt_tokens) FILTER (cost_usd IS NULL), 0) AS month_unpriced_prompt,
    coalesce(sum(completion_tokens) FILTER (cost_usd IS NULL), 0) AS month_unpriced_completion
FROM (
    SELECT *, coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0) AS tokens
    FROM usage_tracking
    WHERE token_id IS NOT NULL AND provider IS NOT NULL AND "at" >= $month
)
GROUP BY token_id, provider, model
