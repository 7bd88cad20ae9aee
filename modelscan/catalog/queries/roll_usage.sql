CREATE TEMP TABLE rolling AS
SELECT
    make_timestamptz(epoch_us("at") // 3600000000 * 3600000000) AS hour,
    operation, provider, model, if($full, '(other)', asked_model) AS asked_model,
    key_id, token_id, if($full AND client IS NOT NULL, '(other)', client) AS client, status, error_code,
    {sums}
FROM usage_counts
WHERE batch > $rolled AND batch <= $batch AND "at" >= $since
GROUP BY ALL
