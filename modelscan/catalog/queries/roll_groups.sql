INSERT INTO usage_groups
SELECT DISTINCT
    hash(operation, provider, model, asked_model, key_id, token_id, client, status, error_code) AS id,
    operation, provider, model, asked_model, key_id, token_id, client, status, error_code
FROM rolling
WHERE hash(operation, provider, model, asked_model, key_id, token_id, client, status, error_code)
    NOT IN (SELECT id FROM usage_groups)
