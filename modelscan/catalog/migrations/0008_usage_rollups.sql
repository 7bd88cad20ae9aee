-- Usage by hour and by day, which stays when its rows are gone. Each ingest is a batch; batches up to `rolled` are in the
-- rollups, and those after it are not: a row is counted once, whatever its time.

ALTER TABLE usage_tracking ADD COLUMN batch BIGINT DEFAULT 0;
-- The number of the bucket of a logarithmic scale: each is 10 % wider than the one before, and 0 ends at 1 ms.
ALTER TABLE usage_tracking ADD COLUMN latency_bucket SMALLINT;
ALTER TABLE usage_tracking ADD COLUMN first_byte_bucket SMALLINT;
UPDATE usage_tracking SET
    latency_bucket = ceil(ln(if(latency_ms < 0.01, 0.01, latency_ms)) / ln(1.1))::SMALLINT,
    first_byte_bucket = ceil(ln(if(first_byte_ms < 0.01, 0.01, first_byte_ms)) / ln(1.1))::SMALLINT;

CREATE TABLE usage_state (
    batch BIGINT NOT NULL,
    rolled BIGINT NOT NULL,
    -- Rows of before, midnight in UTC, are gone.
    kept_since TIMESTAMPTZ NOT NULL
);
INSERT INTO usage_state VALUES (0, -1, '1970-01-01 00:00:00+00');

CREATE TABLE usage_groups (
    id UBIGINT NOT NULL,
    operation VARCHAR,
    provider VARCHAR,
    model VARCHAR,
    asked_model VARCHAR,
    key_id VARCHAR,
    token_id VARCHAR,
    client VARCHAR,
    status INTEGER,
    error_code VARCHAR
);

CREATE TABLE usage_rollups (
    grain VARCHAR NOT NULL,
    period TIMESTAMPTZ NOT NULL,
    id UBIGINT NOT NULL,
    requests BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    streams BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    fallbacks BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    without_usage BIGINT NOT NULL,
    estimated BIGINT NOT NULL,
    cost_usd DECIMAL(38, 12),
    cost_unknown BIGINT NOT NULL,
    latency_ms DOUBLE NOT NULL,
    first_byte_ms DOUBLE NOT NULL,
    first_bytes BIGINT NOT NULL,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    merged BOOLEAN NOT NULL
);

CREATE TABLE usage_latencies (
    grain VARCHAR NOT NULL,
    period TIMESTAMPTZ NOT NULL,
    operation VARCHAR,
    provider VARCHAR,
    model VARCHAR,
    metric VARCHAR NOT NULL,
    bucket SMALLINT NOT NULL,
    requests BIGINT NOT NULL,
    merged BOOLEAN NOT NULL
);

-- Each row as the counts that it adds.
CREATE VIEW usage_counts AS
SELECT
    batch,
    "at",
    operation, provider, model, asked_model, key_id, token_id, client, status, error_code,
    1 AS requests,
    cancelled::INTEGER AS cancelled,
    stream::INTEGER AS streams,
    retries,
    fallbacks,
    coalesce(prompt_tokens, 0) AS prompt_tokens,
    coalesce(completion_tokens, 0) AS completion_tokens,
    coalesce(cached_tokens, 0) AS cached_tokens,
    coalesce(cache_write_tokens, 0) AS cache_write_tokens,
    coalesce(reasoning_tokens, 0) AS reasoning_tokens,
    (prompt_tokens IS NULL AND status < 400)::INTEGER AS without_usage,
    estimated::INTEGER AS estimated,
    cost_usd,
    -- What was refused before anything was used costs nothing.
    (cost_usd IS NULL AND (status < 400 OR coalesce(prompt_tokens, completion_tokens) IS NOT NULL))::INTEGER AS cost_unknown,
    latency_ms,
    coalesce(first_byte_ms, 0) AS first_byte_ms,
    (first_byte_ms IS NOT NULL)::INTEGER AS first_bytes,
    "at" AS first_at,
    "at" AS last_at,
    latency_bucket,
    first_byte_bucket
FROM usage_tracking;
