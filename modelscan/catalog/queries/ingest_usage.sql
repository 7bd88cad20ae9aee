CREATE TEMP TABLE fresh AS
SELECT DISTINCT ON (request_id) *
FROM read_json(
    $file,
    format = 'newline_delimited',
    ignore_errors = true,
    columns = {
        request_id: 'VARCHAR', "at": 'TIMESTAMPTZ', asked_model: 'VARCHAR', provider: 'VARCHAR', model: 'VARCHAR',
        key_id: 'VARCHAR', status: 'INTEGER', stream: 'BOOLEAN', cancelled: 'BOOLEAN', prompt_tokens: 'BIGINT',
        completion_tokens: 'BIGINT', latency_ms: 'DOUBLE', first_byte_ms: 'DOUBLE', error_code: 'VARCHAR',
        generation: 'BIGINT'
    }
)
WHERE request_id IS NOT NULL
  AND "at" IS NOT NULL
  AND NOT EXISTS (FROM usage_tracking u WHERE u.request_id = read_json.request_id)
