UPDATE api_keys
SET requests = api_keys.requests + used.requests, tokens = api_keys.tokens + used.tokens
FROM (
    SELECT
        provider,
        key_id,
        count(*) AS requests,
        sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0)) AS tokens
    FROM fresh
    WHERE key_id IS NOT NULL
    GROUP BY ALL
) AS used
WHERE used.provider = api_keys.provider AND used.key_id = api_keys.id
