-- What a run over the whole catalogue keeps: the sources' lists, what was last seen of each provider, and how far it is.

-- The newest list of each source that was taken up: what is asked with its validators need not be sent again, and what
-- a run did not finish is finished without asking.
CREATE TABLE source_listings (
    source VARCHAR PRIMARY KEY,
    url VARCHAR NOT NULL,
    etag VARCHAR NOT NULL,
    last_modified VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    answered_at TIMESTAMPTZ NOT NULL,
    checked_at TIMESTAMPTZ NOT NULL,
    -- Compressed with gzip.
    body BLOB NOT NULL
);

CREATE TABLE catalogue_runs (
    id VARCHAR PRIMARY KEY,
    -- The sources that were heard before it began.
    heard VARCHAR[] NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ
);

-- No foreign keys: a provider need not be published to be observed, and outlives the run that saw it.
CREATE TABLE observed_providers (
    provider VARCHAR PRIMARY KEY,
    -- Of the records that the state was read from, and of the rules that read them.
    inputs VARCHAR NOT NULL,
    -- The lists that there were, and who else was asked.
    sources VARCHAR[] NOT NULL,
    state JSON NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    -- The run that looked at it last.
    run_id VARCHAR NOT NULL,
    -- Whether a change of it is held or was rejected, so that it is looked at again.
    pending BOOLEAN NOT NULL
);
