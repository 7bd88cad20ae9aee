-- Clients that were proved and wait for approval, each with all that its publication needs.

CREATE TABLE candidates (
    discovery VARCHAR PRIMARY KEY REFERENCES discovery_logs (id),
    provider VARCHAR NOT NULL,
    document JSON NOT NULL
);
