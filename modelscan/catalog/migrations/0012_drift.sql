-- Changes that were found between two looks at the sources, the feed that tells them in order, and what a webhook is sent.

CREATE TABLE drift_events (
    id VARCHAR PRIMARY KEY,
    kind VARCHAR NOT NULL,
    -- Not a foreign key: a change may be of a provider that is listed and was never added, or of a source.
    provider VARCHAR NOT NULL,
    model VARCHAR,
    field VARCHAR NOT NULL,
    -- Who says the new value.
    source VARCHAR NOT NULL,
    before VARCHAR,
    after VARCHAR,
    evidence JSON NOT NULL,
    found_at TIMESTAMPTZ NOT NULL,
    run_id VARCHAR,
    state VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    judged_at TIMESTAMPTZ,
    -- Its first line in the feed, by which events are in order.
    seq BIGINT NOT NULL
);

-- One line for each event as it was found, and one more as it was judged; numbered without gaps.
CREATE TABLE drift_feed (
    seq BIGINT PRIMARY KEY,
    event VARCHAR NOT NULL,
    state VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    "at" TIMESTAMPTZ NOT NULL
);

-- What is to be sent to the webhook, until it was taken or given up.
CREATE TABLE drift_outbox (
    id VARCHAR PRIMARY KEY,
    body VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    state VARCHAR NOT NULL CHECK (state IN ('waiting', 'sent', 'given_up')),
    attempts INTEGER NOT NULL,
    next_at TIMESTAMPTZ NOT NULL,
    -- What was answered last.
    said VARCHAR NOT NULL
);
