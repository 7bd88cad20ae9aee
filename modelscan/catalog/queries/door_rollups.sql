SELECT
    period, operation, provider, model, asked_model, key_id, token_id, client, status, error_code,
    r.* EXCLUDE (grain, period, id, merged)
FROM catalogue.usage_rollups AS r JOIN catalogue.usage_groups AS g USING (id)
WHERE grain = '{grain}'
