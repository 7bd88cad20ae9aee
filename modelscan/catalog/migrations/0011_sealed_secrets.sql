-- Secrets that ModelScan keeps for itself, such as the key of the hash that client tokens are stored under.

CREATE TABLE sealed_secrets (
    name VARCHAR PRIMARY KEY,
    -- Under the master key, as api_keys.ciphertext is.
    ciphertext BLOB NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
