-- What these requests used, as their rows say.
SELECT request_id, key_id, provider, model, status, prompt_tokens, completion_tokens, cost_usd
FROM usage_tracking
WHERE request_id IN (SELECT unnest($ids))
