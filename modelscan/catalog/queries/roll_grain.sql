INSERT INTO usage_rollups BY NAME
SELECT
    $grain AS grain,
    make_timestamptz(epoch_us(hour) // $span * $span) AS period,
    hash(operation, provider, model, asked_model, key_id, token_id, client, status, error_code) AS id,
    {sums},
    false AS merged
FROM rolling
GROUP BY ALL
