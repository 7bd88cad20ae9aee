-- How providers are doing, each change of a state; what chats of ours cost that ask for it; and what re-validations of
-- published clients showed. No foreign keys: all of it outlives the client that it is about.

CREATE TABLE health_changes (
    provider VARCHAR NOT NULL,
    "before" VARCHAR NOT NULL,
    "after" VARCHAR NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    evidence JSON
);

CREATE TABLE health_chats (
    id VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    -- US dollars: the most that it may cost, kept before it is sent; then what it did cost, NULL while that is unknown.
    reserved_usd DECIMAL(18, 12) NOT NULL,
    cost_usd DECIMAL(18, 12)
);

CREATE TABLE verifications (
    provider VARCHAR NOT NULL,
    version INTEGER NOT NULL,
    "at" TIMESTAMPTZ NOT NULL,
    run_id VARCHAR,
    report JSON NOT NULL
);
