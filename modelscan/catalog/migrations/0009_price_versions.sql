-- What models cost, and since when: a row only where something changed. No foreign key: a price outlives the client of
-- its provider, because usage was reckoned with it.

CREATE TABLE price_versions (
    id VARCHAR PRIMARY KEY,
    provider VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    valid_from TIMESTAMPTZ NOT NULL,
    -- Rates and tiers in US dollars, each as text; what is not in it is unknown, never 0.
    tariff JSON NOT NULL,
    -- Who said each of them.
    evidence JSON NOT NULL
);
