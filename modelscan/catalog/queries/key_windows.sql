-- By key, what counts in the current minute and day. Rows that are ahead of the clock count, too: it was set back.
SELECT
    provider,
    key_id,
    count(*) FILTER ("at" >= $minute) AS requests,
    coalesce(sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0)) FILTER ("at" >= $minute), 0)::BIGINT
        AS tokens,
    count(*) AS requests_today
FROM usage_tracking
WHERE "at" >= $day AND key_id IS NOT NULL AND provider IS NOT NULL AND status NOT IN (401, 403, 429)
GROUP BY ALL
