CREATE TEMP TABLE fresh AS
SELECT
    * EXCLUDE (media_tokens) REPLACE (
        coalesce(operation, 'chat') AS operation,
        coalesce(stream, false) AS stream,
        coalesce(cancelled, false) AS cancelled,
        coalesce(estimated, false) AS estimated,
        try_cast(cost_usd AS DECIMAL(18, 12)) AS cost_usd,
        coalesce(retries, 0) AS retries,
        coalesce(fallbacks, 0) AS fallbacks
    ),
    media_tokens.input_audio AS input_audio_tokens,
    media_tokens.output_audio AS output_audio_tokens,
    media_tokens.input_image AS input_image_tokens,
    media_tokens.output_image AS output_image_tokens,
    ceil(ln(if(latency_ms < 0.01, 0.01, latency_ms)) / ln(1.1))::SMALLINT AS latency_bucket,
    ceil(ln(if(first_byte_ms < 0.01, 0.01, first_byte_ms)) / ln(1.1))::SMALLINT AS first_byte_bucket
FROM read_json(
    $file,
    format = 'newline_delimited',
    ignore_errors = true,
    columns = {
        request_id: 'VARCHAR', "at": 'TIMESTAMPTZ', asked_model: 'VARCHAR', provider: 'VARCHAR', model: 'VARCHAR',
        key_id: 'VARCHAR', status: 'INTEGER', stream: 'BOOLEAN', cancelled: 'BOOLEAN', prompt_tokens: 'BIGINT',
        completion_tokens: 'BIGINT', latency_ms: 'DOUBLE', first_byte_ms: 'DOUBLE', error_code: 'VARCHAR',
        generation: 'BIGINT', operation: 'VARCHAR', token_id: 'VARCHAR', client: 'VARCHAR', cached_tokens: 'BIGINT',
        cache_write_tokens: 'BIGINT', reasoning_tokens: 'BIGINT', estimated: 'BOOLEAN', cost_usd: 'VARCHAR',
        media_tokens:
            'STRUCT(input_audio BIGINT, output_audio BIGINT, input_image BIGINT, output_image BIGINT)',
        price_id: 'VARCHAR', retries: 'INTEGER', fallbacks: 'INTEGER',
        sdk_version: 'INTEGER', failed_version: 'INTEGER'
    }
)
WHERE request_id IS NOT NULL AND "at" IS NOT NULL
