-- The seed's eight tables, and what provenance needs.

CREATE TABLE settings (
    key VARCHAR PRIMARY KEY,
    value VARCHAR NOT NULL
);

CREATE TABLE providers (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    state VARCHAR NOT NULL CHECK (state IN ('candidate', 'active')),
    protocol VARCHAR,
    base_url VARCHAR,
    auth JSON,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE TABLE model_families (
    provider VARCHAR NOT NULL REFERENCES providers (id),
    name VARCHAR NOT NULL,
    PRIMARY KEY (provider, name)
);

CREATE TABLE models (
    provider VARCHAR NOT NULL REFERENCES providers (id),
    id VARCHAR NOT NULL,
    name VARCHAR,
    -- Not a foreign key: a family may end in the same transaction in which its models do, which DuckDB refuses.
    family VARCHAR,
    context_tokens BIGINT,
    output_tokens BIGINT,
    capabilities VARCHAR[] NOT NULL,
    -- US dollars per million tokens; NULL is unknown, never 0.
    input_mtok DECIMAL(18, 9),
    output_mtok DECIMAL(18, 9),
    cache_read_mtok DECIMAL(18, 9),
    cache_write_mtok DECIMAL(18, 9),
    PRIMARY KEY (provider, id)
);
CREATE INDEX models_by_id ON models (id);

CREATE TABLE api_keys (
    id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL REFERENCES providers (id),
    prefix VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    host VARCHAR,
    origin VARCHAR NOT NULL CHECK (origin IN ('config', 'environment', 'api')),
    state VARCHAR NOT NULL CHECK (state IN ('active', 'disabled')),
    created_at TIMESTAMPTZ NOT NULL,
    requests BIGINT NOT NULL DEFAULT 0,
    tokens BIGINT NOT NULL DEFAULT 0,
    ciphertext BLOB NOT NULL,
    PRIMARY KEY (provider, id)
);

-- No foreign key: a usage row must never be refused, whatever became of its provider since.
CREATE TABLE usage_tracking (
    request_id VARCHAR PRIMARY KEY,
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
    generation BIGINT NOT NULL
);

CREATE TABLE discovery_logs (
    id VARCHAR PRIMARY KEY,
    identifier VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- The whole Discovery as JSON, its steps apart.
    document JSON NOT NULL
);

CREATE TABLE discovery_steps (
    discovery VARCHAR NOT NULL REFERENCES discovery_logs (id),
    seq INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    detail VARCHAR NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ,
    PRIMARY KEY (discovery, seq)
);

CREATE TABLE sdk_versions (
    provider VARCHAR NOT NULL REFERENCES providers (id),
    version INTEGER NOT NULL,
    digest VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    why_not_higher VARCHAR NOT NULL,
    active BOOLEAN NOT NULL,
    published_at TIMESTAMPTZ NOT NULL,
    discovery_id VARCHAR,
    PRIMARY KEY (provider, version)
);

CREATE TABLE source_records (
    id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL,
    subject VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL,
    sha256 VARCHAR NOT NULL,
    trusted BOOLEAN NOT NULL,
    stale BOOLEAN NOT NULL,
    note VARCHAR NOT NULL,
    payload JSON NOT NULL
);
CREATE INDEX source_records_by_subject ON source_records (subject, source);

CREATE TABLE facts (
    subject VARCHAR NOT NULL,
    field VARCHAR NOT NULL,
    record VARCHAR NOT NULL REFERENCES source_records (id),
    value JSON NOT NULL,
    confidence DOUBLE NOT NULL,
    PRIMARY KEY (subject, field, record)
);
