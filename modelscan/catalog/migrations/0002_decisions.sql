-- What the operator decided about a field. No foreign key: a decision outlives the records that it was made on.

CREATE TABLE decisions (
    id VARCHAR PRIMARY KEY,
    kind VARCHAR NOT NULL CHECK (kind IN ('accept', 'pin', 'reject')),
    subject VARCHAR NOT NULL,
    field VARCHAR NOT NULL,
    value JSON NOT NULL,
    source VARCHAR,
    seen VARCHAR NOT NULL,
    "at" TIMESTAMPTZ NOT NULL
);
