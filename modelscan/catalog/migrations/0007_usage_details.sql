-- What each request cost, how it went, and who asked. Made anew without the primary key, whose index grew to more than
-- the rows and kept the room of removed ones: a segment is known by its name, a row by its id within the time of its segment.

CREATE TABLE usage_rows (
    request_id VARCHAR NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    asked_model VARCHAR NOT NULL,
    provider VARCHAR,
    model VARCHAR,
    key_id VARCHAR,
    status INTEGER NOT NULL,
    stream BOOLEAN NOT NULL,
    cancelled BOOLEAN NOT NULL,
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    latency_ms DOUBLE NOT NULL,
    first_byte_ms DOUBLE,
    error_code VARCHAR,
    generation BIGINT NOT NULL,
    operation VARCHAR NOT NULL DEFAULT 'chat',
    token_id VARCHAR,
    client VARCHAR,
    cached_tokens BIGINT,
    cache_write_tokens BIGINT,
    reasoning_tokens BIGINT,
    estimated BOOLEAN NOT NULL DEFAULT false,
    -- US dollars; NULL is unknown, never 0.
    cost_usd DECIMAL(18, 12),
    price_id VARCHAR,
    retries INTEGER NOT NULL DEFAULT 0,
    fallbacks INTEGER NOT NULL DEFAULT 0
);

INSERT INTO usage_rows BY NAME SELECT * FROM usage_tracking;
DROP TABLE usage_tracking;
ALTER TABLE usage_rows RENAME TO usage_tracking;

-- The journal's segments that were taken in, each in the transaction of its rows.
CREATE TABLE usage_segments (
    name VARCHAR NOT NULL,
    taken_at TIMESTAMPTZ NOT NULL
);
