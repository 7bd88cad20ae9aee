-- What the operator set for a key, why it is disabled, and what the provider last held against it.

ALTER TABLE api_keys ADD COLUMN label VARCHAR DEFAULT '';
-- Requests a minute, tokens a minute, requests a day; NULL is no limit.
ALTER TABLE api_keys ADD COLUMN rpm BIGINT;
ALTER TABLE api_keys ADD COLUMN tpm BIGINT;
ALTER TABLE api_keys ADD COLUMN daily BIGINT;
-- absent: no longer in the configuration or the environment; operator; refused: by the provider.
ALTER TABLE api_keys ADD COLUMN disabled_for VARCHAR;
ALTER TABLE api_keys ADD COLUMN fault_status INTEGER;
ALTER TABLE api_keys ADD COLUMN fault_at TIMESTAMPTZ;
ALTER TABLE api_keys ADD COLUMN rests_until TIMESTAMPTZ;

UPDATE api_keys SET disabled_for = 'absent' WHERE state = 'disabled';
