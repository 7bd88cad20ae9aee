SELECT
    provider,
    model,
    count(*) AS rows,
    count(*) FILTER (before IS NULL) AS became_known,
    coalesce(sum(before), 0)::DECIMAL(38, 12) AS before_usd,
    sum(after)::DECIMAL(38, 12) AS after_usd,
    list(DISTINCT price_id ORDER BY price_id) AS prices
FROM repriced
GROUP BY ALL
ORDER BY abs(after_usd - before_usd) DESC, provider, model
