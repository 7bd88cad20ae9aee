-- Callers' tokens; of the token itself only a keyed hash, whose key is one of sealed_secrets.
-- No row of another table refers to one: usage outlives its token.

CREATE TABLE client_tokens (
    id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL UNIQUE,
    role VARCHAR NOT NULL CHECK (role IN ('client', 'read-only', 'admin')),
    prefix VARCHAR NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    revoked_at TIMESTAMPTZ,
    terms JSON NOT NULL
);
