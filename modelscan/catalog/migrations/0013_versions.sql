-- The files of each version, so that any can be served again, and who had which one served, since when and why.
-- Without foreign keys and indexes: DuckDB cannot change rows that others refer to, and these are few.

CREATE TABLE sdk_sources (
    provider VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    client VARCHAR NOT NULL,
    test VARCHAR NOT NULL
);

CREATE TABLE activations (
    -- The registry's, that this made.
    generation BIGINT NOT NULL,
    provider VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    -- The version that was served until then.
    before INTEGER,
    actor VARCHAR NOT NULL,
    why VARCHAR NOT NULL,
    counts JSON,
    "at" TIMESTAMPTZ NOT NULL
);

-- Versions that a share of the requests tries; a row goes when its trial ends.
CREATE TABLE canaries (
    provider VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    share DOUBLE NOT NULL,
    margin DOUBLE NOT NULL,
    requests INTEGER NOT NULL,
    minutes DOUBLE NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    generation BIGINT NOT NULL
);
